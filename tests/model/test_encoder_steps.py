"""The walk through the encoder against the forward pass it retells, and against other people's formulas."""

import numpy as np
import pytest
import torch
from torch import nn

from core.model.encoder_steps import encoder_layer_steps, encoder_steps
from core.model.transformer import Config, Transformer

IDS = torch.tensor([5, 9, 5, 2, 7])


def made(**change) -> Transformer:
    torch.manual_seed(3)
    config = Config("encoder", 11, **{"d_model": 24, "heads": 3, "encoder_layers": 2, "d_ff": 40, "max_tokens": 8, **change})
    model = Transformer(config)
    for module in model.modules():  # norms that do something
        if isinstance(module, nn.LayerNorm):
            nn.init.normal_(module.weight, 1.0, 0.3)
            nn.init.normal_(module.bias, 0.0, 0.3)
    return model.eval()


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
def test_every_layer_ends_where_the_forward_pass_ends(norm, positions):
    model = made(norm=norm, positions=positions)
    with torch.inference_mode():
        begin, layers, final = encoder_steps(model, IDS)
        memory, stream = model.encode(IDS[None])
    assert len(layers) == 2
    for walked, passed in zip([begin, *layers], stream, strict=True):
        assert (walked["leave"] - passed[0]).abs().max() <= 1e-5
    assert (final - memory[0]).abs().max() <= 1e-5


def test_each_step_follows_from_the_one_before_by_its_formula():
    """In float64 NumPy, from the weights: no torch function that the walk itself uses."""
    model = made()
    with torch.inference_mode():
        begin, (steps, _), _ = encoder_steps(model, IDS)
    w = {name: value.double().numpy() for name, value in model.state_dict().items()}
    got = {name: value.double().numpy() for name, value in steps.items()}
    at = "encoder.0."
    x = begin["leave"].double().numpy()

    def close(name, wanted):
        assert np.abs(got[name] - wanted).max() <= 1e-5, name

    def linear(x, name):
        return x @ w[f"{at}{name}.weight"].T + w[f"{at}{name}.bias"]

    def normed(x, place):
        standard = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return standard, standard * w[f"{at}{place}.norm.weight"] + w[f"{at}{place}.norm.bias"]

    assert np.allclose(begin["embedding"].numpy(), w["embedding.weight"][IDS] * 24**0.5, atol=1e-6)
    places = np.arange(5)[:, None] / 10_000 ** (2 * np.arange(12) / 24)
    assert np.allclose(begin["place"].numpy()[:, 0::2], np.sin(places), atol=1e-6)
    assert np.allclose(begin["place"].numpy()[:, 1::2], np.cos(places), atol=1e-6)
    standard, read = normed(x, "own_place")
    close("standard", standard)
    close("normed", read)
    q, k, v = ([linear(read, f"own.{name}")[:, 8 * h : 8 * h + 8] for h in range(3)] for name in ("query", "key", "value"))
    outputs = []
    for h in range(3):
        close("query", np.stack(q))
        close("key", np.stack(k))
        close("value", np.stack(v))
        scores = np.exp(q[h] @ k[h].T / np.sqrt(8))
        weights = scores / scores.sum(-1, keepdims=True)
        assert np.abs(got["pattern"][h] - weights).max() <= 1e-5
        outputs.append(weights @ v[h])
    close("heads", np.stack(outputs))
    close("joined", np.concatenate(outputs, axis=1))
    close("mixed", linear(np.concatenate(outputs, axis=1), "own.output"))
    summed = x + got["mixed"]
    close("summed", summed)
    standard, read = normed(summed, "ff_place")
    close("standard2", standard)
    close("normed2", read)
    fired = np.maximum(0, linear(read, "ff.inner"))
    close("fired", fired)
    close("fed", linear(fired, "ff.outer"))
    close("leave", summed + linear(fired, "ff.outer"))


def test_a_layer_without_feed_forward_is_told():
    with pytest.raises(ValueError, match="feed-forward"):
        encoder_layer_steps(made(d_ff=0).encoder[0], torch.zeros(5, 24))
