"""The screens behind the recorded links, kept as a file before and after a change, and what differs between two such files.

    python -m tests.screens OUT.json
    python -m tests.screens --compare BEFORE.json AFTER.json [RENAMES.json]

RENAMES.json tells what was renamed on purpose:
{"words": [["token", "token"], ["tokens", "tokens"]], "components": {"labels": "board"}}. Words count inside payloads too, as keys
and as values, and with a capital letter. The second command prints link by link what else differs; it ends with 1 where a payload,
a parameter or a widget does, not where words alone do.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from hashlib import sha256
from html import unescape
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any

LINKS = Path(__file__).parent / "pages" / "links.json"
EXCLUDED = {  # what two runs of the same code do not have in common, and is left out of a screen
    "version": "in a message: which question it answers, a hash that is another one in every process",
    "progress": "an element: how far something is that goes on",
    "spinner": "an element: how far something is that goes on",
}  # costs that the page rnn measures come on a click alone, which no link makes
SAID = {"body", "label", "help", "placeholder", "options", "content", "captions", "code_text", "alt"}  # fields with words
ALSO = r'\b(?:aria-label|title|alt|style)="([^"]*)"'  # in the tags of html: words, and widths that stand for numbers
SHOWN = 12  # differences printed of one payload


# Reading a screen


def screen_of(link: dict[str, Any]) -> dict[str, Any]:
    """Open a link and read all that is there: parameters, widgets, words and payloads."""
    from tests.pages import conftest

    page = conftest.Screen(link["page"], **link["params"])
    nodes = [node for node in page.app._tree if node.type not in EXCLUDED and hasattr(node, "proto")]
    return {
        "page": link["page"], "params": link["params"], "calm": page.calm(),
        "parameters": parameters(page), "widgets": filled(page),
        "words": [words for node in nodes for words in words_of(node)],
        "payloads": [payload for node in nodes for payload in payloads_of(node)],
    }  # fmt: skip


def parameters(page: Any) -> dict[str, str]:
    """What stands in the address of a page."""
    return {name: value[0] if isinstance(value, list) else value for name, value in page.app.query_params.items()}


def filled(page: Any) -> dict[str, list[Any]]:
    """The values of widgets, kind by kind in the order of the page, without those that hold nothing."""
    found: dict[str, list[Any]] = {}
    for kind, _, value in page.everything()["widgets"]:
        if value not in ("", None):
            found.setdefault(kind, []).append(getattr(value, "value", value))
    return found


def words_of(node: Any) -> Iterator[str]:
    """The words of one element, whatever it is, without their markup."""
    if node.type == "table":
        yield node.value.to_csv()
    for words in _said(node.proto):
        yield from _plain(words) if node.type == "html" else (words,)


def _said(message: Any) -> Iterator[str]:
    """The fields of a message that hold words, at any depth."""
    for field, value in message.ListFields() if hasattr(message, "ListFields") else ():
        for one in value if field.is_repeated else (value,):
            if field.type == field.TYPE_MESSAGE:
                yield from _said(one)
            elif field.type == field.TYPE_STRING and field.name in SAID:
                yield one


def _plain(html: str) -> Iterator[str]:
    """The text of html, and what its tags say."""
    html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
    yield from filter(None, (text, *map(unescape, re.findall(ALSO, html))))


def payloads_of(node: Any) -> Iterator[dict[str, Any]]:
    """What an element sends to be drawn: components, plots, charts with their rows."""
    if node.type == "bidi_component":
        yield _component(node.proto)
    elif node.type == "plotly_chart":
        yield _payload("plot", node.proto.spec, b"")
    elif node.type == "vega_lite_chart":
        sent = node.proto
        rows = [one.data for one in (sent.data, *(named.data for named in sent.datasets)) if one.data]
        yield _payload("chart", json.dumps({"spec": json.loads(sent.spec), "rows": [_rows(one) for one in rows]}), b"")


def _component(sent: Any) -> dict[str, Any]:
    """A message to a component: JSON, or bytes that begin with the length of a JSON header, then it, then arrays."""
    name, kind = sent.component_name.removeprefix("lookback_"), sent.WhichOneof("data")
    if kind in ("json", None):  # None: it is sent nothing
        return _payload(name, sent.json, b"")
    assert kind == "bytes", f"{name} is sent {kind}, which is not compared here yet"
    whole = sent.bytes
    end = 4 + int.from_bytes(whole[:4], "little")
    return _payload(name, whole[4:end].decode("utf-8", "backslashreplace").rstrip(), whole[end + -end % 4 :])


def _payload(name: str, told: str, arrays: bytes) -> dict[str, Any]:
    told = re.sub(r'("version": ?)"[^"]*"', r'\1"…"', told)
    exact = sha256(told.encode("utf-8", "surrogatepass") + arrays).hexdigest()
    return {"name": name, "json": told, "bytes": len(arrays), "arrays": sha256(arrays).hexdigest(), "sha256": exact}


def _rows(arrow: bytes) -> list[dict[str, Any]]:
    from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

    table = convert_arrow_bytes_to_pandas_df(arrow)
    return table.astype(object).where(table.notna(), None).to_dict("records")


# Comparing


class Renames:
    """What is called otherwise on purpose."""

    def __init__(self, words: Sequence[Sequence[str]] = (), components: dict[str, str] | None = None) -> None:
        self.new = {old[:1].upper() + old[1:]: new[:1].upper() + new[1:] for old, new in words} | {old: new for old, new in words}
        self.components = components or {}
        known = "|".join(re.escape(old) for old in sorted(self.new, key=len, reverse=True))
        self.spot = re.compile(rf"(?<![^\W\d_])(?:{known})(?![^\W\d_])") if known else None

    def of(self, text: str) -> str:
        """A text with the new words in place of the old."""
        return self.spot.sub(lambda found: self.new[found[0]], text) if self.spot else text


def differences(before: dict[str, Any], after: dict[str, Any], renames: Renames) -> tuple[list[str], list[str]]:
    """How a screen differs: what must not (payloads, parameters, widgets), and words."""
    hard = []
    for what in ("calm", "parameters", "widgets"):
        old, new = (json.loads(renames.of(json.dumps(one[what], ensure_ascii=False))) for one in (before, after))
        hard += [f"{what}{line}" for line in json_differences(old, new)]
    hard += payload_differences(before["payloads"], after["payloads"], renames)
    return hard, word_differences(*([renames.of(one) for one in side["words"]] for side in (before, after)))


def payload_differences(before: list[dict], after: list[dict], renames: Renames) -> list[str]:
    """Payloads of the same name are compared in their order on the page."""
    olds, news = _by_name(before, renames), _by_name(after, renames)
    said = []
    for name in dict.fromkeys((*olds, *news)):
        for number, (old, new) in enumerate(zip_longest(olds.get(name, []), news.get(name, [])), 1):
            said += [f"{name} {number}{line}" for line in _sent_differences(old, new, renames)]
    return said


def _by_name(payloads: list[dict], renames: Renames) -> dict[str, list[dict]]:
    """Payloads by the new name of what they are sent to."""
    found: dict[str, list[dict]] = {}
    for one in payloads:
        found.setdefault(renames.components.get(one["name"], one["name"]), []).append(one)
    return found


def _sent_differences(old: dict | None, new: dict | None, renames: Renames) -> list[str]:
    if old is None or new is None:
        return [" is new" if old is None else " is gone"]
    if old["sha256"] == new["sha256"]:
        return []
    told, now = renames.of(old["json"]), renames.of(new["json"])
    said = json_differences(json.loads(told or "null"), json.loads(now or "null"))
    if old["arrays"] != new["arrays"]:
        said.append(f": its arrays differ, {old['bytes']:,} bytes before, {new['bytes']:,} after")
    if not said and told != now and told == old["json"]:  # renamed keys may stand in another order, others not
        said.append(f": the same values, written otherwise: {_around(told, now)}")
    return said


def json_differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Where two JSON values differ, each with its place: "steps[3].share: 0.5 → 0.6"."""
    found = list(_differing(old, new, place))
    return found[:SHOWN] + [f"{place}: {len(found) - SHOWN} more differences"] * (len(found) > SHOWN)


