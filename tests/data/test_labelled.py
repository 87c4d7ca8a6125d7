"""The labelled statements that ship are those that the grammar writes, none of them seen in training."""

import pytest

from core.data import corpus, labelled
from core.paths import DATA


@pytest.mark.assets
def test_the_file_that_ships_is_written_again_alike() -> None:
    rows = [tuple(row.split("\t")) for row in (DATA / labelled.NAME).read_text("utf-8").splitlines()]
    assert rows == labelled.statements()
    assert len(set(rows)) == len(rows) == labelled.EACH * len(labelled.SECTIONS)
    assert all(corpus.held_out(text) for _, text in rows)
