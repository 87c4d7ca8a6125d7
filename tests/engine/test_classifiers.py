"""Classifiers show their own answer, equal to the untouched model's, and never words; what was saved without a head has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import core
from core.engine.lens import Lens
from core.errors import LensError, ModelFileError, NoSuchHeadError, NotAPredictor, RequestError, UnsupportedModelError
from core.request import KEEPS
from tests import families
from tests.classifiers import HEADS, LABELS, built

CASES = [(kind, family) for kind, (_, those) in HEADS.items() for family in those]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Lens, Any]]:
    """A classifier's lens, and the same folder loaded by transformers alone with its eager attention."""
    root = tmp_path_factory.mktemp("classifiers")

    def load(kind: str, family: str) -> tuple[Lens, Any]:
        folder = built(root / f"{kind}-{family}", family, HEADS[kind][0])
        name = json.loads((folder / "config.json").read_text())["architectures"][0]
        plain = getattr(transformers, name).from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
        return core.load(str(folder), device="cpu"), plain.eval()

    return cache(load)


def ids_for(lens: Lens, length: int = 9, salt: int = 0) -> tuple[int, ...]:
    """Ids that end as the family's texts end, which a classifier with a decoder looks for."""
    body = families.ids(length, salt)
    return body if lens.info.kind == "encoder" else (*body, 2)


def theirs(plain: Any, ids: tuple[int, ...], kind: str) -> np.ndarray:
    """The untouched model's logits: [class] or [position, class]."""
    with torch.inference_mode():
        output = plain(input_ids=torch.tensor([ids]))
    if kind == "span":
        return torch.stack((output.start_logits, output.end_logits), -1)[0].numpy()
    return output.logits[0].numpy()


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_the_answer_is_the_untouched_models(kind, family, pair):
    lens, plain = pair(kind, family)
    assert lens.info.answers is not None and lens.info.answers.kind == kind and not lens.info.can_predict
    assert lens.info.reason or lens.info.verified.logits < 1e-5
    for length in (4, 9):
        ids = ids_for(lens, length)
        answer = lens.run(lens.request(ids=ids, keep="predictions")).answer
        wanted = theirs(plain, ids, kind)
        assert answer is not None and answer.logits.shape == wanted.shape == ((3,), (len(ids), 3), (len(ids), 2), (2,))[
            ("text", "token", "span", "next").index(kind)
        ]  # fmt: skip
        assert np.abs(answer.logits - wanted).max() < 1e-5
        shares = torch.tensor(wanted).softmax(0 if kind == "span" else -1).numpy()
        assert np.abs(answer.probabilities - shares).max() < 1e-5


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_the_maps_do_not_depend_on_the_head(kind, family, pair):
    lens, plain = pair(kind, family)
    ids = ids_for(lens)
    with torch.inference_mode():
        output = plain(input_ids=torch.tensor([ids]), output_attentions=True)
    maps = output.attentions if hasattr(output, "attentions") else output.encoder_attentions
    own = [one[0].numpy() for one in maps]
    for keep in (
        ("pattern",),
        ("pattern", "predictions"),
        tuple(KEEPS if not lens.info.reason else ("residual", "predictions", "pattern")),
    ):
        trace = lens.run(lens.request(ids=ids, keep=keep))
        assert (trace.answer is not None) == ("predictions" in keep) and trace.predictions is None
        for mine, other in zip(trace.attention, own, strict=False):  # of encoder–decoders the encoder's come first
            assert np.abs(mine.pattern - other).max() < 1e-5


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_many_texts_at_once_are_answered_as_one_by_one(kind, family, pair):
    lens, _ = pair(kind, family)
    requests = [lens.request(ids=ids_for(lens, 7 + n % 3, n), keep="predictions") for n in range(6)]
    for together, request in zip(lens.run_many(requests), requests, strict=True):
        alone = lens.run(request)
        assert together.answer is not None and alone.answer is not None
        assert np.abs(together.answer.logits - alone.answer.logits).max() < 1e-5


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_a_classifier_never_writes(kind, family, pair):
    lens, _ = pair(kind, family)
    trace = lens.run(lens.request(ids=ids_for(lens), keep="predictions"))
    assert trace.next_logits is None and not trace.masked_logits
    for attempt in (
        lambda: trace.next_tokens(),
        lambda: trace.next_tokens(position=2),
        lambda: next(lens.generate(trace.request)),
        lambda: lens.beams(trace.request),
        lambda: lens.next_words(trace.request),
        lambda: lens.logprobs(trace.request, 2, (5,)),
    ):
        with pytest.raises(NotAPredictor):
            attempt()


@pytest.mark.parametrize("family", ["bert", "gpt2", "bart"])
def test_classes_come_with_their_names_the_likeliest_first(family, pair):
    lens, plain = pair("text", family)
    ids = ids_for(lens)
    ranked = lens.run(lens.request(ids=ids, keep="predictions")).answer.ranked()
    wanted = theirs(plain, ids, "text")
    assert [label.name for label in ranked] == [LABELS[n] for n in np.argsort(-wanted)]
    assert sum(label.probability for label in ranked) == pytest.approx(1)


def test_each_token_has_its_own_classes(pair):
    lens, plain = pair("token", "electra")
    ids = ids_for(lens)
    answer = lens.run(lens.request(ids=ids, keep="predictions")).answer
    wanted = theirs(plain, ids, "token")
    for position in range(len(ids)):
        assert answer.ranked(1, position)[0].name == LABELS[int(np.argmax(wanted[position]))]
    for position in (None, -1, len(ids)):
        with pytest.raises(NoSuchHeadError):
            answer.ranked(1, position)


