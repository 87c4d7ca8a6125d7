"""Files made from traces: arrays, tables, requests, figures, and the lines of Python that compute them again."""

from core.export.figure import svg
from core.export.numbers import ROWS, csv_table, npz, read_npz
from core.export.requests import python_lines
from core.export.sheets import Colours, bars, heads, lines
from core.request_json import request_from_json, request_to_json

__all__ = [
    "ROWS", "Colours", "bars", "csv_table", "heads", "lines", "npz", "python_lines", "read_npz", "request_from_json",
    "request_to_json", "svg",
]  # fmt: skip
