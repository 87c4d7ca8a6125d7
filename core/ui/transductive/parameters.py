"""What the page Transductive learning keeps in a link: what lies on the board."""

from __future__ import annotations

from core.analysis.transductive.board import Board, read_board, write_board
from core.ui.session.links import Parameter, declare, optional

# None as the lesson opens
BOARD = declare(Parameter[Board | None]("board", None, read_board, optional(write_board)))
