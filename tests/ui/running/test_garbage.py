"""What is laid by for good is not walked again, and nothing is laid by that is garbage."""

import gc
import sys
import weakref
from pathlib import Path

import pytest

from core.ui import warm
from core.ui.running import garbage


class Knot:
    """Something that holds itself, so that only the collector can find it gone."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def thawed():
    yield
    gc.unfreeze()


def test_later_collections_leave_out_what_is_there_now(thawed):
    there, before = Knot(), len(gc.get_objects())
    garbage.settle()
    assert len(gc.get_objects()) < before / 10 and gc.get_freeze_count() > 0.9 * before
    assert all(one is not there for one in gc.get_objects())


def test_what_became_garbage_goes_when_the_next_model_is_read(thawed):
    knot = Knot()
    model = weakref.ref(knot)
    garbage.settle()
    del knot
    gc.collect()
    assert model() is not None  # laid by: the price of a short walk
    garbage.settle()
    assert model() is None


def test_every_module_of_a_page_is_there_before_its_first_visitor():
    warm.pages()
    files = Path(warm.__file__).parents[2].glob("core/ui/*/[!_]*.py")
    names = {".".join(file.with_suffix("").parts[-4:]) for file in files}
    assert len(names) > 60 and names <= set(sys.modules)
