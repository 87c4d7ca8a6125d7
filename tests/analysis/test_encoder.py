"""Paths, cosines, moments and neurons against other formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analysis.encoder import angle, cosines, firing, moments, paths, strongest_neurons

streams = arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 8)), elements=st.integers(-9, 9))


@given(streams)
def test_the_axes_are_those_of_the_covariance(residual):
    """Principal components a second way: eigenvalues of the covariance matrix, and the variance of the projections."""
    found = paths(residual)
    flat = residual.reshape(-1, residual.shape[-1])
    values = np.sort(np.linalg.eigvalsh(np.cov(flat.T, bias=True).reshape(flat.shape[1], -1)))[::-1]
    total = values.sum()
    points = found.points.reshape(-1, 2)
    assert np.allclose(points.mean(axis=0), 0, atol=1e-9)
    for axis in range(2):
        wanted = values[axis] if axis < len(values) else 0.0
        assert points[:, axis].var() == pytest.approx(max(wanted, 0.0), abs=1e-8)
        assert found.share[axis] == pytest.approx(max(wanted, 0.0) / total if total > 1e-12 else 0.0, abs=1e-8)


@given(streams)
def test_vectors_in_one_plane_keep_their_distances(residual):
    flat = residual.copy()
    flat[..., 2:] = 0
    points = paths(flat).points.reshape(-1, 2)
    plane = flat.reshape(-1, flat.shape[-1])
    apart = np.linalg.norm(plane[:, None] - plane[None], axis=-1)
    assert np.allclose(np.linalg.norm(points[:, None] - points[None], axis=-1), apart, atol=1e-7)


def test_cosines_and_angles_of_known_vectors():
    vectors = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, -2.0], [0.0, 0.0]])
    assert cosines(vectors) == pytest.approx(
        np.array([[1, 0.5**0.5, 0, 0], [0.5**0.5, 1, -(0.5**0.5), 0], [0, -(0.5**0.5), 1, 0], [0, 0, 0, 0]])
    )
    assert angle(vectors[0], vectors[1]) == pytest.approx(45)
    assert angle(vectors[1], vectors[2]) == pytest.approx(135)
    assert angle(vectors[0], vectors[3]) == 90


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.integers(-50, 50)))
def test_moments_are_the_sums_of_the_formula(x):
    for row, (mean, deviation) in zip(x.tolist(), moments(x), strict=True):
        wanted = sum(row) / len(row)
        assert mean == pytest.approx(wanted)
        assert deviation == pytest.approx((sum((v - wanted) ** 2 for v in row) / len(row)) ** 0.5)


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=st.integers(-3, 3)), st.integers(1, 4))
def test_the_strongest_neurons_are_found_as_by_looking_at_each(inner, k):
    fired = np.maximum(inner, 0)
    for position in range(len(fired)):
        found = strongest_neurons(fired, position, k, most=2)
        firing_here = [n for n in range(fired.shape[1]) if fired[position, n] > 0]
        assert len(firing_here) == firing(fired)[position]
        assert [one.number for one in found] == sorted(firing_here, key=lambda n: (-fired[position, n], n))[:k]
        for one in found:
            assert one.value == fired[position, one.number]
            order = sorted(range(len(fired)), key=lambda p: (-fired[p, one.number], p))
            assert one.most == tuple((p, fired[p, one.number]) for p in order[:2] if fired[p, one.number] > 0)
