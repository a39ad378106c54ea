"""DeLong's variance against the formula written out, and clustering against what it must do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from asclepius.evaluate.delong import covariance, holm, p_value


def plain(target, scores):
    """DeLong 1988, equations 4 to 6, by the book: every pair compared."""
    high, low = scores[target], scores[~target]
    psi = (high[:, None, :] > low[None, :, :]) + 0.5 * (high[:, None, :] == low[None, :, :])
    v10, v01 = psi.mean(axis=1), psi.mean(axis=0)
    s10, s01 = np.atleast_2d(np.cov(v10.T)), np.atleast_2d(np.cov(v01.T))
    return psi.mean(axis=(0, 1)), s10 / len(high) + s01 / len(low)


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 3), st.integers(0, 99))
def test_one_image_per_patient_is_plain_delong(positives, negatives, number, seed):
    generator = np.random.default_rng(seed)
    target = np.arange(positives + negatives) < positives
    scores = generator.integers(0, 6, (len(target), number)) / 5
    auc, variance = covariance(target, scores, generator.permutation(len(target)))
    wanted_auc, wanted = plain(target, scores)
    assert auc == pytest.approx(wanted_auc)
    assert variance == pytest.approx(wanted, abs=1e-12)


def test_copies_of_images_add_no_certainty():
    generator = np.random.default_rng(1)
    target = generator.random(80) < 0.5
    scores = target[:, None] + generator.normal(size=(80, 2))
    one = covariance(target, scores, np.arange(80))[1]
    five = covariance(np.repeat(target, 5), np.repeat(scores, 5, axis=0), np.repeat(np.arange(80), 5))[1]
    naive = covariance(np.repeat(target, 5), np.repeat(scores, 5, axis=0), np.arange(400))[1]
    assert five == pytest.approx(one, rel=1e-9)
    assert (np.diag(naive) < 0.3 * np.diag(one)).all()


def test_variance_agrees_with_simulation_when_patients_have_both_classes():
    generator = np.random.default_rng(2)
    patient = np.repeat(np.arange(40), 4)
    target = np.tile([True, True, False, False], 40)
    aucs, variances = [], []
    for _ in range(300):
        score = 0.8 * target + generator.normal(size=40)[patient] + generator.normal(size=160)
        auc, variance = covariance(target, score[:, None], patient)
        aucs.append(auc[0])
        variances.append(variance[0, 0])
    assert np.mean(variances) == pytest.approx(np.var(aucs), rel=0.25)


def test_p_values_are_uniform_without_a_difference():
    generator = np.random.default_rng(3)
    target = np.arange(120) < 40
    found = []
    for _ in range(300):
        auc, variance = covariance(target, target[:, None] + generator.normal(size=(120, 2)), np.arange(120) // 2)
        found.append(p_value(auc, variance, np.array([1.0, -1.0])))
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.09
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_equal_scores_have_p_one_and_one_patient_none():
    target, score = np.array([1, 1, 0, 0], bool), np.array([0.1, 0.8, 0.2, 0.9])
    auc, variance = covariance(target, np.stack([score, score], axis=1), np.arange(4))
    assert p_value(auc, variance, np.array([1.0, -1.0])) == 1.0
    auc, variance = covariance(target, score[:, None], np.zeros(4, int))
    assert np.isnan(p_value(auc, variance, np.array([1.0])))


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, np.nan])) == pytest.approx([0.03, 0.06, 0.06, np.nan], nan_ok=True)
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])
    assert len(holm(np.array([]))) == 0
