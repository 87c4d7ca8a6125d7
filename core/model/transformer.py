"""The transformer of “Attention Is All You Need” (Vaswani et al. 2017), in one file to be read from top to bottom.

A Config makes an encoder, which fills gaps in a text, a decoder, which continues a text, or an encoder–decoder, which reads one
text and writes another. `tests/model/test_transformer.py` compares every part with PyTorch's own.
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

from core.model.marks import causal_mark, mark, open_mark
from core.model.multihead import PLAIN, KeyValue, MultiHeadAttention, Pass, ProbeLike

KINDS = ("encoder", "decoder", "encoder-decoder")


@dataclass(frozen=True, slots=True)
class Config:
    """The shape of a model. Raises ValueError where the sizes do not fit together.

    positions: "sinusoidal" (§3.5), "learned", "rotary" (Su et al. 2021) or "none". norm: "post" as in the paper, or
    "pre" (Xiong et al. 2020), which trains well without a long warm-up. causal: False makes a decoder that sees the future.
    """

    kind: str
    vocab: int
    d_model: int = 192
    heads: int = 4
    encoder_layers: int = 3
    decoder_layers: int = 3
    d_ff: int = 768  # 0 makes layers of attention alone
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
        """The config made of `values`. Other keys, such as a name or a note, are ignored."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})

    @classmethod
    def from_file(cls, path: Path) -> Config:
        return cls.from_dict(json.loads(path.read_text("utf-8")))

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Past:
    """What a decoder need not compute again: for each layer its own keys and values, and those of the encoder's tokens.

    Each step gives a new Past and does not change the old one, so that several continuations may share it.
    """

    own: tuple[KeyValue, ...]
    cross: tuple[KeyValue, ...]

    @property
    def positions(self) -> int:
        return self.own[0][0].shape[-2] if self.own else 0


@dataclass(frozen=True, slots=True)
class Output:
    """What one forward pass gives.

    logits [batch, position, vocab]. memory [batch, source, d_model]: the encoder's result. residual: for each stack its residual
    stream before each layer and after the last one, each [batch, position, d_model]."""

    logits: Tensor
    memory: Tensor | None = None
    past: Past | None = None
    residual: dict[str, list[Tensor]] = field(default_factory=dict)


class FeedForward(nn.Module):
    """max(0, x·W₁ + b₁)·W₂ + b₂ (eq. 2), on each position separately."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.inner = nn.Linear(d_model, d_ff)
        self.outer = nn.Linear(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:  # [batch, position, d_model]
        return self.outer(F.relu(self.inner(x)))


class AddNorm(nn.Module):
    """How a sublayer f is joined to the residual stream x: x + f(norm(x)), or norm(x + f(x)) as in the paper (§3.1)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.pre = config.norm == "pre"

    def enter(self, x: Tensor) -> Tensor:
        """What the sublayer reads: norm(x), or x itself in a post-norm model."""
        return self.norm(x) if self.pre else x

    def leave(self, x: Tensor, result: Tensor, skip: Tensor | None = None) -> Tensor:
        """The stream after the sublayer: x + result, normed in a post-norm model. skip [batch, 1, 1]: a factor on x, not on
        result."""
        x = (x if skip is None else skip * x) + self.dropout(result)
        return x if self.pre else self.norm(x)


class Layer(nn.Module):
    """Self-attention, then cross-attention (where there is an encoder), then feed-forward, each added to the residual stream x."""

    def __init__(self, config: Config, crosses: bool) -> None:
        super().__init__()
        self.own = MultiHeadAttention(config.d_model, config.heads, config.positions == "rotary")
        self.own_place = AddNorm(config)
        self.cross = MultiHeadAttention(config.d_model, config.heads) if crosses else None
        if crosses:
            self.cross_place = AddNorm(config)
        self.ff = FeedForward(config.d_model, config.d_ff) if config.d_ff else None
        if config.d_ff:
            self.ff_place = AddNorm(config)

    def forward(
        self,
        x: Tensor,  # [batch, position, d_model]
        mask: Tensor | None,  # bool [batch or 1, 1, query, key]
        past: KeyValue | None = None,  # of the positions before those of x
        memory: KeyValue | None = None,  # keys and values of the encoder's tokens
        memory_mask: Tensor | None = None,  # bool [batch, 1, 1, source]
        run: Pass = PLAIN,
    ) -> tuple[Tensor, KeyValue]:
        h = self.own_place.enter(x)
        keys_values = self.own.keys_values(h, run, past)
        x = self.own_place.leave(x, self.own(h, *keys_values, mask, run), run.skip)
        if self.cross is not None and memory is not None:
            h = self.cross_place.enter(x)
            x = self.cross_place.leave(x, self.cross(h, *memory, memory_mask, run), run.skip)
        if self.ff is not None:
            x = self.ff_place.leave(x, self.ff(self.ff_place.enter(x)), run.skip)
        return x, keys_values


