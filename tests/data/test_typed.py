"""What a class would type is kept out of training, however it is written there."""

from core.data import corpus
from core.data.typed import KINDS, given_away, key, times, typed


def test_there_are_ten_prompts_of_each_kind_and_sixty_everyday_sentences() -> None:
    counts = {kind: len(set(typed(kind))) for kind in KINDS}
    assert counts == {**dict.fromkeys(KINDS, 10), "everyday": 60}
    assert all(text.count("<mask>") == 1 for text in typed("fill"))
    assert any(text[0].islower() for text in typed("everyday")) and any(text.isupper() for text in typed("everyday"))


def test_what_gives_a_prompt_away_is_held_out() -> None:
    given = ("MY shoes are wet.", "teenagers should sleep longer", "Please open the door", "in the year 2050 all cars fly")
    for text in given:
        assert given_away(key(text)) and corpus.held_out(text)
    for text in ("my shoes are wet and cold", "teenagers", "please do open the door", "they think teenagers should sleep"):
        assert not given_away(key(text))


def test_how_often_a_prompt_was_given_away_is_counted() -> None:
    keys = ["a good day", "a good", "a goodbye", "not a good day"]
    assert times("write", ["A good", "not", "bad"], keys) == [2, 1, 0]
    assert times("translate", ["A good.", "good"], keys) == [1, 0]
    assert times("fill", ["a <mask> day", "<mask> good"], keys) == [1, 1]
