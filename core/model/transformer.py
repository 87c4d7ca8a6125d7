"""The transformer of “Attention Is All You Need” (Vaswani et al. 2017), top to bottom in one sitting.

One config makes an encoder (reads, fills in), a decoder (writes on) or an encoder–decoder (reads one, writes another).
`tests/model/test_transformer.py` holds every part to PyTorch's own.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.attention import MultiHeadAttention, Probe

KINDS = ("encoder", "decoder", "encoder-decoder")


@dataclass(frozen=True, slots=True)
class Config:
    """The shape of a model. Raises ValueError where parts do not fit.

    positions: "sinusoidal" (§3.5), "learned", "rotary" (Su et al. 2021) or "none". norm: "post" as in the paper, or
    "pre" (Xiong et al. 2020), which trains without warm-up trouble. causal=False makes a decoder that peeks at the future.
    """

    kind: str
    vocab: int
    d_model: int = 192
    heads: int = 4
    encoder_layers: int = 3
    decoder_layers: int = 3
    d_ff: int = 768  # 0: attention only
    max_tokens: int = 128
    positions: str = "sinusoidal"
    norm: str = "pre"
    dropout: float = 0.1
    causal: bool = True
    pad: int = 0
    start: int = 1
    end: int = 2
    mask: int = 3

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, not {self.kind!r}")
        if self.d_model % (2 * self.heads):
            raise ValueError(f"d_model {self.d_model} must be an even multiple of heads {self.heads}")
        if self.positions not in ("sinusoidal", "learned", "rotary", "none") or self.norm not in ("pre", "post"):
            raise ValueError(f"unknown positions {self.positions!r} or norm {self.norm!r}")
        if min(self.vocab, self.d_model, self.heads, self.max_tokens) < 1 or self.d_ff < 0:
            raise ValueError("sizes must be positive")

    @property
    def reads(self) -> bool:
        return self.kind != "decoder"

    @property
    def writes(self) -> bool:
        return self.kind != "encoder"

    @classmethod
    def from_dict(cls, values: dict) -> Config:
        """The config among `values`; other keys (a name, a note) are left to whoever wrote them."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})

    @classmethod
    def from_file(cls, path: Path) -> Config:
        return cls.from_dict(json.loads(path.read_text("utf-8")))

    def to_dict(self) -> dict:
        return asdict(self)


KeyValue = tuple[Tensor, Tensor]  # key and value, each [batch, head, position, d]


@dataclass(frozen=True, slots=True)
class Past:
    """What a decoder need not compute again: per layer its own keys and values, and those of the encoder.

    Each step gives a new Past and leaves the old one as it was, so that branches may share it.
    """

    own: tuple[KeyValue, ...]
    cross: tuple[KeyValue, ...]

    @property
    def positions(self) -> int:
        return self.own[0][0].shape[-2] if self.own else 0


@dataclass(frozen=True, slots=True)
class Output:
    """logits [batch, position, vocab]; memory [batch, source, d_model] is the encoder's result; residual maps a stack's
    name to its stream before each layer and after the last: tensors [batch, position, d_model]."""

    logits: Tensor
    memory: Tensor | None = None
    past: Past | None = None
    residual: dict[str, list[Tensor]] = field(default_factory=dict)


class FeedForward(nn.Module):
    """max(0, x·W₁ + b₁)·W₂ + b₂ (eq. 2), on each position alone."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.inner = nn.Linear(d_model, d_ff)
        self.outer = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:  # [batch, position, d_model]
        return self.outer(F.relu(self.inner(x)))


class AddNorm(nn.Module):
    """A sublayer's place on the residual stream: x + f(norm(x)), or norm(x + f(x)) as in the paper (§3.1)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.pre = config.norm == "pre"

    def enter(self, x: Tensor) -> Tensor:
        return self.norm(x) if self.pre else x

    def leave(self, x: Tensor, result: Tensor, carry: Tensor | None = None) -> Tensor:
        """carry [batch, 1, 1]: how much of x goes on beside the result; None: all of it, as trained."""
        x = (x if carry is None else carry * x) + self.dropout(result)
        return x if self.pre else self.norm(x)


