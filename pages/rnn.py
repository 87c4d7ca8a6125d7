"""From RNN to attention: three networks, one memory game, and what each keeps of what it has read."""

import streamlit as st

from core.ui import memory, trouble

st.title("From RNN to attention", anchor=False)
st.html(
    '<p class="lead">You will see a recurrent network forget, and the same network remember once it may <b>look back</b>.</p>'
)


@trouble.block
def page() -> None:
    """Everything below the first line; runs again on its own when something in it is used."""
    memory.game()


page()
