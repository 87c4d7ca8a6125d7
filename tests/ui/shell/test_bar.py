"""The beginning of a text that fits: found without reading much more than is kept."""

from hypothesis import given
from hypothesis import strategies as st

from core.ui.shell.bar import beginning

MOST = 5000


def tried(text, fits, most=MOST):
    """What is kept of a text, and how long the texts were that were tried."""
    lengths = []

    def watched(part):
        lengths.append(len(part))
        return fits(part)

    return beginning(text, watched, most), lengths


WORDS = st.lists(st.sampled_from(["", "a", "the", "x" * 30, "\n", "é"]), max_size=80).map(" ".join)


@given(WORDS, st.integers(0, 120))
def test_it_is_the_longest_beginning_that_fits(text, limit):
    kept, _ = tried(text, lambda part: len(part) <= limit)
    assert text.startswith(kept) and len(kept) <= limit
    words = text.split(" ")
    if len(text) <= limit:
        assert kept == text
    elif len(words[0]) <= limit:
        count = max(n for n in range(1, len(words) + 1) if len(" ".join(words[:n])) <= limit)
        assert kept == " ".join(words[:count])
    else:
        assert kept == text[:limit]


@given(st.sampled_from(["x", "the cat ", " ", "ab\n", "x" * 700 + " ", "a " + "y" * 3000]), st.integers(1, 4000))
def test_no_text_much_longer_than_what_is_kept_is_tried(unit, limit):
    text = unit * (2_000_000 // len(unit))
    kept, lengths = tried(text, lambda part: len(part) <= limit)
    assert text.startswith(kept) and len(kept) <= limit
    # the first word is tried alone; after it, beginnings of at most twice as many words
    assert max(lengths) <= MOST + 1 and len(lengths) < 40
    assert max(lengths[1:]) <= 2 * limit + 3010


def test_characters_above_which_nothing_fits_are_cut_before_anything_is_tried():
    kept, lengths = tried("word " * 4_000_000, lambda part: len(part) < 40, most=100)
    assert kept == "word " * 7 + "word" and max(lengths) <= 101
    kept, lengths = tried("x" * 20_000_000, lambda part: len(part) < 40, most=100)
    assert kept == "x" * 39 and max(lengths) <= 101
