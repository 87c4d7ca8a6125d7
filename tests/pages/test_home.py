"""Home, without a browser."""

import numpy as np
import pytest

from core.ui.shell.menu import PAGES


def test_home_opens_on_the_sentence_of_the_lecture_with_two_words_grown(screen):
    home = screen()
    assert home.calm()
    assert home.app.text_input(key="bar-text").value == "gen ai is"
    assert len(home.app.text_input(key="bar-target-text").value.split()) == 2
    assert home.tokens[:3] == ["gen", "ai", "is"]
    assert "<s>" in home.tokens


def test_the_first_line_is_made_of_the_numbers_below_it(screen):
    home = screen()
    for number in range(3):
        best = home.bars(number)[0]
        assert best["name"] in home.lead or (number == 2 and "the end" in home.lead)
        assert best["said"] in home.lead


def test_home_shows_the_decoder_over_start_and_the_grown_tokens(screen):
    home = screen()
    weights = home.map
    length = len(weights)
    assert length >= 3
    assert np.array_equal(np.isnan(weights), ~np.tri(length, dtype=bool))
    assert np.nansum(weights, axis=1) == pytest.approx(np.ones(length), abs=1e-4)


def test_another_sentence_changes_tokens_map_and_probabilities(screen):
    home = screen()
    before = home.tokens, home.lead, home.bars(0)
    home.type("the cat sits on the mat")
    assert home.calm()
    assert home.tokens != before[0]
    assert home.lead != before[1]
    assert home.bars(0) != before[2]


def test_the_caveat_is_said_once(screen):
    assert len([body for body in screen().html if "Attention is a look, not a proof" in body]) == 1


def test_the_road_marks_what_was_opened_and_answered_and_leads_on(screen):
    home = screen()
    links = [link.proto.label for link in home.app.get("page_link")]
    titles = [page.title for page in PAGES[1:]]
    assert [label for label in links if label in titles] == titles
    assert f"Next: {titles[0]}" in links
    assert all("not opened yet" in stop for stop in home.said("stop"))
    home.go("sequence").go("transductive")
    home.app.get_by_key("ask-transductive-2").set_value("It turns one sequence into another").run()
    home.go("home")
    assert home.calm()
    stops = dict(zip(titles, home.said("stop"), strict=True))
    assert "1 of 3 answered" in stops["Transductive learning"] and "not opened yet" in stops["The encoder"]
    assert "The road 2 of" in " ".join(home.said("over")) and "1 question answered" in " ".join(home.said("over"))
    assert "Next: From RNN to attention" in [link.proto.label for link in home.app.get("page_link")]
