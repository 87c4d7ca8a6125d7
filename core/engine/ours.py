"""Our own transformer as a backend of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from core.engine.backend import Batch, Result, at_depths
from core.engine.device.transfer import put
from core.engine.files import read_header, weight_files
from core.errors import ModelFileError
from core.model.multihead import Pass, ProbeLike
from core.model.transformer import Config, Past, Transformer
from core.request import Site, Stream


@dataclass(frozen=True, slots=True)
class Kept:
    """The state that a step passes to the next one: the decoder's keys and values, and which source positions are padding."""

    past: Past
    source_allowed: Tensor | None


class OurBackend:
    """Runs a `core.model.Transformer`."""

    def __init__(self, model: Transformer) -> None:
        self.model, self.config = model, model.config

    def sites(self) -> tuple[Site, ...]:
        """Every attention in order of execution. The model is ours, so its config tells them all."""
        config = self.model.config
        own = [Site(Stream.ENCODER, n, config.heads) for n in range(len(self.model.encoder))]
        for n in range(len(self.model.decoder)):
            own.append(Site(Stream.DECODER, n, config.heads))
            if config.reads:
                own.append(Site(Stream.CROSS, n, config.heads))
        return tuple(own)

    def forward(
        self,
        batch: Batch,
        probe: ProbeLike,
        *,
        at: Tensor | None = None,
        state: Kept | None = None,
        keep_state: bool = False,
        residual: bool = False,
        predict: bool = True,
    ) -> Result:
        reading = Pass(probe, self._skip(batch), batch.source_places)
        if not self.model.config.writes and not predict and batch.source is not None:
            _, stream = self.model.encode(batch.source, batch.source_allowed, reading)
            return Result(None, {Stream.ENCODER: stream} if residual else {})
        memory = read = None
        if batch.depths is not None and state is None and batch.source is not None:
            _, read = self.model.encode(batch.source, batch.source_allowed, reading)
            memory = self.model.encoder_norm(at_depths(read, batch.depths))
        output = self.model(
            source=None if state is not None else batch.source,
            memory=memory,
            target=batch.target,
            source_allowed=state.source_allowed if state is not None else batch.source_allowed,
            target_allowed=batch.target_allowed,
            probe=probe,
            past=None if state is None else state.past,
            logits_at=None if at is None else put(at, self.model.embedding.weight.device),
            skip=reading.skip,
            source_places=batch.source_places,
            target_places=batch.target_places,
        )
        streams = {Stream(name): depths for name, depths in output.residual.items()} if residual else {}
        if residual and read is not None:
            streams = {Stream.ENCODER: read, **streams}
        kept = Kept(output.past, batch.source_allowed) if keep_state and output.past is not None else None
        return Result(output.logits, streams, kept)

    def _skip(self, batch: Batch) -> Tensor | None:
        """The factor on x in each row's residual connections, [batch, 1, 1]: 0 where a request switches them off."""
        if batch.residual_on is None:
            return None
        weight = self.model.embedding.weight
        factors = torch.tensor(batch.residual_on, device="cpu").to(weight.dtype)
        return put(factors, weight.device)[:, None, None]

    def pick(self, state: Kept, rows: Sequence[int]) -> Kept:
        at = put(torch.tensor(rows, device="cpu"), self.model.embedding.weight.device)
        own, cross = (tuple((key[at], value[at]) for key, value in kept) for kept in (state.past.own, state.past.cross))
        return Kept(Past(own, cross), None if state.source_allowed is None else state.source_allowed[at])

    def state_bytes(self, state: Kept) -> int:
        pairs = (*state.past.own, *state.past.cross)
        return sum(tensor.numel() * tensor.element_size() for pair in pairs for tensor in pair)

    def projection(self, index: int) -> Tensor:
        layers = [*self.model.encoder, *self.model.decoder]
        own = [module for layer in layers for module in (layer.own, layer.cross) if module is not None]
        heads = self.model.config.heads
        return own[index].output.weight.T.unflatten(0, (heads, -1))

    def positions(self, count: int) -> Tensor | None:
        added = self.model.config.positions in ("learned", "sinusoidal")
        return self.model.position[:count] if added else None

    def embeddings(self) -> Tensor:
        return self.model.embedding.weight


class Unfilled(TorchFunctionMode):
    """A context in which this thread builds modules without random numbers, because their weights come from a file."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def build(folder: Path, config: dict[str, Any]) -> Transformer:
    """Our model from config.json and model.safetensors, checked name by name and shape by shape.

    Raises ModelFileError where the configuration and the weights disagree.
    """
    try:
        parsed = Config.from_dict(config)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"a sound config.json in {folder.name}", f"{error}", "Copy the file again") from None
    file = weight_files(folder)[0]
    header = read_header(file)
    with Unfilled():
        model = Transformer(parsed)
    wanted = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    compare(wanted, {name: entry["shape"] for name, entry in header.items()}, folder.name)
    try:
        weights = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"a whole safetensors file in {folder.name}", f"{error}", "Copy the file again") from None
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return model


def compare(wanted: dict[str, list[int]], found: dict[str, list[int]], where: str) -> None:
    """Raise ModelFileError, naming the first difference, where names or shapes are not the same."""
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            raise ModelFileError(
                f"the weight {name} in {where}",
                "a file without it",
                "The configuration asks for more than the file holds",
            )
        if name not in wanted:
            raise ModelFileError(
                f"only the weights that {where}/config.json describes",
                f"also {name}",
                "Use the configuration saved with it",
            )
        if wanted[name] != found[name]:
            raise ModelFileError(
                f"{name} of shape {wanted[name]}",
                f"shape {found[name]}",
                "Use the configuration saved with these weights",
            )
