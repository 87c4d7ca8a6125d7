"""What a sentence says of the next token is what is first in each of the two distributions."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import core
from core.ui.attention.positions import told
from core.ui.running.focus import Focus
from tests.pages.conftest import Screen

LOGITS = arrays(np.float64, 6, elements=st.integers(-30, 30).map(float))
NAMES = "abcdef"


def trace(logits):
    return SimpleNamespace(next_logits=logits, masked_logits={}, token_text=lambda place: NAMES[place])


@given(LOGITS, LOGITS)
def test_it_stays_where_the_same_token_is_first_and_turns_where_another_is(before, after):
    first, then = NAMES[np.argsort(-before, kind="stable")[0]], NAMES[np.argsort(-after, kind="stable")[0]]
    says = f"stays “{first}”" if first == then else f"turns from “{first}” to “{then}”."
    masked = Focus._turned(SimpleNamespace(native=trace(before), now=trace(after)))
    assert says in "".join(part if isinstance(part, str) else part[0] for part in masked)
    assert says in told(SimpleNamespace(now=trace(before)), trace(after), 0.5)


@pytest.mark.parametrize("text", ["two cats sat", "one cat sat", "gen ai is"])
def test_the_page_masks_names_the_token_that_is_first_with_the_mask_off(text):
    lens = core.load("classroom")
    page = Screen("masks", text=text, mask="decoder.full")
    target = page.app.text_input(key="bar-target-text").value
    request = lens.request(text, target)
    off = request.with_mask(core.MaskRule(core.Stream.DECODER, "full"))
    first, then = (lens.run(one).next_tokens(1)[0].text.strip() for one in (request, off))
    assert (f"stays “{first}”" if first == then else f"turns from “{first}” to “{then}”") in page.lead
