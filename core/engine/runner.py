"""A runner: one model that answers requests, several in one forward pass. Many threads may share it: it holds no state of a run.

Generation (`core.engine.generation`) uses the runner, and the lens uses both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from core.engine.admission import admit
from core.engine.answers import predicts_somewhere, traces_of
from core.engine.backend import Backend, Batch, LensInfo, Result
from core.engine.batching import groups, kinds, places, stack
from core.engine.device.boxes import Store
from core.engine.device.probe import DeviceProbe
from core.engine.probe import Probe, Row
from core.engine.text import Text, as_tokens
from core.errors import LensError, ModelError, NotAPredictor
from core.request import Request, Site, Stream
from core.trace import Tokens, Trace


class Runner:
    """A loaded model and its tokenizer (`text`, None where the model's folder held none).

    start: the id that a decoder begins with. ends: the ids that end a text. pad, mask: the ids of padding and of a masked
    token, None where the model has none. specials: all ids that stand for no text.
    """

    def __init__(
        self, info: LensInfo, backend: Backend, text: Text | None, plain: dict[str, Any] | None = None
    ) -> None:
        self.info, self.backend, self.text = info, backend, text
        # what passes capture on another device than the CPU stays there, as far as this store lets it
        self.store = None if {info.device, *info.devices} <= {"cpu", "disk"} else Store()
        plain = plain or {}
        self.start = text.start if text is not None else plain.get("start")
        pad = text.pad if text is not None else plain.get("pad")
        # some tokenizers have a padding token for which the model has no vector
        self.pad = pad if isinstance(pad, int) and 0 <= pad < info.vocab else None
        ends = plain.get("end")
        ends = frozenset(ends if isinstance(ends, (list, tuple)) else {ends}) - {None}
        self.ends = text.ends if text is not None else ends
        self.mask = text.mask if text is not None else None
        self.specials = text.specials if text is not None else frozenset()

    def tokens(self, ids: Sequence[int]) -> Tokens:
        """Ids as tokens with their texts and words; without a tokenizer each text is the id itself."""
        return as_tokens(self.text, ids)

    def run(self, request: Request) -> Trace:
        """The answer to one request. It depends on nothing but the request.

        Raises RequestError for a request to another model, and for changes that this model cannot make; InputError,
        TooLongError, NoSuchHeadError; MaskError where a mask leaves a row no key to look at; ModelError where the model fails.
        """
        return self.forward([self.row(admit(self.info, request))])[0][0]

    def run_many(self, requests: Iterable[Request]) -> list[Trace]:
        """The answers to many requests, each equal to what `run` gives. Requests of similar length share one forward pass.

        Raises what `run` raises; what can be checked beforehand is checked before the first pass.
        """
        admitted = [admit(self.info, request) for request in requests]
        answers: dict[int, Trace] = {}
        together = groups(admitted, self.info.heads, self.info.turns)
        for group in together if self.info.batches else ([n] for n in range(len(admitted))):
            traces, _ = self.forward([self.row(admitted[n]) for n in group])
            answers.update(zip(group, traces, strict=True))
        return [answers[n] for n in range(len(admitted))]

    def predicts(self) -> None:
        """Raise NotAPredictor where this model cannot continue a text."""
        if self.info.answers is not None:
            raise NotAPredictor(
                "a model that writes",
                f"{self.info.id}, which classifies",
                'Keep "predictions" and look at trace.answer',
            )
        if self.info.kind == "encoder":
            raise NotAPredictor(
                "a model that writes", "an encoder, which reads", "Mask a word and ask for it with position=…"
            )
        if not self.info.can_predict:
            raise NotAPredictor(
                "a model with an output head", f"{self.info.id}, which has none", "Its attention can still be seen"
            )

    def row(self, request: Request) -> Row:
        """A request with its padding ids marked."""
        source, target = (
            np.array([token == self.pad for token in ids or ()], dtype=bool) for ids in (request.source, request.target)
        )
        if self.info.kind == "encoder-decoder":
            target[:1] = False  # T5 and Marian begin with the padding id, which is their start token there
        return Row(request, source, target)

    def forward(
        self, rows: Sequence[Row], new_from: int = 0, state: Any = None, keep_state: bool = False
    ) -> tuple[list[Trace], Result]:
        """One forward pass over several requests. state: the keys and values of an earlier step; new_from: the first position of
        the target that they do not cover; keep_state: the result brings the state for a next step.

        Raises MaskError where a mask leaves a row no key to look at, ModelError where the model itself fails on this text.
        """
        requests = [row.request for row in rows]
        encoder = self.info.kind == "encoder"
        everywhere = encoder or any("predictions" in request.keep for request in requests)
        at = None
        if not everywhere and self.info.can_predict:
            ends = [len(request.target or ()) - new_from - 1 for request in requests]
            at = torch.tensor(ends, device="cpu")
        predict = self._needs_head(requests)
        batch = self._batch(requests, new_from, read=state is not None)
        sites = self.info.sites
        if state is not None:
            sites = tuple(site for site in sites if site.stream is not Stream.ENCODER)
        how = {
            "at": at, "state": state, "keep_state": keep_state and self.info.caches, "predict": predict,
            "residual": any("residual" in request.keep for request in requests),
        }  # fmt: skip
        with torch.inference_mode():
            for again in (False, True):
                probe = self._probe(sites, rows, new_from)
                try:
                    result = self._pass(batch, probe, **how)
                    break
                except ModelError as error:
                    if again or state is not None or not self._made_room(error):
                        raise
            probe.close()
            traces = traces_of(self.info, self.text, rows, probe, result, everywhere)
        return traces, result

    def _probe(self, sites: Sequence[Site], rows: Sequence[Row], new_from: int) -> Probe:
        return Probe(sites, rows, new_from) if self.store is None else DeviceProbe(sites, rows, new_from, self.store)

    def _made_room(self, error: ModelError) -> bool:
        """Whether a pass failed for want of a device's memory, and what earlier ones captured there has now left it."""
        short = isinstance(error.__cause__, torch.OutOfMemoryError)
        return short and self.store is not None and self.store.empty()

    def _needs_head(self, requests: Sequence[Request]) -> bool:
        """Whether some of these requests need what the model predicts, or answers."""
        if self.info.answers is not None:
            return any("predictions" in request.keep for request in requests)
        if self.info.kind == "encoder":
            return self.info.can_predict and any(predicts_somewhere(request, self.mask) for request in requests)
        return self.info.can_predict

    def _batch(self, requests: Sequence[Request], new_from: int, read: bool) -> Batch:
        """The requests as tensors, from position `new_from` of the target on. read: an earlier step has already read the source."""
        device = torch.device(self.info.device)
        fill = self.pad if self.pad is not None else 0
        source, source_allowed = stack([request.source for request in requests], fill, device)
        new = [None if request.target is None else request.target[new_from:] for request in requests]
        target, target_allowed = stack(new, fill, device)
        depths = tuple(request.intervention.depth for request in requests)
        residual_on = tuple(request.intervention.residual for request in requests)
        return Batch(
            source=None if read else source,
            target=target,
            source_allowed=source_allowed,
            target_allowed=target_allowed,
            depths=depths if any(depth is not None for depth in depths) else None,
            residual_on=None if all(residual_on) else residual_on,
            source_places=places(requests, Stream.ENCODER, source, 0),
            target_places=places(requests, Stream.DECODER, target, new_from),
            source_types=kinds(requests, source),
        )

    def _pass(self, batch: Batch, probe: Probe, **how: Any) -> Result:
        """The backend's forward pass. An error that it raises becomes a ModelError."""
        try:
            return self.backend.forward(batch, probe, **how)
        except LensError:
            raise
        except Exception as error:  # a family's code may raise anything, and memory may run out
            text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise ModelError(
                f"{self.info.name} to run on this text", text, "Try a shorter text, or another model"
            ) from error
