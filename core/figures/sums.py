"""A weight worked out by hand, as a table and as text to copy."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.analysis.cell import Cell, scaling_name

Line = tuple[str, str, str]  # step, formula with this cell's numbers, result


def lines(cell: Cell) -> list[Line]:
    """The family's own steps, in order, only those it has."""
    d = len(cell.query)
    named = scaling_name(cell.scaling, d, cell.bias is not None)
    found = [("q·k", f"Σ of {d} products qᵢ·kᵢ", _n(cell.raw))]
    score = cell.raw
    if cell.scaling != 1:
        found.append((f"× scaling ({named})", f"{_n(cell.raw)} × {_n(cell.scaling)}", _n(cell.scaled)))
        score = cell.scaled
    else:
        found.append(("× scaling", f"{named}: this family has no factor here", _n(cell.scaled)))
    if cell.softcap is not None and cell.capped is not None:
        cap = _n(cell.softcap)
        found.append(("soft-cap", f"{cap} · tanh({_n(score)} / {cap})", _n(cell.capped)))
        score = cell.capped
    if cell.bias is not None and cell.biased is not None:
        found.append(("+ position bias", f"{_n(score)} + {_n(cell.bias)}", _n(cell.biased)))
        score = cell.biased
    if cell.temperature is not None:
        found.append(("÷ temperature", f"{_n(score)} / {_n(cell.temperature)}", _n(cell.score)))
    if not cell.allowed:
        return [*found, ("+ mask", "may not look: the score becomes −∞, so e^−∞ = 0", _n(0.0))]
    found.append(("+ mask", "may look: the score stays", _n(cell.score)))
    found.append(("e^x", f"e^({_n(cell.score)} − {_n(cell.top)}), the row’s largest taken off", _n(cell.exponential)))
    sunk = "" if cell.sunk is None else f", the sink’s {_n(cell.sunk)} included"
    found.append(("denominator", f"Σ of e^x over the row{sunk}", _n(cell.total)))
    found.append(("softmax", f"{_n(cell.exponential)} / {_n(cell.total)}", f"{cell.weight:.8f}"))
    return found


def table(cell: Cell, caption: str) -> str:
    """The sum as an HTML table, ending with the model's own value and the difference."""
    rows = [*lines(cell), *_verdict(cell)]
    body = "".join(
        f'<tr><th scope="row">{escape(step)}</th><td>{escape(how)}</td><td class="result">{escape(result)}</td></tr>'
        for step, how, result in rows
    )
    return (
        f'<div class="sum" tabindex="0" role="region" aria-label="{escape(caption)}"><table><caption>{escape(caption)}'
        f"</caption><tbody>{body}</tbody></table></div>"
    )


def products(cell: Cell) -> str:
    """q·k element by element as an HTML table: dimension, q, k, their product as a number and a bar."""
    most = max(abs(cell.products).max(), 1e-12)
    rows = []
    for i, (q, k, product) in enumerate(zip(cell.query, cell.key, cell.products, strict=True)):
        side, share = ("more" if product >= 0 else "less"), 50 * abs(product) / most
        rows.append(
            f"<tr><td>{i + 1}</td><td>{_n(q)}</td><td>{_n(k)}</td><td>{_n(product)}</td>"
            f'<td class="bar"><i class="{side}" style="width:{share:.1f}%"></i></td></tr>'
        )
    return (
        '<div class="sum products" tabindex="0" role="region" aria-label="q·k, dimension by dimension"><table><thead><tr>'
        '<th scope="col">i</th><th scope="col">qᵢ</th><th scope="col">kᵢ</th><th scope="col">qᵢ·kᵢ</th><th></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def text(cell: Cell, title: str) -> str:
    """The sum as plain text, to paste into notes."""
    rows: Sequence[Line] = [*lines(cell), *_verdict(cell)]
    wide = max(len(step) for step, _, _ in rows)
    vectors = [f"{name} = [{', '.join(f'{v:.6g}' for v in found)}]" for name, found in (("q", cell.query), ("k", cell.key))]
    return "\n".join([title, *vectors, *(f"{step:<{wide}}  {how}  =  {result}" for step, how, result in rows)])


def _verdict(cell: Cell) -> list[Line]:
    return [("the model’s own", "the number in the map", f"{cell.model:.8f}"), ("difference", "", f"{cell.difference:.1e}")]


def _n(value: float) -> str:
    return f"{value:.5g}".replace("-", "−")
