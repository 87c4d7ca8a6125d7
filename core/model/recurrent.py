"""The models before the transformer: a GRU that reads and a GRU that writes, without attention and with it.

Without attention: Sutskever et al. 2014, “Sequence to Sequence Learning with Neural Networks”, with the unit of Cho et al. 2014.
The writer knows nothing of the source but the reader's last state. With attention: Bahdanau et al. 2015, “Neural Machine
Translation by Jointly Learning to Align and Translate”. Before each step the writer looks back at every state of the reader.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class RecurrentConfig:
    """The shape of a machine. Raises ValueError for sizes that are not possible."""

    vocab: int
    d_embedding: int = 64
    d_state: int = 96
    attends: bool = False
    d_energy: int = 64  # width of the layer that compares two states

    def __post_init__(self) -> None:
        if min(self.vocab, self.d_embedding, self.d_state, self.d_energy) < 1:
            raise ValueError("sizes must be positive")

    @classmethod
    def from_dict(cls, values: dict) -> RecurrentConfig:
        """The config made of `values`. Other keys are ignored."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """All that one pass computed.

    logits [batch, target, vocab]. embedded [batch, source, d_embedding]: the source's vectors, with respect to which gradients
    are taken. memory [batch, source, d_state]: the reader's state after each token. states [batch, target, d_state]: the
    writer's state after each token. alignment [batch, target, source]: attention weights, whose rows sum to 1; None where there
    is no attention.
    """

    logits: Tensor
    embedded: Tensor | None
    memory: Tensor
    states: Tensor
    alignment: Tensor | None


class GRU(nn.GRU):
    """The gated unit of Cho et al. 2014 (eq. 5–8), in PyTorch's form: r acts after the product, and z = 1 keeps the old state.

    r = σ(W_r·x + U_r·h)    z = σ(W_z·x + U_z·h)    n = tanh(W_n·x + r ⊙ U_n·h)    h′ = (1 − z) ⊙ n + z ⊙ h
    """

    weight_ih_l0: Tensor  # W_r, W_z, W_n below each other
    weight_hh_l0: Tensor  # U_r, U_z, U_n
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, d_in: int, d_state: int) -> None:
        super().__init__(d_in, d_state, batch_first=True)

    def gates(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """r, z and n for one token x [batch, d_in] and the state h [batch, d_state]: each [batch, d_state]."""
        x_r, x_z, x_n = F.linear(x, self.weight_ih_l0, self.bias_ih_l0).chunk(3, dim=-1)
        h_r, h_z, h_n = F.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, dim=-1)
        reset = (x_r + h_r).sigmoid()
        return reset, (x_z + h_z).sigmoid(), (x_n + reset * h_n).tanh()

    def step(self, x: Tensor, h: Tensor) -> Tensor:
        """The state after one more token. A test compares it with PyTorch's own GRU, which computes whole sequences faster."""
        _, keep, new = self.gates(x, h)
        return (1 - keep) * new + keep * h


class AdditiveAttention(nn.Module):
    """Where to look, from a small network that compares two states (Bahdanau et al. 2015, eq. 5–6 and §A.1.2).

    e_ij = v·tanh(W·s_{i−1} + U·h_j)    α_ij = exp(e_ij) / Σ_k exp(e_ik)    c_i = Σ_j α_ij·h_j
    """

    def __init__(self, d_state: int, d_energy: int) -> None:
        super().__init__()
        self.query = nn.Linear(d_state, d_energy, bias=False)  # W
        self.key = nn.Linear(d_state, d_energy, bias=False)  # U
        self.energy = nn.Linear(d_energy, 1, bias=False)  # v

    def forward(self, state: Tensor, memory: Tensor, keys: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """state [batch, d_state], memory [batch, source, d_state] → context [batch, d_state], weights [batch, source].

        keys: U·h_j [batch, source, d_energy], which do not depend on the step and may be computed once.
        """
        keys = self.key(memory) if keys is None else keys
        scores = self.energy((self.query(state)[:, None] + keys).tanh())[..., 0]
        weights = scores.softmax(dim=-1)
        return (weights[:, None] @ memory)[:, 0], weights


class EncoderDecoder(nn.Module):
    """Reads a source, then writes a target token by token."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        d = config.d_state
        self.embedding = nn.Embedding(config.vocab, config.d_embedding)
        self.reader = GRU(config.d_embedding, d)
        self.bridge = nn.Linear(d, d)
        self.attention = AdditiveAttention(d, config.d_energy) if config.attends else None
        width = d if config.attends else 0  # of the context
        self.writer = GRU(config.d_embedding + width, d)
        self.output = nn.Linear(d + width, config.vocab)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Read `source` [batch, source]. Gives memory [batch, source, d_state] and the source's vectors [batch, source,
        d_embedding]."""
        embedded = self.embedding(source)
        return self.reader(embedded)[0], embedded

    def forward(self, source: Tensor | None, target: Tensor, memory: Tensor | None = None) -> Recurrence:
        """Logits after each token of `target` [batch, target]. memory: the reader's states of a pass before."""
        embedded = None
        if memory is None:
            if source is None:
                raise ValueError("a source, or the memory of one")
            memory, embedded = self.encode(source)
        state = self.bridge(memory[:, -1]).tanh()  # s_0: without attention, nothing else goes from reader to writer
        given = self.embedding(target)
        if self.attention is None:
            states, _ = self.writer(given, state[None].contiguous())
            return Recurrence(self.output(states), embedded, memory, states, None)
        keys = self.attention.key(memory)
        states_, contexts, rows = [], [], []
        for x in given.unbind(1):
            context, weights = self.attention(state, memory, keys)  # c_i from s_{i−1}: before x is read
            state = self.writer.step(torch.cat([x, context], -1), state)
            states_.append(state)
            contexts.append(context)
            rows.append(weights)
        states = torch.stack(states_, 1)
        logits = self.output(torch.cat([states, torch.stack(contexts, 1)], -1))
        return Recurrence(logits, embedded, memory, states, torch.stack(rows, 1))


def parameters(model: nn.Module) -> int:
    """How many numbers a model learns."""
    return sum(p.numel() for p in model.parameters())
