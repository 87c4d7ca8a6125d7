"""Labels passed on: the matrices are what their papers say, and where labels end is where scikit-learn's end."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from core.analysis.embedding import mean_pooled, plane
from core.analysis.transductive import fewlabels, fourways, inductive, pointsets, transduction
from core.analysis.transductive.transduction import NONE
from core.model.multihead import attention

NAMES = tuple(pointsets.SETS)


def board(name="moons", each=2, seed=0):
    points = pointsets.draw(name, seed)
    return points, pointsets.some_labels(points.classes, each, np.random.default_rng([seed, each]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gamma", [2.0, 40.0])
def test_the_matrix_of_propagation_is_the_models_own_attention(name, gamma):
    points, labels = board(name)
    w = transduction.weights(points.x, gamma)
    found = transduction.propagation(points.x, gamma)
    assert np.allclose(found, w / w.sum(1, keepdims=True), atol=1e-12)  # D⁻¹W as written
    assert np.allclose(found.sum(1), 1, atol=1e-12)
    # −γ‖x − y‖² = 2γ (x·y − ‖y‖²/2) − γ‖x‖², whose last term a row shares: queries (x, 1), keys (y, −‖y‖²/2), scaling 2γ
    x = torch.tensor(points.x)
    query = torch.cat([x, torch.ones(len(x), 1)], 1)[None, None]
    key = torch.cat([x, -x.square().sum(1, keepdim=True) / 2], 1)[None, None]
    y = torch.tensor(transduction.known(labels, points.count))
    out, weights = attention(query, key, y[None, None], scaling=2 * gamma)
    assert np.allclose(found, weights[0, 0].numpy(), atol=1e-9)
    free = found @ y.numpy()
    given = labels != NONE
    once = transduction.propagate(found, y.numpy(), 1)[1]
    assert np.allclose(out[0, 0].numpy(), free, atol=1e-9)
    assert np.allclose(once[~given], free[~given]) and np.array_equal(once[given], y.numpy()[given])


@pytest.mark.parametrize("name", NAMES)
def test_the_matrix_of_spreading_is_symmetric_looks_away_from_itself_and_is_no_softmax(name):
    points, _ = board(name)
    s = transduction.spreading(points.x, 40.0)
    w = transduction.weights(points.x, 40.0) - np.eye(len(s))
    root = np.diag(1 / np.sqrt(w.sum(1)))
    assert np.allclose(s, root @ w @ root, atol=1e-12)
    assert np.array_equal(np.diag(s), np.zeros(len(s))) and np.allclose(s, s.T)
    assert s.sum(1).min() < 0.98 and s.sum(1).max() > 1.02
    assert np.abs(np.linalg.eigvalsh(s)).max() <= 1 + 1e-9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("gamma", "alpha"), [(10, 0.2), (20, 0.8)])
def test_spreading_ends_where_scikit_learns_ends(name, gamma, alpha):
    points, labels = board(name, 3)
    theirs = LabelSpreading(kernel="rbf", gamma=gamma, alpha=alpha, max_iter=20_000, tol=1e-12).fit(points.x, labels)
    y = transduction.known(labels, points.count)
    s = transduction.spreading(points.x, gamma)
    ours = transduction.reach(s, alpha) @ y
    assert np.allclose(ours / ours.sum(1, keepdims=True), theirs.label_distributions_, atol=1e-6)
    assert np.array_equal(transduction.decided(ours), theirs.transduction_)
    assert np.allclose(transduction.spread(s, y, alpha, 600)[-1], ours, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_propagation_ends_where_scikit_learns_ends(name):
    points, labels = board(name, 3)
    theirs = LabelPropagation(kernel="rbf", gamma=10, max_iter=50_000, tol=1e-10).fit(points.x, labels)
    y = transduction.known(labels, points.count)
    p = transduction.propagation(points.x, 10)
    ours = transduction.propagated(p, y)
    assert np.allclose(ours, theirs.label_distributions_, atol=1e-4)
    assert np.allclose(ours, transduction.propagate(p, y, 20_000)[-1], atol=1e-6)
    assert np.array_equal(transduction.decided(ours), theirs.transduction_)


def test_no_label_no_class_and_far_points_break_nothing():
    x = np.array([[0.0, 0.0], [0.1, 0.0], [1e6, 0.0]])
    for labels in ([NONE] * 3, [0, NONE, NONE], [0, 1, 0]):
        found = fourways.answers(pointsets.PointSet(x, np.array([0, 0, 1]), ("a", "b")), np.array(labels), 10.0, 0.9)
        assert all(len(classes) == 3 for classes in found.decided.values())
        assert np.isfinite(found.matrices[0]).all() and np.isfinite(found.matrices[1]).all()
    assert fourways.answers(pointsets.PointSet(x, np.array([0, 0, 1]), ("a", "b")), np.array([0, NONE, NONE]), 10.0, 0.9).decided[
        "spreading"
    ].tolist() == [0, 0, NONE]


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 3))
@settings(max_examples=12, deadline=None)
def test_the_two_rules_are_scikit_learns(seed, classes, dimensions):
    rng = np.random.default_rng(seed)
    x, asked = rng.normal(size=(6 * classes, dimensions)), rng.normal(size=(40, dimensions))
    labels = np.repeat(np.arange(classes), 6)
    v = inductive.logistic(x, labels, classes)
    # with two classes scikit-learn penalises one vector w for both; ours are w/2 and -w/2, whose penalty is half as large
    theirs = LogisticRegression(C=2.0 if classes == 2 else 1.0, tol=1e-10, max_iter=10_000).fit(x, labels)
    scores = asked @ v[:-1] + v[-1]
    ours = np.exp(scores - scores.max(1, keepdims=True))
    ours /= ours.sum(1, keepdims=True)
    assert np.allclose(ours, theirs.predict_proba(asked), atol=1e-3)
    clear = np.diff(np.sort(ours, axis=1)[:, -2:], axis=1)[:, 0] > 2e-3  # elsewhere the last digits decide
    assert np.array_equal(inductive.answer(v, asked)[clear], theirs.predict(asked)[clear])
    for k in (1, 3):
        assert np.array_equal(
            inductive.nearest(x, labels, asked, k), KNeighborsClassifier(k).fit(x, labels).predict(asked)
        )


def test_many_regressions_side_by_side_are_each_what_it_is_alone():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(5, 12, 3)), np.tile(np.repeat([0, 1, 2], 4), (5, 1))
    together = inductive.logistic(x, labels, 3)
    for one in range(5):
        assert np.allclose(together[one], inductive.logistic(x[one], labels[one], 3), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_sets_are_the_same_for_the_same_seed_and_others_for_another(name):
    assert np.array_equal(pointsets.draw(name, 3).x, pointsets.draw(name, 3).x)
    assert not np.array_equal(pointsets.draw(name, 3).x, pointsets.draw(name, 4).x)
    points = pointsets.draw(name, 0)
    assert np.bincount(points.classes).tolist() == [len(points.x) // points.count] * points.count
    assert (np.diff(points.classes) >= 0).all()


def test_the_factor_of_the_interval_is_students():
    # the density of t with 19 degrees of freedom, summed between ± the factor
    t = np.linspace(-fewlabels.T95, fewlabels.T95, 200_001)
    density = (1 + t * t / 19) ** -10
    whole = (1 + np.linspace(-400, 400, 4_000_001) ** 2 / 19) ** -10
    assert np.trapezoid(density, t) / np.trapezoid(whole, dx=800 / 4_000_000) == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize(("name", "sign"), [("moons", 1), ("rings", 1), ("across", -1)])
def test_spreading_leads_where_neighbours_are_alike_and_trails_where_they_are_not(name, sign):
    sets = [pointsets.draw(name, seed) for seed in range(fewlabels.SEEDS)]
    found = fewlabels.measure(sets, fewlabels.ends(sets, 40.0, 0.99), 2)
    _, low, high = found.lead()
    assert min(sign * low, sign * high) > 0.03
    # counted once more, one seed by hand
    points = sets[7]
    labels = pointsets.some_labels(points.classes, 2, np.random.default_rng([7, 2]))
    answers = fourways.answers(points, labels, 40.0, 0.99)
    assert [answers.right(way) for way in fewlabels.WAYS] == pytest.approx(found.right[7].tolist())


def test_a_text_is_the_mean_of_its_own_tokens():
    rows = np.array([[9.0, 9], [3, 0], [3, 8], [9, 9]])
    assert mean_pooled(rows, (True, False, False, True)) == pytest.approx([0.6, 0.8])
    x = np.random.default_rng(0).normal(size=(30, 5)) * [5, 1, 0.5, 0.2, 3]
    flat = plane(x)
    values = np.linalg.eigvalsh(np.cov(x.T))[::-1][:2]
    assert flat.var(0, ddof=1) == pytest.approx(values)
