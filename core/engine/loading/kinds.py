"""What a configuration says a model is: its kind, the class that gives words, and which of its parts read and write text.

A model that also sees or hears keeps the sizes of its text in a part of its configuration, and a pair of two models in two.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForMaskedLM,
    AutoModelForMultimodalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForTextEncoding,
    PreTrainedConfig,
)

from core.errors import UnsupportedModelError

# the classes that give words for a token (an encoder), or for the one that comes next; those that see or hear also read text alone
SPEAKING = (AutoModelForSeq2SeqLM, AutoModelForImageTextToText, AutoModelForMultimodalLM)
WORDS = {
    "encoder": (AutoModelForMaskedLM,),
    "decoder": (AutoModelForCausalLM, *SPEAKING),
    "encoder-decoder": SPEAKING,
}
PARTS = ("encoder", "text_encoder", "text_config", "decoder")  # as configurations name them; the last one there writes
LENGTHS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_sequence_length")
ROLES = ("decoder_start_token_id", "bos_token_id", "eos_token_id", "pad_token_id")


def kind_of(config: Any) -> str:
    """ "encoder", "decoder" or "encoder-decoder": as the configuration says, else as the saved class, else as the family is."""
    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    if getattr(config, "is_decoder", False):
        return "decoder"
    saved, masked, causal = _saved(config), _classes(config, "encoder"), _classes(config, "decoder")
    if saved in _named(config, AutoModelForTextEncoding):  # the encoder of T5 saved by itself
        return "encoder"
    if saved in causal:  # XLM has one class for both, and says in its configuration which one it is
        return "encoder" if saved in masked and not getattr(config, "causal", True) else "decoder"
    if saved not in masked and ("CausalLM" in saved or "LMHead" in saved):
        return "decoder"
    return "decoder" if causal and not masked else "encoder"


def words_class(config: Any, kind: str) -> Any | None:
    """The class of a model of this kind that gives words: the one that was saved, else the first that transformers names. None
    where the family has none."""
    found = _classes(config, kind)
    return found.get(_saved(config)) or next(iter(found.values()), None)


def text_parts(config: Any) -> list[Any]:
    """The configurations of the parts that read or write text, the writing one last; the whole one where it has no parts."""
    parts = [part for name in PARTS if isinstance(part := getattr(config, name, None), PreTrainedConfig)]
    return [inner for part in parts for inner in text_parts(part)] or [config]


def inherit(config: Any) -> None:
    """Give a configuration the special ids that only its parts name, those of the writing part first."""
    for role in ROLES:
        if getattr(config, role, None) is None:
            values = (getattr(part, role, None) for part in reversed(text_parts(config)))
            setattr(config, role, next((value for value in values if value is not None), None))


def vocab_of(model: Any, config: Any) -> int:
    """How many tokens a model has logits for. Raises UnsupportedModelError for a model that does not read tokens by one table, and
    for two parts with vocabularies of their own."""
    table = _table(model)
    sizes = [
        size for part in text_parts(config) if isinstance(size := getattr(part, "vocab_size", None), int) and size > 0
    ]
    if len(set(sizes)) > 1:
        raise UnsupportedModelError(
            "one vocabulary for what is read and what is written",
            f"{config.model_type} with {' and '.join(f'{size:,}' for size in sizes)} tokens",
            "Choose a model whose two halves share their tokens",
        )
    return sizes[-1] if sizes else len(table)


def width_of(model: Any, config: Any) -> int:
    """d_model, the length of the vectors of the residual stream, of the part that writes."""
    width = getattr(text_parts(config)[-1], "hidden_size", None)
    return width if isinstance(width, int) else _table(model).shape[1]


def max_tokens_of(model: Any, config: Any, tokenizer: Any, default: int = 4096) -> int:
    """How many tokens a model takes: the size of its smallest position table, without the rows that some families reserve for
    padding."""
    named = [next((int(v) for name in LENGTHS if isinstance(v := getattr(part, name, None), int) and v > 0), None)
             for part in text_parts(config)]  # fmt: skip
    limit = min((size for size in named if size is not None), default=None)
    if limit is None:
        longest = getattr(tokenizer, "model_max_length", None)
        return int(longest) if isinstance(longest, int) and 0 < longest < 1_000_000 else default
    tables = [module for name, module in model.named_modules() if name.endswith("position_embeddings")]
    rooms = [
        min(limit, table.num_embeddings) - table.padding_idx - 1
        for table in tables if isinstance(table, nn.Embedding) and table.padding_idx is not None
    ]  # fmt: skip
    return min([limit, *rooms])


def _table(model: Any) -> Tensor:
    """The embedding of each token, [vocab, d_model]."""
    try:
        weight = getattr(model.get_input_embeddings(), "weight", None)
    except NotImplementedError:  # CLIP and others that set texts beside pictures
        weight = None
    if isinstance(weight, Tensor) and weight.dim() == 2:
        return weight
    raise UnsupportedModelError(
        "a model that reads tokens, each by its row of one table",
        f"{model.config.model_type}, which has no such table for all it reads",
        "Choose a model of text",
    )


def _saved(config: Any) -> str:
    return next(map(str, getattr(config, "architectures", None) or ()), "")


def _classes(config: Any, kind: str) -> dict[str, Any]:
    """The classes with words that transformers has for a configuration, by name. Those that take a part of it are left out."""
    inner = {type(part) for part in text_parts(config) if part is not config}
    found = {name: cls for auto in WORDS[kind] for name, cls in _named(config, auto).items()}
    return {name: cls for name, cls in found.items() if cls.config_class not in inner}


def _named(config: Any, auto: Any) -> dict[str, Any]:
    """The classes that one table of transformers has for a configuration, by name."""
    held = auto._model_mapping.get(type(config), ())
    return {cls.__name__: cls for cls in (held if isinstance(held, (tuple, list)) else (held,))}
