"""Which class of transformers a configuration names: one with an output layer of words, one that classifies, or neither."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForNextSentencePrediction,
    AutoModelForPreTraining,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTextEncoding,
    AutoModelForTokenClassification,
)

from core.answer import Answers
from core.engine.loading.kinds import SPEAKING, words_class

CLASSIFIERS = {
    "text": AutoModelForSequenceClassification,
    "token": AutoModelForTokenClassification,
    "span": AutoModelForQuestionAnswering,
    "next": AutoModelForNextSentencePrediction,
}
FOLLOWS = ("follows", "does not follow")  # of the two sentences, as BERT counts: 0 is the true next sentence
# names of classes with an output layer of words that no table of transformers lists for a family (any more)
WORDS = re.compile(r"(LMHead|LMHeadModel|DoubleHeadsModel|For(CausalLM|MaskedLM|ConditionalGeneration|PreTraining))$")
LANGUAGE = (AutoModelForMaskedLM, AutoModelForCausalLM, *SPEAKING, AutoModelForPreTraining)


@dataclass(frozen=True, slots=True)
class Heads:
    """The class with an output layer, None where the model was saved without one; the class without; what the first answers,
    None for words."""

    kind: str
    head: Any | None
    trunk: Any | None
    answers: Answers | None


def heads_of(config: Any, kind: str, words: bool = False) -> Heads:
    """The classes for a configuration. kind: that of its family. words: it has an output layer of words, whatever its name says.

    The architecture that was saved decides: a tied embedding could serve as an output layer in every model, and is no proof that
    there was one.
    """
    saved = next(map(str, getattr(config, "architectures", None) or ()), "")
    for answer, auto in CLASSIFIERS.items():
        cls = class_of(auto, config)
        if cls is not None and cls.__name__ == saved:
            kind, trunk = _trunk(config, kind, cls)
            return Heads(kind, cls, trunk, _answers(config, answer))
    encoder = class_of(AutoModelForTextEncoding, config)
    if encoder is not None and encoder.__name__ == saved and kind == "encoder-decoder":
        return Heads("encoder", None, encoder, None)
    head = words_class(config, kind) if words or _speaks(saved, config) else None
    return Heads(kind, head, class_of(AutoModel, config), None)


def class_of(auto: Any, config: Any) -> Any | None:
    """The class an Auto class would build, or None."""
    if type(config) not in auto._model_mapping:
        return None
    concrete = auto._model_mapping[type(config)]
    return concrete[0] if isinstance(concrete, (tuple, list)) else concrete


def _speaks(saved: str, config: Any) -> bool:
    """Whether an architecture has an output layer of words; one without a name is taken to have it."""
    named = {cls.__name__ for auto in LANGUAGE if (cls := class_of(auto, config)) is not None}
    return not saved or (saved in named and saved != _name(AutoModel, config)) or WORDS.search(saved) is not None


def _name(auto: Any, config: Any) -> str:
    return getattr(class_of(auto, config), "__name__", "")


def _trunk(config: Any, kind: str, head: Any) -> tuple[str, Any | None]:
    """The kind of a classifier, and its class without a head: T5's classifier of tokens has an encoder alone."""
    from inspect import signature

    if kind == "encoder-decoder" and "decoder_input_ids" not in signature(head.forward).parameters:
        return "encoder", class_of(AutoModelForTextEncoding, config)
    return kind, class_of(AutoModel, config)


def _answers(config: Any, kind: str) -> Answers:
    """The classes that a configuration names."""
    if kind == "span":
        return Answers(kind, ("begin", "end"))
    if kind == "next":
        return Answers(kind, FOLLOWS)
    count, names = int(config.num_labels), config.id2label or {}
    labels = tuple(str(names.get(n, f"LABEL_{n}")) for n in range(count))
    problem = getattr(config, "problem_type", None)
    if kind == "text" and problem == "multi_label_classification":
        return Answers(kind, labels, "sigmoid")
    plain = kind == "text" and (problem == "regression" or count == 1)
    return Answers(kind, labels, "" if plain else "softmax")
