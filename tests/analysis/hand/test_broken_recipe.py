"""A recipe in a link: what was taken away comes back, anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.hand.broken_recipe import AS_TRAINED, TEMPERATURES, TOPS, BrokenRecipe, read_recipe, write_recipe

RECIPES = st.builds(
    BrokenRecipe, st.booleans(), st.sampled_from(TEMPERATURES), st.none() | st.sampled_from(TOPS), st.booleans(),
    st.none() | st.integers(0, 999),
)  # fmt: skip


@given(RECIPES)
def test_a_recipe_comes_back_from_its_own_link(recipe):
    assert read_recipe(write_recipe(recipe)) == recipe
    assert (write_recipe(recipe) == "") == (recipe == AS_TRAINED)


@pytest.mark.parametrize("text", ["x", "rr", "r_", "_r", "t3", "t1", "k0", "k5", "h", "h-1", "n_r", "t4k1", "t٤", "r_t4_k1_n_h1_"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError):
        read_recipe(text)
