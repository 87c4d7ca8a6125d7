"""Words on the page as HTML: chips, the lead sentence, the table of a map. Every text from outside is escaped here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from core.figures.labels import joins, label, labels, percent
from core.request import MASKS, Stream
from core.trace import Tokens


def chips(name: str, tokens: Tokens, stream: Stream, chosen: int | None = None) -> str:
    """A text as its tokens with their ids; tokens of one word touch, special ones are grey, the chosen one is ink."""
    groups: list[list[str]] = []
    for i, text in enumerate(labels(tokens, 24)):
        kind = "chip" + (" special" if tokens.special[i] else "") + (" chosen" if i == chosen else "")
        token = (
            f'<span class="{kind}"><bdi title="{escape(_title(tokens.text[i]))}">{escape(text)}</bdi>'
            f"<small>{tokens.ids[i]}</small></span>"
        )
        if joins(tokens, i):
            groups[-1].append(token)
        else:
            groups.append([token])
    words = "".join(f'<span class="word">{"".join(group)}</span>' for group in groups)
    return f'<div class="chips {stream.value}"><span class="chips-name">{escape(name)}</span>{words}</div>'


def texts(source: Tokens | None, target: Tokens | None, stream: Stream | None = None, chosen: int | None = None) -> str:
    """The texts of a run in one line; `chosen` is the query in focus of the stream in view."""
    inside = stream is Stream.ENCODER
    parts = []
    if source is not None:
        parts.append(chips("Source" if target else "Text", source, Stream.ENCODER, chosen if inside else None))
    if target is not None:
        parts.append(chips("Target" if source else "Text", target, Stream.DECODER, None if inside else chosen))
    return f'<div class="texts">{"".join(parts)}</div>'


def tokens_are(source: Tokens | None, target: Tokens | None) -> str:
    """What a token is, and what the special ones mean that stand at the ends of these texts."""
    given = [tokens for tokens in (source, target) if tokens is not None and len(tokens)]
    first = {label(tokens.text[0]): None for tokens in given if tokens.special[0]}
    last = {label(tokens.text[-1]): None for tokens in given if tokens.special[-1] and len(tokens) > 1}
    signs = [
        f"{' and '.join(f'“{escape(name)}”' for name in names)} where {where}"
        for names, where in ((first, "a text begins"), (last, "it ends"))
        if names
    ]
    said = (
        "A <b>token</b> is a word, a part of one, or a sign. The model knows a fixed list of them; the small number is the token’s "
        "place in that list."
    )
    return f"{said} Grey tokens are marks: {', '.join(signs)}." if signs else said


def sentence(parts: Iterable[str | tuple[str]], kind: str = "lead") -> str:
    """The lead: plain strings, and 1-tuples for what stands out. Read aloud when it changes. kind: its class."""
    said = "".join(escape(part) if isinstance(part, str) else f"<b><bdi>{escape(part[0])}</bdi></b>" for part in parts)
    return f'<p class="{kind}" aria-live="polite">{said}</p>'


def lead(
    query: str, key: str, weight: float, *, ahead: bool, allowed: bool, stream: Stream, mask: str | None = None
) -> list[str | tuple[str]]:
    """What the focused cell says. ahead: the key stands after the query; mask: the visitor's mask on this stream."""
    opening = "" if mask is None else MASKS[mask].opening
    if not allowed:
        return [f"{opening}“", (query,), "” may not look at “", (key,), "”."]
    clause = ", a token of the source" if stream is Stream.CROSS else ""
    if ahead:
        reason = "because the encoder looks both ways" if stream is Stream.ENCODER else "because the mask is off"
        clause = f", a token it can only see {reason}"
    return [f"{opening}“", (query,), "” gives ", (percent(weight),), " of its attention to “", (key,), f"”{clause}."]


def nats(value: float) -> str:
    """A log-probability, with a true minus sign."""
    return f"{value:.2f}".replace("-", "−")


def _title(token: str) -> str:
    """What a chip tells when pointed at: the token with its spaces and bytes."""
    raw = token.encode("utf-8", "replace")
    said = raw.hex(" ") if len(raw) <= 24 else f"{len(raw)} bytes"
    return f"{label(token, 80)} · {said}" + (" · starts with a space" if token.startswith(" ") else "")
