"""How a text is given to a model of one's own: with a second sentence, in a language, as a message. Each stands in the link."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import transformers

import core
from core.request import Stream
from core.ui.generate.own_words import worded as worded_by_hand
from core.ui.running.scene import asked
from core.ui.session.state import Choice
from tests import families
from tests.engine.test_pairs_and_languages import BERT, nllb, worded
from tests.printed import shows_share

TEMPLATE = "{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}[assistant]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("given")
    pair, specials = BERT
    config = transformers.BertConfig(**families._ENCODER, type_vocab_size=2)
    model = transformers.BertForMaskedLM(config).eval()
    families.enliven(model)
    model.save_pretrained(root / "pairs")
    worded(pair, specials).save_pretrained(root / "pairs")
    nllb(root / "many")
    families.build("llama", root / "chat")
    tokenizer = transformers.AutoTokenizer.from_pretrained(root / "chat")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(root / "chat")
    return root


@pytest.fixture
def opened(folder, offered):
    return offered(folder)


def test_a_second_sentence_is_read_with_the_first_one(screen, opened):
    page = screen("attention", model="folder:pairs", text="is the cat asleep")
    page.type("the black cat sleeps", "bar-pair")
    lens = core.load(str(opened / "pairs"))
    wanted = lens.tokens(lens.request("is the cat asleep", pair="the black cat sleeps").source).text
    assert page.calm() and not page.said("trouble")
    assert [token.strip() for token in page.tokens] == [token.strip() for token in wanted]
    assert page.app.query_params["pair"] == "the black cat sleeps"
    again = screen("attention", **dict(page.app.query_params.items()))
    assert again.tokens == page.tokens
    page.type("", "bar-pair")
    assert len(page.tokens) == len(lens.request("is the cat asleep").source) and "pair" not in page.app.query_params


def test_a_quarter_of_a_pair_stands_in_the_link_the_map_and_the_lines_of_python(screen, opened):
    asked = {"model": "folder:pairs", "text": "is the cat asleep", "pair": "the black cat sleeps"}
    page = screen("attention", **asked, quarter="ab", open="take")
    lens = core.load(str(opened / "pairs"))
    request = lens.request(asked["text"], pair=asked["pair"])
    first, pattern = request.types.index(1), lens.run(request).at(Stream.ENCODER, 0).head(0)
    assert page.calm() and np.allclose(page.map, pattern, atol=1e-6)  # faded, not changed
    (said,) = [line for line in page.said("how") if line.startswith("A→B")]
    assert shows_share(said, pattern[:first, first:].sum(axis=1).mean())
    veils = [shape for shape in page.drawn["layout"]["shapes"] if "fillcolor" in shape]
    assert {(one["x1"], one["y0"]) for one in veils} == {(first - 0.5, -0.5), (len(pattern) - 0.5, first - 0.5)}
    (lines,) = [code.value for code in page.app.code if "lens = load(" in code.value]
    assert 'in_quarter(request.types, \'ab\')' in lines and "quarter=ab" in page.app.code[-2].value
    # in another reading too what is faded may be looked at, and says so
    other = screen("attention", **asked, quarter="ab", measure="norm")
    assert other.calm() and not np.isnan(other.map).any() and "may not look" not in str(other.drawn["data"][0]["text"])
    assert sum("fillcolor" in shape for shape in other.drawn["layout"]["shapes"]) == 2
    # without a pair there is nothing to choose from
    single = screen("attention", model="folder:pairs", text=asked["text"], quarter="ab")
    assert single.calm() and not [line for line in single.said("how") if line.startswith("A→B")]


@pytest.mark.parametrize("model", ["classroom", "writer", "filler", "folder:chat"])
def test_a_pair_in_the_link_of_a_model_without_pairs_changes_nothing(screen, opened, model):
    text = "w9 w11" if model == "folder:chat" else "the cat sleeps"
    more = {"pair": "a dog", "from": "x_Y", "chat": "0"}
    plain, given = (screen("attention", model=model, text=text, **also) for also in ({}, more))
    assert given.calm() and given.tokens == plain.tokens
    assert "bar-pair" not in [one.key for one in given.app.text_input]


def test_a_translator_of_many_is_told_its_languages(screen, opened):
    page = screen("translate", model="folder:many", text="the cat")
    for key, language in (("bar-from", "fra_Latn"), ("bar-into", "por_Latn")):
        page.app.selectbox(key=key).set_value(language).run()
        assert page.calm()
    assert (page.app.query_params["from"], page.app.query_params["into"]) == ("fra_Latn", "por_Latn")
    lens = core.load(str(opened / "many"))
    asked = lens.request("the cat", source_language="fra_Latn", target_language="por_Latn")
    shown = page.go("attention", stream=Stream.ENCODER.value)
    assert [token.strip(" ␣") for token in shown.tokens] == [token.strip() for token in lens.tokens(asked.source).text]


def test_a_message_is_put_into_the_models_own_template(screen, opened):
    page = screen("attention", model="folder:chat", text="w9 w11 w12")
    page.app.toggle(key="bar-chat").set_value(True).run()
    lens = core.load(str(opened / "chat"))
    wanted = lens.request([{"role": "user", "content": "w9 w11 w12"}])
    assert page.calm() and len(page.tokens) == len(wanted.target) > 3 and page.app.query_params["chat"] == "1"


def test_ones_own_words_answer_the_message_in_the_template(opened):
    lens = core.load(str(opened / "chat"))
    choice = Choice().but(text="w9 w11", chat=True)
    base = asked(lens, choice, choice.text)
    request, begin = worded_by_hand(SimpleNamespace(base=base, lens=lens, choice=choice, info=lens.info), "w12 w13")
    assert begin == len(base.target) and request.target[:begin] == base.target
    assert [token.strip() for token in lens.tokens(request.target[begin:]).text] == ["w12", "w13"]
