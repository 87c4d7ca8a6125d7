"""The inside of our models under a request's interventions: each value is that of a run of the same request, or it is refused."""

import numpy as np
import pytest
import torch

from core import HeadRef, MaskRule, PositionRule, Stream, load
from core.engine.inside import account, inner
from core.errors import LensError, MaskError, RequestError

CASES = {
    "classroom": ("gen ai is", "interesting domain"),
    "translator": ("the black cat sleeps", "o gato preto"),
    "writer": ("the teacher reads a book", None),
    "induction": ("abcabc", None),
    "filler": ("the cat sits", None),
}


def asked(name):
    text, target = CASES[name]
    lens = load(name)
    return lens, lens.request(text) if target is None else lens.request(text, target)


def changes(request, side):
    """Each kind of intervention, on every stream of the request, and all of them together; by name."""
    streams = {site.stream for site in request.sites}
    own = Stream.DECODER if side is Stream.DECODER else Stream.ENCODER
    found = {
        "mask": request.with_mask(MaskRule(own, "window", width=2, heads=(0,))),
        "open": request.with_mask(MaskRule(own, "full")),
        "zero": request.with_ablation(HeadRef(own, 0, 1)),
        "mean": request.with_ablation(HeadRef(own, 0, 0), how="mean"),
        "cut": request.with_cut((HeadRef(own, 0, 1), 2, 0)),
        "temperature": request.with_temperature(0.5),
        "top_k": request.with_top_k(1),
        "shuffled": request.with_positions(PositionRule(own, "shuffled", 5)),
        "off": request.with_positions(PositionRule(own, "off")),
    }
    if Stream.CROSS in streams:
        other = HeadRef(Stream.CROSS, 1, 2)
        found |= {
            "depth": request.with_depth(1), "surface": request.with_depth(0),
            "crossed": request.with_ablation(other).with_mask(MaskRule("cross", "custom", edges=((0, 1),))),
            "encoder": request.with_mask(MaskRule("encoder", "causal")).with_ablation(HeadRef("encoder", 1, 1)),
        }  # fmt: skip
    every = request.with_mask(MaskRule(own, "window", width=2)).with_ablation(HeadRef(own, 0, 1)).with_temperature(2.0)
    return {**found, "all": every.with_top_k(2).with_positions(PositionRule(own, "shifted", 2))}


def near(mine, theirs, within=2e-4):
    assert mine.shape == theirs.shape and np.abs(mine - theirs).max() <= within


def ends(held):
    """The depths of an account where a layer ends."""
    layers = [layer for layer, _ in held.parts]
    return [0, *(n + 1 for n, layer in enumerate(layers) if layers[n + 1 : n + 2] != [layer])]


@pytest.mark.parametrize("name", [name for name in CASES if name != "filler"])
def test_an_account_is_that_of_the_request_with_its_interventions(name):
    lens, plain = asked(name)
    before = account(lens, plain).residual
    moved = set()
    for what, request in changes(plain, Stream.DECODER).items():
        held, trace = account(lens, request), lens.run(request.keeping("pattern", "qkv", "residual"))
        assert held.request == request
        near(held.residual[ends(held)], trace.residual[Stream.DECODER])
        for (layer, part), steps in zip(held.parts, held.inside, strict=True):
            if part != "ff":
                site = trace.at(Stream.DECODER if part == "own" else Stream.CROSS, layer)
                near(steps["pattern"], site.pattern)
                for array in ("query", "key", "value"):
                    near(steps[array], getattr(site, array))
        logits = trace.next_logits.astype(np.float64)
        assert held.above_mean_logit[-1] == pytest.approx(logits.max() - logits.mean(), abs=2e-3), what
        near(np.cumsum(held.added, axis=0), held.residual, 1e-3)
        moved |= {what} if np.abs(held.residual - before).max() > 1e-3 else set()
    still = {"off", "shuffled"} if lens.config.positions == "none" else set()  # such a decoder has no positions to change
    assert set(changes(plain, Stream.DECODER)) - moved == still


@pytest.mark.parametrize("name", ["classroom", "writer"])
def test_a_removal_under_an_intervention_is_a_run_of_that_request_whose_sublayer_adds_nothing(name):
    lens, plain = asked(name)
    ends = {"own": lambda at: at.own.output, "cross": lambda at: at.cross.output, "ff": lambda at: at.ff.outer}
    for what in ("all", "mean", "depth") if name == "classroom" else ("all", "cut"):
        request = changes(plain, Stream.DECODER)[what]
        held = account(lens, request)
        for n, (layer, part) in enumerate(held.parts):
            module = ends[part](lens.backend.model.decoder[layer])
            hook = module.register_forward_hook(lambda module, args, output: torch.zeros_like(output))
            try:
                logits = lens.run(request).next_logits.astype(np.float64)
            finally:
                hook.remove()
            assert held.without[n, -1] == pytest.approx(logits[held.written[-1]] - logits.mean(), abs=2e-3)


@pytest.mark.parametrize("name", ["classroom", "translator", "filler"])
def test_a_walk_is_that_of_the_request_with_its_interventions(name):
    lens, plain = asked(name)
    before, moved = inner(lens, plain).residual(), set()
    for what, request in changes(plain, Stream.ENCODER).items():
        walked, trace = inner(lens, request), lens.run(request.keeping("pattern", "qkv", "residual"))
        near(walked.residual(), trace.residual[Stream.ENCODER])
        for layer, steps in enumerate(walked.layers):
            site = trace.at(Stream.ENCODER, layer)
            near(steps["pattern"], site.pattern)
            near(steps["value"], site.value)
        moved |= {what} if np.abs(walked.residual() - before).max() > 1e-3 else set()
    assert set(changes(plain, Stream.ENCODER)) - moved <= {"open", "depth", "surface", "crossed"}  # nothing to see in an encoder


def test_what_leaves_the_encoder_is_what_the_decoder_reads_at_its_depth():
    lens, plain = asked("classroom")
    for depth in range(4):
        final = inner(lens, plain.with_depth(depth)).final
        read = account(lens, plain.with_depth(depth)).inside[1]
        cross = lens.backend.model.decoder[0].cross
        with torch.inference_mode():
            near(cross.key(torch.tensor(final)).unflatten(-1, (4, -1)).transpose(0, 1).numpy(), read["key"])


@pytest.mark.parametrize("look", [account, inner])
def test_what_cannot_be_answered_is_refused(look):
    lens, plain = asked("classroom")
    with pytest.raises(RequestError, match="residual connections"):
        look(lens, plain.without_residual())
    with pytest.raises(RequestError, match="a request to"):
        look(load("translator"), plain)
    alone = MaskRule("encoder", "padding", edges=tuple((None, key) for key in range(len(plain.source))))
    with pytest.raises(MaskError):  # a row without a key to look at
        look(lens, plain.with_mask(alone))
    with pytest.raises(LensError):
        look(lens, plain.with_positions(PositionRule("encoder", "shifted", 500)))
