"""Text on the page as HTML: whatever the text, it stays text."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from core.figures.markup import chips, lead, sentence, texts, tokens_are
from core.request import Stream
from core.trace import Tokens

OURS = {"div", "span", "bdi", "small", "p", "b"}


class Reader(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.names, self.texts = set(), set(), []
        self.classes = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.classes += [value for name, value in attrs if name == "class"]

    def handle_data(self, data):
        self.texts.append(data)


def tokens(*names: str, word: tuple[int, ...] | None = None, special: tuple[int, ...] = ()) -> Tokens:
    count = range(len(names))
    return Tokens(tuple(count), names, word or tuple(count), tuple(i in special for i in count))


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_no_text_becomes_a_tag_or_an_attribute(names):
    said = sentence(lead(names[0], names[-1], 0.4, ahead=True, allowed=True, stream=Stream.ENCODER))
    read = Reader(chips("Source", tokens(*names), Stream.ENCODER) + said)
    assert read.tags <= OURS
    assert read.names <= {"class", "title", "aria-live"}


def test_tokens_of_one_word_touch_and_specials_stand_alone():
    html = chips("Source", tokens("<s>", " read", "s", " it", word=(0, 1, 1, 2), special=(0,)), Stream.ENCODER)
    assert Reader(html).classes.count("word") == 3
    assert "chip special" in html


def test_the_chosen_token_is_marked():
    assert Reader(chips("Source", tokens("a", "b"), Stream.ENCODER, 1)).classes.count("chip chosen") == 1


def test_ids_are_shown_under_their_tokens():
    assert "<small>1</small>" in chips("Source", tokens("a", "b"), Stream.ENCODER)


def test_two_texts_are_named_and_one_alone_is_just_the_text():
    both = texts(tokens("a"), tokens("b"), Stream.CROSS, 0)
    assert "Source" in both
    assert both.index("chosen") > both.index("Target")
    assert "Source" not in texts(None, tokens("b"))


def text_of(parts) -> str:
    said = "".join(part if isinstance(part, str) else part[0] for part in parts)
    return said.replace("\N{NO-BREAK SPACE}", " ")


def test_the_lead_says_the_cell_in_numbers():
    said = lead("every", "night", 0.42, ahead=True, allowed=True, stream=Stream.ENCODER)
    clause = "a token it can only see because the encoder looks both ways"
    assert text_of(said) == f"“every” gives 42 % of its attention to “night”, {clause}."


def test_a_hidden_cell_is_not_a_weight_of_0():
    said = text_of(lead("every", "night", 0.0, ahead=True, allowed=False, stream=Stream.ENCODER, mask="causal"))
    assert said == "The future is hidden: “every” may not look at “night”."


def test_what_tokens_are_names_the_marks_of_these_texts_and_no_others():
    source = Tokens((5, 2), (" hi", "</s>"), (0, 1), (False, True))
    target = Tokens((1, 6), ("<s>", " oi"), (0, 1), (True, False))
    assert tokens_are(source, target).endswith("marks: “&lt;s&gt;” where a text begins, “&lt;/s&gt;” where it ends.")
    assert "it ends" not in tokens_are(None, target)
    plain = Tokens((5,), ("<b>",), (0,), (False,))
    assert tokens_are(plain, None) == tokens_are(None, None) and "marks" not in tokens_are(plain, None)