class Layer(nn.Module):
    """Self-attention, then (in a decoder that reads) cross-attention, then feed-forward."""

    def __init__(self, config: Config, crosses: bool) -> None:
        super().__init__()
        rotary = config.positions == "rotary"
        self.own, self.own_place = MultiHeadAttention(config.d_model, config.heads, rotary), AddNorm(config)
        self.cross = MultiHeadAttention(config.d_model, config.heads) if crosses else None
        self.cross_place = AddNorm(config) if crosses else None
        self.ff = FeedForward(config.d_model, config.d_ff) if config.d_ff else None
        self.ff_place = AddNorm(config) if config.d_ff else None

    def forward(
        self,
        x: Tensor,  # [batch, position, d_model]
        mask: Tensor | None,  # bool [batch or 1, 1, query, key]
        probe: Probe | None,
        past: KeyValue | None = None,
        memory: KeyValue | None = None,
        memory_mask: Tensor | None = None,
        carry: Tensor | None = None,  # [batch, 1, 1]: see AddNorm.leave
        places: Tensor | None = None,  # [batch, position]: where the tokens of x stand instead
    ) -> tuple[Tensor, KeyValue]:
        start = 0 if past is None else past[0].shape[-2]
        h = self.own_place.enter(x)
        key, value = self.own.keys_values(h, start, places)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=-2), torch.cat([past[1], value], dim=-2)
        x = self.own_place.leave(x, self.own(h, key, value, mask, probe, start, places), carry)
        if self.cross is not None and self.cross_place is not None and memory is not None:
            h = self.cross_place.enter(x)
            x = self.cross_place.leave(x, self.cross(h, *memory, memory_mask, probe), carry)
        if self.ff is not None and self.ff_place is not None:
            x = self.ff_place.leave(x, self.ff(self.ff_place.enter(x)), carry)
        return x, (key, value)


