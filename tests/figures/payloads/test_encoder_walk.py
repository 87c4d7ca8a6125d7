"""The message of the walk, read back: every number in it is the model's, or follows from the model's by its formula."""

import numpy as np
import pytest
import torch

from core import Stream, load
from core.engine.inside import inner, nearest_tokens
from core.figures.payloads import encoder_walk

TEXT = "the river bank and the money bank"


@pytest.fixture(scope="module")
def lens():
    return load("classroom")


@pytest.fixture(scope="module")
def walked(lens):
    return inner(lens, lens.request(TEXT, target=""))


def message(lens, walked, token=2):
    return encoder_walk.unpack(encoder_walk.walk(walked, nearest_tokens(lens, walked.tokens.ids), token, {"d": lens.info.d_model}))


def test_every_vector_arrives_as_the_model_computed_it(lens, walked):
    head, arrays = message(lens, walked)
    trace = lens.run(walked.request.keeping("pattern", "residual"))
    assert np.abs(arrays["stream"] - trace.residual[Stream.ENCODER]).max() <= 1e-5
    for layer in range(3):
        assert np.abs(arrays["pattern"][layer] - trace.at(Stream.ENCODER, layer).pattern).max() <= 1e-5
        for name in ("standard", "normed", "joined", "mixed", "summed", "standard2", "normed2", "fired", "fed"):
            assert np.array_equal(arrays[name][layer], walked.layers[layer][name])
        for name in ("query", "key", "value"):
            assert np.array_equal(arrays[name][layer].swapaxes(0, 1), walked.layers[layer][name])
    assert [token["text"] for token in head["tokens"]] == [*TEXT.split(), "</s>"]
    assert [token["id"] for token in head["tokens"]] == list(walked.tokens.ids)


def test_what_is_derived_follows_by_its_formula(lens, walked):
    head, arrays = message(lens, walked)
    stream = arrays["stream"].astype(np.float64)
    layer, token = 1, 5
    stages = [arrays["summed"][layer], arrays["standard2"][layer], arrays["normed2"][layer]]
    for stage, values in enumerate(stages):
        mean, deviation = arrays["moments"][layer, 1, stage, token]
        assert mean == pytest.approx(float(values[token].mean()), abs=1e-5)
        assert deviation == pytest.approx(float(values[token].std()), abs=1e-5)
    lengths = [stream[layer], arrays["mixed"][layer], arrays["summed"][layer], arrays["fed"][layer], stream[layer + 1]]
    for step, values in enumerate(lengths):
        assert arrays["lengths"][layer, step, token] == pytest.approx(float((values[token] ** 2).sum() ** 0.5), rel=1e-5)
    assert np.array_equal(arrays["firing"], (arrays["fired"] > 0).sum(-1))
    firing = arrays["firing"]
    assert [[bool(fired) for fired in position] for position in head["neurons"]] == (firing > 0).tolist()
    layer = int(firing[:, token].argmax())
    number, value, most = head["neurons"][layer][token][0]
    assert value == arrays["fired"][layer, token].max() == arrays["fired"][layer, token, number]
    assert most[0][1] == arrays["fired"][layer, :, number].max()
    unit = stream[2] / np.linalg.norm(stream[2], axis=-1, keepdims=True)
    assert np.abs(arrays["cosines"][2] - unit @ unit.T).max() <= 1e-5


def test_the_paths_keep_as_much_of_the_differences_as_they_say(lens, walked):
    head, arrays = message(lens, walked)
    stream = arrays["stream"].astype(np.float64)
    words = stream[:, :7]
    wanted = {"all": stream, "words": words, "apart": words - words.mean(axis=1, keepdims=True)}
    assert set(head["views"]) == set(wanted)
    for name, view in head["views"].items():
        assert view["positions"] == list(range(wanted[name].shape[1]))
        flat = wanted[name].reshape(-1, 192)
        flat = flat - flat.mean(0)
        points = arrays[f"points.{name}"].reshape(-1, 2).astype(np.float64)
        assert (points**2).sum(axis=0) / (flat**2).sum() == pytest.approx(view["share"], abs=1e-5)
        # what is drawn is the vectors themselves, seen along two directions of length 1 at right angles
        axes = np.linalg.lstsq(flat, points, rcond=None)[0]
        assert np.abs(axes.T @ axes - np.eye(2)).max() <= 1e-3


def test_a_long_text_brings_the_vectors_of_one_token_only(lens):
    text = " ".join(["bank"] * 60)
    long = inner(lens, lens.request(text, target=""))
    raw = encoder_walk.walk(long, nearest_tokens(lens, long.tokens.ids), 7, {})
    head, arrays = encoder_walk.unpack(raw)
    assert head["held"] == [7] and len(raw) < 2_000_000
    assert np.array_equal(arrays["fired"][1, 0], long.layers[1]["fired"][7])
    assert arrays["pattern"].shape == (3, 4, 61, 61)


def test_the_version_changes_with_the_text_and_not_with_the_target(lens, walked):
    again = inner(lens, lens.request(TEXT, target="the"))
    other = inner(lens, lens.request("the river", target=""))
    first = message(lens, walked)[0]["version"]
    assert message(lens, again)[0]["version"] == first != message(lens, other)[0]["version"]


def test_hostile_tokens_are_made_fit_to_be_read(lens):
    tokens = lens.tokens(lens.request("a\u202eb <b>", target="").source)
    assert torch.is_tensor(lens.backend.model.embedding.weight)
    assert all("\u202e" not in token["text"] for token in encoder_walk._tokens(tokens))
