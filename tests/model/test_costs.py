"""What length costs: counts against counts by hand, growth as theory has it, at lengths from 128 on."""

import threading
import time

import pytest
import torch

from core.analysis.growth import exponent, exponent_interval
from core.model.costs import KINDS, Meter, Race, passes, timed
from core.model.memory import SHAPES

torch.set_num_threads(1)
LENGTHS = (128, 256, 512)


@pytest.fixture(scope="module")
def found():
    race = Race(LENGTHS)
    return {(kind, n): race.count(kind, n) for kind in KINDS for n in LENGTHS}


def slope(found, kind, what):
    return exponent(LENGTHS, [getattr(found[kind, n], what) for n in LENGTHS])


def test_steps_in_a_row_are_linear_for_the_recurrent_and_constant_for_the_transformer(found):
    for n in LENGTHS:
        assert found["gru", n].chain == 2 * n + 2  # one a symbol read, the bridge, one a symbol written, the output
    assert slope(found, "gru", "chain") == pytest.approx(1, abs=0.02)
    assert slope(found, "attention", "chain") == pytest.approx(1, abs=0.02)
    assert slope(found, "transformer", "chain") == 0


def test_a_kept_map_grows_with_the_square_and_the_kernels_memory_does_not(found):
    assert slope(found, "transformer, map kept", "bytes") > 1.6
    assert slope(found, "transformer", "bytes") == pytest.approx(1, abs=0.1)
    n = LENGTHS[-1]
    kept = found["transformer, map kept", n].bytes - found["transformer", n].bytes
    assert kept >= 3 * SHAPES["transformer"]["heads"] * n * n * 4  # encoder, decoder and cross: a float a weight


def test_multiplications_are_those_counted_by_hand(found):
    shape, n = SHAPES["gru"], 256
    d, e, vocab = shape["d_state"], shape["d_embedding"], 28
    reader = writer = n * (3 * d * e + 3 * d * d)
    assert found["gru", n].multiplications == reader + writer + d * d + n * d * vocab
    d, ff = SHAPES["transformer"]["d_model"], SHAPES["transformer"]["d_ff"]
    attention = 4 * n * d * d + 2 * n * n * d  # q, k, v, W_O; then scores and weighted values over all heads
    by_hand = 3 * attention + 2 * (2 * n * d * ff) + n * d * vocab
    assert found["transformer", n].multiplications == found["transformer, map kept", n].multiplications == by_hand


def test_the_transformer_is_the_same_one_with_and_without_its_map():
    fused, kept = passes("transformer", 40)(), passes("transformer, map kept", 40)()[0]
    assert torch.allclose(fused.logits, kept.logits, atol=1e-5)


def test_the_meter_counts_what_waits_and_not_what_stands_beside():
    a, b = torch.randn(3, 4), torch.randn(4, 4)
    with Meter() as meter:
        beside = [a @ b for _ in range(5)]
        x = beside[0]
        for _ in range(3):
            x = torch.tanh(x @ b)
    assert meter.chain == 4 and meter.multiplications == 8 * 3 * 4 * 4


def test_each_round_times_every_machine_at_every_length_once():
    race = Race((8, 16), ("gru", "transformer"))
    ran = []
    race.runs = {pair: lambda pair=pair, run=run: (ran.append(pair), run()) for pair, run in race.runs.items()}
    rounds = [race.round() for _ in range(3)]
    assert ran == [*race.runs] * 3  # in turn: what else the computer does meets all of them alike
    found = timed([race.count(*pair) for pair in race.runs], rounds)
    for one in found:
        assert one.seconds == tuple(times[one.kind, one.length] for times in rounds) and min(one.seconds) >= 0


def test_a_thread_that_waits_uses_no_time():
    race = Race((8,), ("gru",))
    release = threading.Event()
    threading.Timer(0.3, release.set).start()
    race.runs = {("gru", 8): lambda: release.wait(60)}
    began = time.perf_counter()
    (seconds,) = race.round().values()
    assert seconds < 0.5 * (time.perf_counter() - began)


def test_an_exponent_is_the_power():
    for power in (0.0, 1.0, 1.5, 2.0):
        assert exponent([1, 2, 4, 8], [3 * n**power for n in (1, 2, 4, 8)]) == pytest.approx(power, abs=1e-12)
    with pytest.raises(ValueError, match="two lengths"):
        exponent([4, 4], [1, 2])
    with pytest.raises(ValueError, match="two lengths"):
        exponent([4, 8], [1, 0])


def test_an_exponents_interval_is_as_wide_as_the_measurements_scatter():
    lengths = [128, 256, 512]
    assert exponent_interval(lengths, [[n**2.0] * 5 for n in lengths]) == pytest.approx((2, 2))
    scattered = exponent_interval(lengths, [[n * f for f in (0.8, 0.9, 1.0, 1.1, 1.2)] for n in lengths])
    assert scattered[0] < 1 < scattered[1]
