"""Recalibration repairs what is wrong on purpose, exists where classes are told apart, and never sees a test image."""

import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression

from asclepius.evaluate.calibration import Calibration
from asclepius.evaluate.cases import Scores
from asclepius.evaluate.recalibration import fit
from asclepius.task import Task

BINARY = Task("binary", ("healthy", "ill"), "ill")


def scores(target, probability):
    target, probability = (np.reshape(values, (len(values), -1)) for values in (target, probability))
    return Scores(np.arange(len(target)), np.arange(len(target)), target.astype(bool), probability)


def test_it_is_logistic_regression_on_platts_targets():
    generator = np.random.default_rng(1)
    x = generator.normal(-2, 2, 300)
    target = generator.random(300) < expit(0.5 * x - 1)
    share = np.where(target, (target.sum() + 1) / (target.sum() + 2), 1 / ((~target).sum() + 2))
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000)
    model.fit(np.r_[x, x][:, None], np.repeat([1, 0], 300), sample_weight=np.r_[share, 1 - share])
    found = fit(scores(target, expit(x)), BINARY)
    assert found.slope[0] == pytest.approx(model.coef_[0, 0], abs=1e-5)
    assert found.offset[0] == pytest.approx(model.intercept_[0], abs=1e-5)
    assert found.notes == ("",)


def test_two_exclusive_classes_are_the_binary_case():
    generator = np.random.default_rng(2)
    probability = expit(generator.normal(size=200))
    target = generator.random(200) < probability**2
    one = fit(scores(target, probability), BINARY)
    pair = np.stack([1 - probability, probability], axis=1)
    two = fit(scores(np.stack([~target, target], axis=1), pair), Task("multiclass", ("a", "b")))
    assert two.apply(pair)[:, 1] == pytest.approx(one.apply(probability[:, None])[:, 0], abs=1e-6)


def test_a_known_fault_is_repaired_on_other_images():
    generator = np.random.default_rng(3)
    x = generator.normal(-1, 1.5, 20_000)
    target, probability = generator.random(20_000) < expit(x), expit(1.8 * x + 1.2)  # too extreme and too high
    found = fit(scores(target[:4000], probability[:4000]), BINARY)
    after = found.apply(probability[4000:, None])[:, 0]
    once = np.ones((1, 16_000))
    before, after = (Calibration(target[4000:], p) for p in (probability[4000:], after))
    assert before.slope(once)[0] < 0.6
    assert before.intercept(once)[0] < -0.7
    assert after.slope(once)[0] == pytest.approx(1, abs=0.08)
    assert after.intercept(once)[0] == pytest.approx(0, abs=0.08)
    assert after.ece(once)[0] < 0.25 * before.ece(once)[0]
    assert after.brier(once)[0] < before.brier(once)[0]


def test_another_prevalence_of_several_classes_is_undone():
    generator = np.random.default_rng(4)
    logs = 2 * generator.normal(size=(6000, 4))
    shift = np.array([2.0, 1.0, 0.0, -2.0])  # what balancing took out
    label = np.array([generator.choice(4, p=p) for p in softmax(0.6 * logs + shift, axis=1)])
    target, probability = np.eye(4, dtype=bool)[label], softmax(logs, axis=1)
    found = fit(scores(target[:3000], probability[:3000]), Task("multiclass", tuple("abcd")))
    assert found.slope == pytest.approx(0.6, abs=0.05)
    assert found.offset - found.offset.mean() == pytest.approx(shift - shift.mean(), abs=0.2)
    after = found.apply(probability[3000:])
    assert after.sum(axis=1) == pytest.approx(1)
    assert after.mean(axis=0) == pytest.approx(target[3000:].mean(axis=0), abs=0.025)


@pytest.mark.parametrize(
    ("target", "probability", "note"),
    [
        ([1, 1, 0, 0] * 10, [0.9, 0.8, 0.2, 0.1] * 10, "told apart without error"),
        ([1, 1, 0, 0] * 10, [1.0, 1.0, 0.0, 0.0] * 10, "told apart without error"),
        ([1, 1, 0, 0] * 10, [0.1, 0.2, 0.8, 0.9] * 10, "does not rank"),
        ([0] * 40, [0.1, 0.2] * 20, "one class only"),
        ([1, 0, 0, 0], [0.3, 0.5, 0.1, 0.2], "few images of a class: 1"),
        ([1, 0] * 20, [0.4] * 40, ""),
    ],
)
def test_hard_validation_sets_give_a_finite_fit_and_a_note(target, probability, note):
    probability = np.array(probability)
    found = fit(scores(np.array(target, bool), probability), BINARY)
    assert note in found.notes[0]
    after = found.apply(np.linspace(0, 1, 11)[:, None])[:, 0]
    assert ((after >= 0) & (after <= 1)).all()
    assert (np.diff(after) >= 0).all(), "recalibration must turn no ranking round"


def test_a_class_that_validation_lacks_keeps_a_finite_share():
    generator = np.random.default_rng(5)
    probability = generator.dirichlet(np.ones(3), 60)
    found = fit(
        scores(np.eye(3, dtype=bool)[generator.integers(0, 2, 60)], probability), Task("multiclass", tuple("abc"))
    )
    assert 0 < found.apply(probability)[:, 2].mean() < 0.1


def test_labels_are_recalibrated_one_by_one():
    generator = np.random.default_rng(6)
    probability = generator.uniform(0.01, 0.99, (4000, 2))
    target = generator.random((4000, 2)) < np.stack([probability[:, 0], expit(logit(probability[:, 1]) - 2)], axis=1)
    found = fit(scores(target, probability), Task("multilabel", ("a", "b")))
    assert found.offset == pytest.approx([0, -2], abs=0.2)
    assert found.slope == pytest.approx([1, 1], abs=0.12)