@pytest.mark.parametrize("family", HEADS["span"][1])
def test_a_span_is_the_likeliest_pair_in_order(family, pair):
    lens, plain = pair("span", family)
    for salt in range(4):
        ids = ids_for(lens, 8, salt)
        span, *others = lens.run(lens.request(ids=ids, keep="predictions")).answer.spans(len(ids))
        begin, end = torch.tensor(theirs(plain, ids, "span")).double().softmax(0).T.numpy()
        pairs = np.triu(np.outer(begin, end))
        assert (span.start, span.end) == np.unravel_index(np.argmax(pairs), pairs.shape)
        assert span.probability == pytest.approx(pairs.max(), rel=1e-4)
        for other in others:
            assert other.probability == pytest.approx(pairs[other.start].max(), rel=1e-4)
            assert other.probability <= span.probability


@pytest.mark.parametrize("family", ["bert", "roberta", "llama"])
def test_several_classes_may_be_true_and_a_number_is_no_probability(family, tmp_path):
    several = built(
        tmp_path / "several", family, "ForSequenceClassification", problem_type="multi_label_classification"
    )
    number = built(
        tmp_path / "number", family, "ForSequenceClassification", id2label={0: "stars"}, problem_type="regression"
    )
    answers = []
    for folder in (several, number):
        lens = core.load(str(folder), device="cpu")
        answers.append(lens.run(lens.request(ids=families.ids(6), keep="predictions")).answer)
    logits = answers[0].logits.astype(np.float64)
    assert np.allclose(answers[0].probabilities, 1 / (1 + np.exp(-logits)))
    assert answers[1].probabilities is None and answers[1].ranked()[0].probability is None
    assert answers[1].ranked()[0].name == "stars"


# what is no classifier, and what is no language model


@pytest.mark.parametrize("family", ["t5", "mt5", "t5_gated"])
def test_an_encoder_saved_alone_opens_as_an_encoder(family, tmp_path):
    _, configuration, values = families.FAMILIES[family]
    config = getattr(transformers, configuration)(**values)
    cls = getattr(transformers, f"{configuration.removesuffix('Config')}EncoderModel")
    torch.manual_seed(0)
    model = cls(config).eval()
    families.enliven(model)
    model.save_pretrained(tmp_path)
    kept = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(kept | {"is_encoder_decoder": True}))  # as older versions left it
    lens = core.load(str(tmp_path), device="cpu")
    assert lens.info.kind == "encoder" and lens.info.answers is None and not lens.info.can_predict
    ids = families.ids(7)
    plain = cls.from_pretrained(tmp_path, attn_implementation="eager").eval()
    with torch.inference_mode():
        own = plain(input_ids=torch.tensor([ids]), output_attentions=True).attentions
    for mine, other in zip(lens.run(lens.request(ids=ids)).attention, own, strict=True):
        assert np.abs(mine.pattern - other[0].numpy()).max() < 1e-5


@pytest.mark.parametrize(
    ("family", "saved"), [("gpt2", "GPT2Model"), ("smollm", "LlamaModel"), ("bart", "BartModel"), ("opt", "OPTModel")]
)
def test_a_tied_embedding_is_no_proof_of_a_language_head(family, saved, tmp_path):
    _, configuration, values = families.FAMILIES[family]
    config = getattr(transformers, configuration)(**values | {"tie_word_embeddings": True})
    model = getattr(transformers, saved)(config)
    families.enliven(model)
    model.save_pretrained(tmp_path)
    lens = core.load(str(tmp_path), device="cpu")
    assert not lens.info.can_predict and lens.info.answers is None
    with pytest.raises(NotAPredictor):
        next(lens.generate(families.ask(lens)))


def renamed(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


@pytest.mark.parametrize("saved", ["BertForMultipleChoice", "BertForSomethingElse", "RobertaForSequenceClassification"])
def test_a_head_of_another_kind_is_left_out(saved, tmp_path):
    folder = renamed(built(tmp_path, "bert", "ForSequenceClassification"), architectures=[saved])
    info = core.load(str(folder), device="cpu").info
    assert info.kind == "encoder" and not info.can_predict and info.answers is None


@pytest.mark.parametrize(("family", "head"), [("gpt2", "score"), ("bert", "classifier"), ("distilbert", "classifier")])
def test_a_head_that_the_file_lacks_answers_nothing(family, head, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = built(tmp_path, family, "ForSequenceClassification")
    kept = {name: one for name, one in load_file(folder / "model.safetensors").items() if not name.startswith(head)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    info = core.load(str(folder), device="cpu").info
    assert info.answers is None and not info.can_predict


def test_a_pooler_that_the_classifier_needs_is_missed(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = built(tmp_path, "bert", "ForSequenceClassification")
    kept = {name: one for name, one in load_file(folder / "model.safetensors").items() if "pooler" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match="pooler"):
        core.load(str(folder), device="cpu")


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_a_classifiers_decoder_reads_its_source_and_nothing_else(family, pair):
    lens, _ = pair("text", family)
    ids = ids_for(lens)
    request = lens.request(ids=ids)
    assert request.target == (lens.start, *ids[:-1]) and lens.info.depths is None
    with pytest.raises(RequestError, match="writes"):
        lens.request(ids=ids, target_ids=ids)


def test_a_decoder_that_reads_another_text_is_refused(tmp_path):
    folder = built(tmp_path, "mbart", "ForSequenceClassification")
    with pytest.raises(UnsupportedModelError, match="mbart"):
        core.load(str(folder), device="cpu")


def test_a_text_without_its_end_is_an_error_of_ours(pair):
    lens, _ = pair("text", "bart")
    with pytest.raises(LensError):
        lens.run(lens.request(ids=families.ids(5), keep="predictions"))