def sinusoids(positions: int, d_model: int) -> Tensor:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(…) (§3.5): [position, d_model]."""
    position = torch.arange(positions, dtype=torch.float32)[:, None]
    speed = torch.exp(-math.log(10_000.0) * torch.arange(0, d_model, 2, dtype=torch.float32) / d_model)
    table = torch.empty(positions, d_model)
    table[:, 0::2], table[:, 1::2] = (position * speed).sin(), (position * speed).cos()
    return table


class Transformer(nn.Module):
    """Embedding, encoder, decoder, and the embedding again to turn vectors into logits (§3.4)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab, config.d_model)
        if config.positions == "learned":
            self.position = nn.Parameter(torch.randn(config.max_tokens, config.d_model) * 0.02)
        elif config.positions == "sinusoidal":
            self.register_buffer("position", sinusoids(config.max_tokens, config.d_model), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        both = config.kind == "encoder-decoder"
        self.encoder = nn.ModuleList(Layer(config, False) for _ in range(config.encoder_layers if config.reads else 0))
        self.decoder = nn.ModuleList(Layer(config, both) for _ in range(config.decoder_layers if config.writes else 0))
        pre = config.norm == "pre"  # pre-norm streams are normed once more at the end; post-norm ones already are
        self.encoder_norm = nn.LayerNorm(config.d_model) if pre and config.reads else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.d_model) if pre and config.writes else nn.Identity()
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)

    def embed(self, ids: Tensor, start: int = 0, places: Tensor | None = None) -> Tensor:
        """[batch, position] → [batch, position, d_model]: the token's vector · √d_model, plus its position's (§3.5).

        places [batch, position]: where each token is to stand instead of from `start` on; below 0 no position is added.
        """
        x = self.embedding(ids) * self.config.d_model**0.5
        if self.config.positions in ("learned", "sinusoidal"):
            if places is None:
                x = x + self.position[start : start + ids.shape[-1]]
            else:
                x = x + self.position[places.clamp(min=0)] * (places >= 0)[..., None]
        return self.dropout(x)

    def encode(
        self,
        source: Tensor,
        allowed: Tensor | None = None,
        probe: Probe | None = None,
        carry: Tensor | None = None,  # [batch, 1, 1]: see AddNorm.leave
        places: Tensor | None = None,  # [batch, source]: see embed
    ) -> tuple[Tensor, list[Tensor]]:
        """Read `source` [batch, source]; allowed is bool, False at padding. Gives memory and residuals."""
        mask = None if allowed is None else allowed[:, None, None, :]
        x = self.embed(source, 0, places)
        stream = [x]
        for layer in self.encoder:
            x, _ = layer(x, mask, probe, carry=carry, places=places)
            stream.append(x)
        return self.encoder_norm(x), stream

    def forward(
        self,
        source: Tensor | None = None,  # [batch, source]
        target: Tensor | None = None,  # [batch, target], from the start token on
        source_allowed: Tensor | None = None,  # bool [batch, source], False at padding
        target_allowed: Tensor | None = None,  # bool [batch, past + target], False at padding
        probe: Probe | None = None,
        memory: Tensor | None = None,  # [batch, source, d_model]: an encoder's result kept from before
        past: Past | None = None,
        logits_at: Tensor | None = None,  # [batch]: the one position of each row to predict at; None: all
        carry: Tensor | None = None,  # [batch, 1, 1]: 0 takes a row's residual connections away; None: all stay
        source_places: Tensor | None = None,  # [batch, source]: where its tokens stand instead (below 0: nowhere)
        target_places: Tensor | None = None,  # [batch, target]
    ) -> Output:
        residual: dict[str, list[Tensor]] = {}
        known = past is not None and bool(past.cross)
        if self.config.reads and memory is None and not known:
            if source is None:
                raise ValueError(f"an {self.config.kind} needs a source")
            memory, residual["encoder"] = self.encode(source, source_allowed, probe, carry, source_places)
        if memory is not None and not self.config.writes:
            return Output(self.predict(memory, logits_at), memory, None, residual)
        if target is None:
            raise ValueError(f"a {self.config.kind} that writes needs a target: at least the start token")
        start = 0 if past is None else past.positions
        x = self.embed(target, start, target_places)
        mask = self.target_mask(target.shape[-1], start, target_allowed, x.device)
        memory_mask = None if source_allowed is None else source_allowed[:, None, None, :]
        own: list[KeyValue] = []
        cross: list[KeyValue] = []
        residual["decoder"] = [x]
        for n, layer in enumerate(cast("list[Layer]", self.decoder)):
            if past is not None and known:
                cross.append(past.cross[n])
            elif layer.cross is not None and memory is not None:
                cross.append(layer.cross.keys_values(memory))
            own_past = None if past is None else past.own[n]
            x, key_value = layer(
                x, mask, probe, own_past, cross[n] if cross else None, memory_mask, carry, target_places
            )
            own.append(key_value)
            residual["decoder"].append(x)
        return Output(self.predict(self.decoder_norm(x), logits_at), memory, Past(tuple(own), tuple(cross)), residual)

    def target_mask(self, length: int, start: int, allowed: Tensor | None, device: torch.device) -> Tensor | None:
        """bool [batch or 1, 1, query, key]: no looking at the future (§3.2.3), nor at padding."""
        mask = None
        if self.config.causal:
            mask = torch.ones(length, start + length, dtype=torch.bool, device=device).tril(start)[None, None]
        if allowed is not None:
            padding = allowed[:, None, None, :]
            mask = padding.expand(-1, 1, length, -1) if mask is None else mask & padding
        return mask

    def predict(self, x: Tensor, at: Tensor | None) -> Tensor:
        """Logits [batch, position or 1, vocab] from the same matrix that embeds (§3.4)."""
        if at is not None:
            x = x[torch.arange(len(x), device=x.device), at][:, None]
        return x @ self.embedding.weight.T
