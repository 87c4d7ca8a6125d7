"""Any text can be typed: nothing is unknown, nothing is lost, nothing turns into a special token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.vocabulary import SPECIALS, Vocabulary

TEXTS = ["gen ai is interesting domain", "the black cat sleeps on the red sofa", "It's 1999, isn't it?"] * 3
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.train(TEXTS, 340)


@given(text=ANY_TEXT)
def test_round_trip(vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.decode(vocabulary.encode(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "  two  ",
        "\n",
        "\x00\x07",
        "👩‍👩‍👧 e\u0301",
        "שלום עולם",
        "a\u2028b",
        "ﬁ ①",
        "Ġ",
        "\u0120x",
        "\ufffd",
        "\U0010ffff",
    ],
)
def test_odd_texts(vocabulary: Vocabulary, text: str) -> None:
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(text=st.lists(st.one_of(st.sampled_from(SPECIALS), ANY_TEXT)).map("".join))
def test_no_text_becomes_a_special_token(vocabulary: Vocabulary, text: str) -> None:
    ids = vocabulary.encode(text)
    assert not any(id < len(SPECIALS) for id in ids)
    assert vocabulary.decode(ids) == text


def test_a_file_keeps_everything(vocabulary: Vocabulary, tmp_path) -> None:
    vocabulary.save(tmp_path / "tokenizer.json")
    again = Vocabulary.load(tmp_path / "tokenizer.json")
    for text in [*TEXTS, "</s> <s><pad>"]:
        assert again.encode(text) == vocabulary.encode(text)
    assert [again.token_text(id) for id in range(4)] == list(SPECIALS)


def test_a_word_is_the_same_token_wherever_it_stands(vocabulary: Vocabulary) -> None:
    (first,) = {vocabulary.encode("is ai")[0], vocabulary.encode("ai is")[-1]}
    assert vocabulary.token_text(first) == " is"
    assert vocabulary.opens_word(first)


def test_digits_stay_single(vocabulary: Vocabulary) -> None:
    assert [vocabulary.token_text(id) for id in vocabulary.encode("1999")][-4:] == ["1", "9", "9", "9"]


def test_training_is_reproducible() -> None:
    first, second = (Vocabulary.train(TEXTS, 320) for _ in range(2))
    assert first.tokenizer.to_str() == second.tokenizer.to_str()