def _differing(old: Any, new: Any, place: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for name in old:
            yield from _differing(old[name], new[name], f"{place}.{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differing(one, other, f"{place}[{number}]")
    elif isinstance(old, dict) and isinstance(new, dict):
        gone, come = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
        yield f"{place}: keys gone {gone}, new {come}"
        for name in old.keys() & new.keys():
            yield from _differing(old[name], new[name], f"{place}.{name}")
    elif json.dumps(old) != json.dumps(new):  # as text: true is not 1 there
        yield f"{place}: {_around(json.dumps(old, ensure_ascii=False), json.dumps(new, ensure_ascii=False))}"


def word_differences(before: list[str], after: list[str]) -> list[str]:
    """Which texts are gone, new, or other than before."""
    said = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for old, new in zip_longest(before[a:b], after[c:d]) if kind != "equal" else ():
            said.append(f"- {old}" if new is None else f"+ {new}" if old is None else _around(old, new))
    return said


def _around(old: str, new: str, margin: int = 30, most: int = 240) -> str:
    """Two texts, cut to where they differ."""
    first = _shared(old, new)
    last = _shared(old[first:][::-1], new[first:][::-1])
    sides = []
    for text in (old, new):
        begin, end = max(0, first - margin), min(len(text), len(text) - last + margin)
        shown = text[begin:end] if end - begin <= most else text[begin : begin + most] + "…"
        sides.append("…" * (begin > 0) + shown + "…" * (end < len(text)))
    return " → ".join(sides)


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with together."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def compare(before: list[dict], after: list[dict], renames: Renames) -> int:
    """Print what differs, link by link; gives how many links have differences that must not be."""
    assert [one["params"] for one in before] == [one["params"] for one in after], "not of the same links"
    wrong = other = 0
    for number, (old, new) in enumerate(zip(before, after, strict=True), 1):
        hard, words = differences(old, new, renames)
        wrong, other = wrong + bool(hard), other + bool(words)
        if hard or words:
            print(f"{number} {old['page']}?{'&'.join(f'{name}={value}' for name, value in old['params'].items())}")
            print("".join(f"    DIFFERS  {line}\n" for line in hard) + "".join(f"    words    {line}\n" for line in words), end="")
    kept, all_of_them = exactly_kept(before, after)
    print(f"{kept} of {all_of_them} payloads are the same byte for byte")
    print(f"{len(before)} links: payloads, parameters or widgets differ in {wrong}, words in {other}")
    return wrong


def exactly_kept(before: list[dict], after: list[dict]) -> tuple[int, int]:
    """How many payloads are there byte for byte, without renaming anything; of how many."""
    sides = [Counter((n, one["sha256"]) for n, screen in enumerate(side) for one in screen["payloads"]) for side in (before, after)]
    return (sides[0] & sides[1]).total(), sides[0].total()


def dump(out: Path) -> None:
    """Read the screens of all links into a file."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")  # sums in one order
    from tests.pages import conftest

    conftest.frame.TURN = 0.0  # there is no browser to give time to
    screens = [screen_of(link) for link in json.loads(LINKS.read_text("utf-8"))]
    out.write_text(json.dumps(screens, ensure_ascii=True, indent=1), "utf-8")
    print(f"{len(screens)} screens, {sum(len(one['payloads']) for one in screens)} payloads → {out}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--compare", before, after, *renames] if len(renames) < 2:
            sides = [json.loads(Path(path).read_text("utf-8")) for path in (before, after)]
            sys.exit(compare(*sides, Renames(**(json.loads(Path(renames[0]).read_text("utf-8")) if renames else {}))) > 0)
        case [out] if not out.startswith("-"):
            dump(Path(out))
        case _:
            sys.exit(__doc__)
