"""Calibration against scikit-learn and by hand: weights as repeated rows, saturation, ties, draws without a slope."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from asclepius.evaluate.bootstrap import Draws, interval
from asclepius.evaluate.calibration import Calibration, logits


def simulated(n, slope=1.0, intercept=0.0, seed=1):
    """Outcomes and probabilities whose logits are off by a known slope and intercept."""
    generator = np.random.default_rng(seed)
    x = generator.normal(-1, 1.5, n)
    return generator.random(n) < expit(intercept + slope * x), expit(x)


def regression(target, probability, weights):
    model = LogisticRegression(C=np.inf, tol=1e-8, solver="newton-cholesky")
    return model.fit(logits(probability)[:, None], target, sample_weight=weights).coef_[0, 0]


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 40), st.integers(0, 999))
@example(25, 25)  # Newton's steps run off to infinity
def test_slope_is_that_of_logistic_regression_in_every_draw(n, seed):
    target, probability = simulated(n, seed=seed)
    probability = np.round(probability, 1)  # ties, and probabilities of 0 and 1
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), 4).astype(float)
    found = Calibration(target, probability).slope(weights)
    for draw, w in enumerate(weights):
        high, low = probability[target & (w > 0)], probability[~target & (w > 0)]
        if len(high) and len(low) and high.min() < low.max() and low.min() < high.max():
            assert found[draw] == pytest.approx(regression(target, probability, w), rel=1e-3, abs=1e-4)
        else:
            assert np.isnan(found[draw]), "a draw whose classes are told apart has no finite slope"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10), st.integers(0, 3)), min_size=1, max_size=30))
def test_intercept_makes_the_mean_probability_the_prevalence(rows):
    target, probability, weight = (np.array(column) for column in zip(*rows, strict=True))
    w = weight[None].astype(float)
    found = Calibration(target, probability / 10).intercept(w)[0]
    if (w[0] * target).sum() and (w[0] * ~target).sum():
        assert w[0] @ expit(logits(probability / 10) + found) == pytest.approx(w[0] @ target, rel=1e-5)
    else:
        assert np.isnan(found)


def test_integer_weights_are_repeated_rows():
    target, probability = simulated(80)
    weights = np.random.default_rng(3).integers(0, 4, 80)
    one = Calibration(np.repeat(target, weights), np.repeat(probability, weights))
    many, ones = Calibration(target, probability), np.ones((1, weights.sum()))
    for name in ("brier", "intercept", "slope"):
        found = getattr(many, name)(weights[None].astype(float))
        assert found == pytest.approx(getattr(one, name)(ones), rel=1e-6), name


def test_ece_by_hand():
    # Twenty images in ten bins of two: each bin is 0.1 off, but for one that is 0.4 off and one that is right.
    probability = np.repeat(np.arange(10) / 10 + 0.05, 2)
    target = np.zeros(20, dtype=bool)
    target[1::2] = True  # one of two is ill: frequency 0.5 in every bin
    wanted = np.abs(np.arange(10) / 10 + 0.05 - 0.5).mean()
    calibration = Calibration(target, probability)
    assert calibration.ece(np.ones((1, 20)))[0] == pytest.approx(wanted)
    only = np.r_[np.zeros(18), 1.0, 3.0][None]  # of the last bin: frequency 3/4 against 0.95
    assert calibration.ece(only)[0] == pytest.approx(0.2)


def test_a_known_fault_is_found():
    target, probability = simulated(40_000, slope=0.5, intercept=-0.7)
    calibration, once = Calibration(target, probability), np.ones((1, 40_000))
    assert calibration.slope(once)[0] == pytest.approx(0.5, abs=0.02)
    assert calibration.intercept(once)[0] < -0.3, "probabilities that are too high have an intercept below 0"
    fair = Calibration(*simulated(40_000))
    assert fair.intercept(once)[0] == pytest.approx(0, abs=0.03)
    assert fair.ece(once)[0] < 0.01


def test_many_images_in_groups_stay_close_to_single_ones():
    target, probability = simulated(6000, slope=0.7)
    grouped = Calibration(target, probability)
    assert len(grouped._x) == 1000
    w = np.ones((1, 6000))
    assert grouped.slope(w)[0] == pytest.approx(regression(target, probability, w[0]), abs=2e-3)


def test_probabilities_at_the_ends_and_constants_are_no_error():
    target = np.array([1, 0, 1, 0], bool)
    sure = Calibration(target, np.array([0.0, 1.0, 1.0, 0.0]))
    assert np.isfinite([sure.intercept(np.ones((1, 4)))[0], sure.slope(np.ones((1, 4)))[0]]).all()
    flat = Calibration(target, np.full(4, 0.2))
    assert np.isnan(flat.slope(np.ones((1, 4)))[0])
    assert flat.intercept(np.ones((1, 4)))[0] == pytest.approx(np.log(4))
    perfect = Calibration(target, np.array([0.9, 0.1, 0.8, 0.2]))
    assert np.isnan(perfect.slope(np.ones((3, 4)))).all()


def test_interval_of_a_distance_holds_its_estimate():
    target, probability = simulated(200)  # nothing is wrong: every draw looks worse than the sample
    calibration, draws = Calibration(target, probability), Draws(np.arange(200), 400, (1,))
    values = np.concatenate([calibration.ece(w) for _, w in draws.chunks(np.arange(200))])
    assert values[1:].mean() > values[0]
    found = interval(values, 0.95, centred=True)
    assert found.low < found.value < found.high
    plain = interval(values, 0.95)
    assert found.high - found.low == pytest.approx(plain.high - plain.low)
