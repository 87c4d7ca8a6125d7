"""What the cards say is what the weights do."""

import json
import math
import re
from functools import cache

import numpy as np
import pytest
import torch

from core import paths
from core.analysis.sources import Source
from core.data import corpus
from core.data.typed import typed
from core.errors import NotAPredictor
from core.evaluation import translating
from core.evaluation.__main__ import MEASURES, measure
from core.evaluation.card import card as card_of
from core.evaluation.report import numbers_in
from core.evaluation.shipped import Shipped
from core.evaluation.translating import cross_attention, links, membership
from core.model import trigram, weights
from core.model.transformer import Config, Transformer
from core.model.vocabulary import END, Vocabulary
from core.model.weights import read_rows

torch.set_num_threads(1)
MODELS = sorted(
    file.parent.name
    for file in paths.WEIGHTS.glob("*/config.json")
    if json.loads(file.read_text("utf-8")).get("task") in MEASURES
)


@pytest.mark.assets
def test_there_are_models() -> None:
    assert "classroom" in MODELS


measured = cache(lambda name: measure(paths.WEIGHTS / name))  # each model once for all tests of this file
DECIMAL = re.compile(r"\d+\.\d+")


@pytest.mark.assets
@pytest.mark.parametrize("name", MODELS)
def test_the_cards_numbers_are_what_is_measured(name: str) -> None:
    stated = numbers_in((paths.WEIGHTS / name / "CARD.md").read_text("utf-8"))
    assert stated.keys() == measured(name).numbers.keys()
    for what, value in measured(name).numbers.items():
        assert stated[what] == pytest.approx(value, rel=0.01, abs=0.005), what


@pytest.mark.assets
@pytest.mark.parametrize("name", MODELS)
def test_a_card_is_what_the_command_prints(name: str) -> None:
    """Word for word, the prompts and what comes out of them too; measured numbers to what two machines may differ by."""
    card = (paths.WEIGHTS / name / "CARD.md").read_text("utf-8")
    stated, printed = card.partition("| measure |")[2].partition("### Learning curve")[0], measured(name).text()
    printed = printed.removeprefix("| measure |")
    assert DECIMAL.sub("#", stated).strip() == DECIMAL.sub("#", printed).strip()
    numbers = [np.array(DECIMAL.findall(text), dtype=float) for text in (stated, printed)]
    np.testing.assert_allclose(*numbers, rtol=0.01, atol=0.011)


@pytest.mark.assets
@pytest.mark.parametrize("name", [name for name in MODELS if (paths.WEIGHTS / name / "sources.csv").is_file()])
def test_the_rows_by_source_are_recomputed_from_what_ships(name: str) -> None:
    told = [Source.from_row(row) for row in read_rows(paths.WEIGHTS / name / "sources.csv")]
    found = [Source.from_row(row) for row in measured(name).files["sources.csv"]]
    assert [source.name for source in told] == list(corpus.ENGLISH)
    for one, other in zip(told, found, strict=True):
        assert (one.name, one.says, one.sentences, one.tokens) == (other.name, other.says, other.sentences, other.tokens)
        assert one.network == pytest.approx(other.network, rel=0.01)
        assert one.counting == pytest.approx(other.counting, rel=1e-4)


@pytest.mark.assets
def test_the_trigram_of_a_row_is_the_table_that_ships() -> None:
    """The table is counted and read by other code than the rows."""
    _, vocabulary, about = weights.load(paths.WEIGHTS / "writer")
    table = trigram.for_model("writer")
    assert table is not None
    source = Source.from_row(read_rows(paths.WEIGHTS / "writer" / "sources.csv")[0])
    texts = vocabulary.encode_all(corpus.english_by_source("held-out")[source.name])
    rows = [[*ids, END] for ids in texts if 0 < len(ids) < about["max_tokens"]]
    nats = [-math.log(table.terms(row[:n], id)[0].p) for row in rows for n, id in enumerate(row)]
    assert len(nats) == source.tokens
    assert source.trigram == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-4)


