"""The decoder lens as a table: a row a depth, a column a token; how likely it is there, and what would stand in its place."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.analysis.depths import Settling
from core.figures.labels import label, percent
from core.figures.payloads.duet import odds


def table(found: Settling, names: Sequence[str], tokens: Sequence[str], others: Sequence[Sequence[str]], chosen: int) -> str:
    """HTML. names: of the depths. tokens: the text's. others [depth, token]: what is likeliest there. chosen: the depth in view."""
    head = "".join(f'<th scope="col"><bdi>{escape(label(token, 14))}</bdi></th>' for token in tokens)
    body = []
    for depth, name in enumerate(names):
        cells = [_cell(found, depth, place, others[depth][place]) for place in range(len(tokens))]
        here = ' class="here"' if depth == chosen else ""
        whole = f'<td class="whole">{odds(float(found.whole[depth]))}</td>'
        body.append(f'<tr{here}><th scope="row">{escape(name)}</th>{"".join(cells)}{whole}</tr>')
    return (
        '<div class="settling" tabindex="0" role="region" aria-label="How likely each token is at each depth"><table><thead><tr>'
        f'<th scope="col">reads</th>{head}<th scope="col" class="whole">all together</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(found: Settling, depth: int, place: int, other: str) -> str:
    chance, settled = float(found.chance[depth, place]), int(found.settled[place])
    first = int(found.likeliest[depth, place]) == found.ids[place]
    kinds = [kind for kind, is_so in (("first", first), ("settles", depth == settled)) if is_so]
    instead = "" if first else f"<em><bdi>{escape(label(other, 14))}</bdi> {percent(float(found.best[depth, place]))}</em>"
    bar = f'<i><b style="width:{100 * chance:.1f}%"></b></i>'
    return f'<td class="{" ".join(kinds)}"><span>{percent(chance)}</span>{bar}{instead}</td>'
