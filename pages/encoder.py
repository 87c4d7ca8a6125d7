"""The encoder: one text walked from embedding to the next layer, box by box, and where its vectors move."""

from core.ui.encoder import lesson, walk
from core.ui.kit import trouble
from core.ui.running import scene
from core.ui.session import state
from core.ui.shell import bar


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    if why := walk.reason(view):
        lesson.without(view, why)
        state.publish()
        return
    it = walk.walked(view)
    state.publish()
    lesson.lead(it)
    walk.figure(it)
    lesson.below(it)


page(bar.open_page())