def sinusoids(positions: int, d_model: int) -> Tensor:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(…) (§3.5): [position, d_model]."""
    position = torch.arange(positions, dtype=torch.float32)[:, None]
    speed = torch.exp(-math.log(10_000.0) * torch.arange(0, d_model, 2, dtype=torch.float32) / d_model)
    table = torch.empty(positions, d_model)
    table[:, 0::2], table[:, 1::2] = (position * speed).sin(), (position * speed).cos()
    return table


def padding_mask(allowed: Tensor) -> Tensor:
    """A mask that hides padding and nothing else: bool [batch, 1, 1, key]. allowed bool [batch, key], False at padding."""
    return mark(allowed[:, None, None, :], open_mark(allowed.shape[-1]))


class Transformer(nn.Module):
    """Embedding, encoder, decoder, and then the embedding matrix once more, which turns vectors into logits (§3.4)."""

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
        pre = config.norm == "pre"  # a pre-norm stream is normed at its end; a post-norm one already is
        self.encoder_norm = nn.LayerNorm(config.d_model) if pre and config.reads else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.d_model) if pre and config.writes else nn.Identity()
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)

    def embed(self, ids: Tensor, run: Pass = PLAIN) -> Tensor:
        """Ids [batch, position] → the token's vector · √d_model plus its position's vector (§3.4, §3.5), [batch, position,
        d_model]."""
        x = self.embedding(ids) * self.config.d_model**0.5
        if self.config.positions in ("learned", "sinusoidal"):
            if run.places is None:
                x = x + self.position[run.start : run.start + ids.shape[-1]]
            else:
                x = x + self.position[run.places.clamp(min=0)] * (run.places >= 0)[..., None]
        return self.dropout(x)

    def encode(
        self, source: Tensor, allowed: Tensor | None = None, run: Pass = PLAIN
    ) -> tuple[Tensor, list[Tensor]]:
        """Read `source` [batch, source]; allowed bool [batch, source], False at padding.

        Gives the memory [batch, source, d_model], and the stream before each layer and after the last.
        """
        mask = None if allowed is None else padding_mask(allowed)
        stream = [self.embed(source, run)]
        for layer in self.encoder:
            stream.append(layer(stream[-1], mask, run=run)[0])
        return self.encoder_norm(stream[-1]), stream

    def decode(
        self,
        target: Tensor,  # [batch, target]: the tokens that `past` does not hold
        allowed: Tensor | None = None,  # bool [batch, past + target], False at padding
        memory: Tensor | None = None,  # [batch, source, d_model]
        memory_allowed: Tensor | None = None,  # bool [batch, source], False at padding
        past: Past | None = None,
        run: Pass = PLAIN,
    ) -> tuple[list[Tensor], Past]:
        """The stream of `target` before each layer and after the last, and the keys and values for the next step."""
        mask = self.target_mask(target.shape[-1], run.start, allowed, target.device)
        memory_mask = None if memory_allowed is None else padding_mask(memory_allowed)
        layers = cast("list[Layer]", self.decoder)
        cross = past.cross if past is not None else ()
        if not cross and memory is not None:
            cross = tuple(layer.cross.keys_values(memory) for layer in layers if layer.cross is not None)
        stream, own = [self.embed(target, run)], []
        for n, layer in enumerate(layers):
            before = past.own[n] if past is not None else None
            x, keys_values = layer(stream[-1], mask, before, cross[n] if cross else None, memory_mask, run)
            stream.append(x)
            own.append(keys_values)
        return stream, Past(tuple(own), cross)

    def forward(
        self,
        source: Tensor | None = None,  # [batch, source]
        target: Tensor | None = None,  # [batch, target], from the start token on
        source_allowed: Tensor | None = None,  # bool [batch, source], False at padding
        target_allowed: Tensor | None = None,  # bool [batch, past + target], False at padding
        probe: ProbeLike | None = None,
        memory: Tensor | None = None,  # [batch, source, d_model]: an encoder's result kept from before
        past: Past | None = None,
        logits_at: Tensor | None = None,  # [batch]: the one position of each row to predict at; None predicts at all
        skip: Tensor | None = None,  # [batch, 1, 1], and
        source_places: Tensor | None = None,  # [batch, source], and
        target_places: Tensor | None = None,  # [batch, target]: see Pass
    ) -> Output:
        residual: dict[str, list[Tensor]] = {}
        if self.config.reads and memory is None and not (past is not None and past.cross):
            if source is None:
                raise ValueError(f"an {self.config.kind} needs a source")
            memory, residual["encoder"] = self.encode(source, source_allowed, Pass(probe, skip, source_places))
        if memory is not None and not self.config.writes:
            return Output(self.predict(memory, logits_at), memory, None, residual)
        if target is None:
            raise ValueError(f"a {self.config.kind} that writes needs a target: at least the start token")
        run = Pass(probe, skip, target_places, past.positions if past is not None else 0)
        stream, past = self.decode(target, target_allowed, memory, source_allowed, past, run)
        residual["decoder"] = stream
        return Output(self.predict(self.decoder_norm(stream[-1]), logits_at), memory, past, residual)

    def target_mask(self, length: int, start: int, allowed: Tensor | None, device: torch.device) -> Tensor | None:
        """The decoder's mask, which hides the future (§3.2.3) and padding: bool [batch or 1, 1, query, key], or None."""
        if not self.config.causal:
            return None if allowed is None else padding_mask(allowed)
        mask = torch.ones(length, start + length, dtype=torch.bool, device=device).tril(start)[None, None]
        return mark(mask if allowed is None else padding_mask(allowed) & mask, causal_mark(length, start))

    def predict(self, x: Tensor, at: Tensor | None) -> Tensor:
        """Logits [batch, position or 1, vocab], by the matrix that also embeds the tokens (§3.4)."""
        if at is not None:
            x = x[torch.arange(len(x), device=x.device), at][:, None]
        return x @ self.embedding.weight.T
