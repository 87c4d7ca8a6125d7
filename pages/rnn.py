"""From RNN to attention: three networks, one memory game, and what each keeps of what it has read."""

from core.ui.kit import trouble
from core.ui.rnn import lesson
from core.ui.shell import menu

menu.heading()


@trouble.block
def page() -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    lesson.opened()


page()