@pytest.mark.assets
@pytest.mark.parametrize("name", MODELS)
def test_no_prompt_that_a_card_calls_unseen_was_seen(name: str) -> None:
    task = json.loads((paths.WEIGHTS / name / "config.json").read_text("utf-8"))["task"]
    shown = dict(measured(name).shown)
    texts = [*typed(task), *(typed("everyday") if task == "translate" else ())]
    rows = [given for heading, found in shown.items() if heading.endswith(("was seen", "chosen alike")) for given, _ in found]
    assert rows == [f"{text.replace('<mask>', '▢')} (0 in training)" for text in texts]


@pytest.mark.assets
@pytest.mark.parametrize("name", MODELS)
def test_a_card_says_what_it_must(name: str) -> None:
    card = (paths.WEIGHTS / name / "CARD.md").read_text("utf-8")
    for word in ("Data:", "Licence:", "Training:", "seed", "Limits:", "Held out", "Measured"):
        assert word in card


@pytest.mark.assets
def test_the_lecture_note_is_learnt() -> None:
    """As whole words, whether the new word joins the target or the source."""
    classroom = Shipped.load(paths.WEIGHTS / "classroom")
    for text in ("gen ai is", "Gen AI is"):
        assert classroom.next_words(text)[0][0] == "interesting"
        assert classroom.next_words(text, "interesting")[0][0] == "domain"
        assert classroom.next_words(f"{text} interesting")[0][0] == "domain"
    assert classroom.write(["gen ai is"])[0].startswith("interesting domain")


def kind_of(name: str) -> str:
    return json.loads((paths.WEIGHTS / name / "config.json").read_text("utf-8"))["kind"]


@pytest.mark.assets
@pytest.mark.parametrize("name", [name for name in MODELS if kind_of(name) == "encoder"])
def test_an_encoder_is_not_asked_to_write(name: str) -> None:
    with pytest.raises(NotAPredictor, match="an encoder, which reads"):
        Shipped.load(paths.WEIGHTS / name).write(["gen ai is"])


@pytest.mark.assets
@pytest.mark.parametrize("name", [name for name in MODELS if kind_of(name) != "encoder"])
def test_all_at_once_is_one_by_one(name: str) -> None:
    shipped = Shipped.load(paths.WEIGHTS / name)
    texts = [*corpus.RESERVED[:4], "yes"]
    assert shipped.write(texts) == [shipped.write([text])[0] for text in texts]


@pytest.fixture(scope="module")
def untrained() -> Shipped:
    """A translator that knows nothing: enough to see that what measures it works."""
    torch.manual_seed(0)
    vocabulary = Vocabulary.train([text for pair in corpus.pairs("held-out") for text in pair], 600)
    config = Config("encoder-decoder", len(vocabulary), 16, 2, 2, 3, 32, 64)
    about = {"name": "Untrained", "says": "knows nothing", "task": "translate", "source_end": True, "licence": "none"}
    about |= {"steps": 0, "tokens": 0, "minutes": 0, "seed": 0, "precision": "float32", "parameters": 1}
    return Shipped(Transformer(config).eval(), vocabulary, about | config.to_dict())


def test_attention_from_word_to_word(untrained: Shipped) -> None:
    source, target = "the black cat sleeps", "o gato preto dorme"
    maps = cross_attention(untrained, source, target)
    assert [tuple(found.shape) for found in maps] == [(2, 4, 4)] * 3
    assert all(0 <= float(found.min()) and float(found.sum(-1).max()) <= 1 + 1e-5 for found in maps)
    assert links(torch.tensor([[0.1, 0.9], [0.8, 0.1]])) == {(1, 0), (0, 1)}
    tokens = membership(untrained.vocabulary, untrained.vocabulary.encode(source))
    assert tokens.shape[0] == 4 and (tokens.sum(0) == 1).all()


def test_a_translators_card_states_what_was_measured(untrained: Shipped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translating, "TRANSLATED", 4)
    report = translating.measure_translate(untrained)
    card = card_of(untrained.about, report)
    stated = numbers_in(card)
    assert stated == pytest.approx(report.numbers, abs=1e-3) and "signature `nrefs:1|" in card
    assert stated["sentences aligned"] == stated["sentences that choose the head"] == 4
    assert stated["WordNet: chrF"] < 15 and stated["alignment error rate, best head"] > 0.5
