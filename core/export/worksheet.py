"""A worksheet to print, with its solution: one HTML file that needs no other, two A4 pages in black and white."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from core.analysis.hand.worksheet import D, Exercise

STYLE = """
@page { size: A4; margin: 14mm 18mm; }
:root { color-scheme: light; }
body { font: 11pt/1.4 Georgia, "Source Serif", serif; color: #000; background: #fff; max-width: 174mm; margin: 8mm auto; }
.page + .page { break-before: page; border-top: 1px dashed #000; margin-top: 12mm; padding-top: 6mm; }
h1 { font-size: 17pt; margin: 0 0 2mm; display: flex; justify-content: space-between; align-items: baseline; }
h1 small { font-size: 10.5pt; font-weight: normal; }
h2 { font-size: 12pt; margin: 4.5mm 0 1mm; }
p { margin: 0 0 2mm; }
.name { margin-bottom: 3mm; } .name i { display: inline-block; border-bottom: 1px solid #000; width: 62mm; }
.side { display: flex; flex-wrap: wrap; gap: 2mm 7mm; align-items: flex-start; } .side > div { flex: 1 1 78mm; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid #000; padding: .8mm 1.6mm; text-align: center; min-width: 12mm; height: 8.5mm; }
th { font-weight: bold; } 
.powers { margin-bottom: 2.5mm; } .powers td, .powers th { min-width: 0; padding: .4mm 1.6mm; font-size: 9pt; height: auto; }
.wide td { min-width: 34mm; }
footer { font-size: 9pt; margin-top: 4mm; }
@media print { body { margin: 0; } .page + .page { border: 0; margin: 0; padding: 0; } }
"""
POWERS = np.arange(-5, 6) / 2  # every score that a sheet can hold


def worksheet(exercise: Exercise) -> str:
    """The sheet with blanks and, on a page of its own, the same sheet filled in."""
    name = f"Worksheet {exercise.number}"
    line = '<p class="name">Name <i></i> &nbsp; Date <i style="width:30mm"></i></p>'
    note = "<p>Weights have three decimals, outputs one; worked out with rounded numbers, a last digit may differ by one.</p>"
    pages = _page(exercise, name, line, False) + _page(exercise, f"Key to worksheet {exercise.number}", note, True)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Self-attention by hand: {name}</title>'
        f"<style>{STYLE}</style></head><body>{pages}</body></html>"
    )


def number(value: float, digits: int | None = None) -> str:
    """A number for the sheet, with a true minus sign. digits: its decimals; None writes as few as the number needs."""
    said = f"{value:g}" if digits is None else f"{value:.{digits}f}"
    return (said.lstrip("-") if float(said) == 0 else said).replace("-", "−")


def vector(values: np.ndarray, digits: int | None = None) -> str:
    """A vector for the sheet: (1, −2)."""
    return f"({', '.join(number(float(value), digits) for value in values)})"


def _page(it: Exercise, title: str, under: str, solved: bool) -> str:
    words = it.words

    def square(head: str, columns: Sequence[str], rows: np.ndarray, digits: int | None = None) -> str:
        cells = [[number(float(value), digits) if solved else "" for value in row] for row in rows]
        return _table([head, *columns], words, cells)

    given = [[vector(vectors[n]) for vectors in (it.query, it.key, it.value)] for n in range(len(words))]
    outputs = [[vector(row, 1) if solved else ""] for row in it.output]
    most = [words[int(row.argmax())] if solved else "" for row in it.weight]
    looks = [f"“{escape(word)}” looks most at “{escape(seen) or '&emsp;' * 4}”" for word, seen in zip(words, most, strict=True)]
    return (
        f'<section class="page"><h1>Self-attention by hand <small>{escape(title)}</small></h1>{under}'
        "<p>Each word has a query q, a key k and a value v. Find what each word takes home.</p>"
        f"{_table(['', 'query q', 'key k', 'value v'], words, given)}"
        "<p>Rows: who looks, with its query. Columns: who is looked at, by its key.</p>"
        '<div class="side"><div><h2>1. Dot products q·k</h2><p>Multiply number by number, and add up.</p>'
        f"{square('q·k', words, it.product)}</div>"
        f"<div><h2>2. Scaling: divide by √d</h2><p>A key has d = {D} numbers, so √d = {number(D**0.5)}.</p>"
        f"{square('q·k ÷ √d', words, it.score)}</div></div>"
        "<h2>3. Softmax: eˣ of each score, the sum of the row, each one’s share of it</h2>"
        f"{_table(['x', *map(number, POWERS)], ['eˣ'], [[number(np.exp(x), 3) for x in POWERS]], 'powers')}"
        f'<div class="side">{square("eˣ", [*words, "sum"], np.c_[it.power, it.power.sum(axis=-1)], 3)}'
        f"{square('weight', words, it.weight, 3)}</div>"
        "<h2>4. Output: each value times its weight, added up</h2>"
        f'<div class="side">{_table(["", "output"], words, outputs, "wide")}<p>{"<br>".join(looks)}</p></div>'
        "<footer>softmax(q·kᵀ / √d) · v: Vaswani et al. 2017, “Attention Is All You Need”, eq. 1. Made by Lookback.</footer>"
        "</section>"
    )


def _table(head: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, cells in zip(names, rows, strict=True)
    )
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
