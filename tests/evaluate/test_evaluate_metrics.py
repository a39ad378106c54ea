"""Every metric against scikit-learn, with ties, weights as repeated rows, and draws that hold one class."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.evaluate import metrics
from asclepius.evaluate.bootstrap import Draws
from asclepius.evaluate.calibration import Calibration
from asclepius.evaluate.cases import Cases
from asclepius.evaluate.catalogue import METRICS
from asclepius.evaluate.estimates import estimate
from asclepius.task import Task


@st.composite
def samples(draw):
    n = draw(st.integers(2, 25))
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    # Tenths: ties are the rule, not the exception.
    scores = draw(st.lists(st.integers(0, 10), min_size=n, max_size=n))
    weights = draw(st.lists(st.lists(st.integers(0, 3), min_size=n, max_size=n), min_size=1, max_size=4))
    return np.array(draw(flags)), np.array(scores) / 10, np.array(draw(flags)), np.array(weights, dtype=float)


def repeated(array, weights):
    return np.repeat(array, weights.astype(int))


def expected(function, target, other, weights):
    """scikit-learn on repeated rows; NaN where we say the metric is undefined."""
    t, o = repeated(target, weights), repeated(other, weights)
    return function(t, o) if len(t) else np.nan


@settings(max_examples=80, deadline=None)
@given(samples())
def test_ranking_equals_scikit_learn_on_repeated_rows(sample):
    target, score, _, weights = sample
    ranking = metrics.Ranking(target, score)
    auc, ap = ranking.auc(weights), ranking.average_precision(weights)
    for draw, w in enumerate(weights):
        t, s = repeated(target, w), repeated(score, w)
        if t.any() and not t.all():
            assert auc[draw] == pytest.approx(reference.roc_auc_score(t, s), abs=1e-12)
        else:
            assert np.isnan(auc[draw])
        if t.any():
            assert ap[draw] == pytest.approx(reference.average_precision_score(t, s), abs=1e-12)
        else:
            assert np.isnan(ap[draw])


@settings(max_examples=80, deadline=None)
@given(samples())
def test_decisions_equal_scikit_learn_on_repeated_rows(sample):
    target, score, decision, weights = sample
    counts = metrics.count(target, decision, weights)
    nan = {"zero_division": np.nan, "labels": [False, True], "pos_label": True}
    functions = {
        metrics.accuracy: lambda t, d: reference.accuracy_score(t, d),
        metrics.sensitivity: lambda t, d: reference.recall_score(t, d, **nan),
        metrics.specificity: lambda t, d: reference.recall_score(~t, ~d, **nan),
        metrics.precision: lambda t, d: reference.precision_score(t, d, **nan),
        metrics.f1: lambda t, d: reference.f1_score(t, d, **nan),
        metrics.balanced_accuracy: lambda t, d: (
            reference.balanced_accuracy_score(t, d) if t.any() and not t.all() else np.nan
        ),
    }
    for function, theirs in functions.items():
        found = function(counts)
        for draw, w in enumerate(weights):
            assert found[draw] == pytest.approx(expected(theirs, target, decision, w), nan_ok=True), function
    brier = Calibration(target, score).brier(weights)
    for draw, w in enumerate(weights):
        if w.any():
            t, s = repeated(target, w), repeated(score, w)
            assert brier[draw] == pytest.approx(reference.brier_score_loss(t, s, labels=[False, True]))


@settings(max_examples=80, deadline=None)
@given(samples(), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_sensitivity_at_specificity_is_the_best_that_any_threshold_reaches(sample, specificity):
    target, score, _, weights = sample
    found = metrics.Ranking(target, score).sensitivity_at(specificity, weights)
    for draw, w in enumerate(weights):
        t, s = repeated(target, w), repeated(score, w)
        if not t.any() or t.all():
            assert np.isnan(found[draw])
            continue
        reached = [
            (s[t] >= level).mean() for level in [*s, np.inf] if (s[~t] < level).sum() >= specificity * (~t).sum() - 1e-9
        ]
        assert found[draw] == pytest.approx(max(reached))


def cases_of(target, probability, decision):
    n = len(target)
    return Cases(np.arange(n), np.arange(n), target, probability, decision, probability)


def test_multiclass_macro_equals_scikit_learn():
    generator = np.random.default_rng(1)
    label = generator.integers(0, 3, 90)
    probability = generator.dirichlet(np.ones(3), 90) + 0.5 * np.eye(3)[label]
    probability /= probability.sum(axis=1, keepdims=True)
    called = probability.argmax(axis=1)
    eye = np.eye(3, dtype=bool)
    task = Task("multiclass", ("a", "b", "c"))
    found = estimate(cases_of(eye[label], probability, eye[called]), task, Draws(np.arange(90), 50, (1,)), 0.9)
    wanted = {
        "auc": reference.roc_auc_score(label, probability, multi_class="ovr", average="macro"),
        "average_precision": reference.average_precision_score(eye[label], probability, average="macro"),
        "accuracy": reference.accuracy_score(label, called),
        "balanced_accuracy": reference.balanced_accuracy_score(label, called),
        "sensitivity": reference.recall_score(label, called, average="macro"),
        "precision": reference.precision_score(label, called, average="macro"),
        "f1": reference.f1_score(label, called, average="macro"),
        "brier": reference.brier_score_loss(label, probability),
    }
    for metric, value in wanted.items():
        assert found.overall(metric)[0] == pytest.approx(value), metric
    per_class = reference.recall_score(label, called, average=None)
    assert found.values[1:, METRICS.index("sensitivity"), 0] == pytest.approx(per_class)


def test_multilabel_is_the_mean_over_labels():
    generator = np.random.default_rng(2)
    target, probability = generator.random((60, 3)) < 0.4, generator.random((60, 3))
    decision = probability >= np.array([0.3, 0.5, 0.7])
    task = Task("multilabel", ("a", "b", "c"))
    found = estimate(cases_of(target, probability, decision), task, Draws(np.arange(60), 50, (1,)), 0.9)
    assert found.overall("f1")[0] == pytest.approx(reference.f1_score(target, decision, average="macro"))
    assert found.overall("accuracy")[0] == pytest.approx(1 - reference.hamming_loss(target, decision))
    assert found.overall("auc")[0] == pytest.approx(reference.roc_auc_score(target, probability, average="macro"))
