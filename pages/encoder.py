"""The encoder: one text walked from embedding to the next layer, box by box, and where its vectors move."""

from core.ui import bar, encoder_lesson, encoder_walk, scene, state, trouble


@trouble.block
def page(view: scene.Scene) -> None:
    """Everything below the title; runs again on its own when something in it is used."""
    if why := encoder_walk.reason(view):
        encoder_lesson.without(view, why)
        state.publish()
        return
    it = encoder_walk.walked(view)
    state.publish()
    encoder_lesson.lead(it)
    encoder_walk.figure(it)
    encoder_lesson.below(it)


page(bar.open_page("The encoder"))
