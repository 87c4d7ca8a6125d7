"""Transductive learning: label a few points, and see which way gets the others right."""

from core.ui.kit import trouble
from core.ui.shell import menu
from core.ui.transductive import lesson

menu.heading()


@trouble.block
def page() -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    lesson.page()


page()
