"""Curves pass through the points that scikit-learn gives; their bands hold the curve."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from asclepius.evaluate.bootstrap import Draws
from asclepius.evaluate.cases import Cases
from asclepius.evaluate.curves import curve_rows


@pytest.fixture
def cases():
    generator = np.random.default_rng(1)
    patient = np.arange(150) // 2
    target = (generator.random(75) < 0.3)[patient]
    probability = np.round(1 / (1 + np.exp(1 - 1.5 * target - generator.normal(size=150))), 2)
    return Cases(
        np.arange(150), patient, target[:, None], probability[:, None], probability[:, None] > 0.5, probability[:, None]
    )


@pytest.fixture
def curves(cases):
    return pd.DataFrame(curve_rows([cases], ["all"], Draws(cases.patient, 200, (1,)), 0.95))


def test_roc_is_scikit_learns(cases, curves):
    roc = curves[curves["curve"] == "roc"]
    rate, sensitivity, _ = roc_curve(cases.target[:, 0], cases.probability[:, 0], drop_intermediate=False)
    assert roc["y"].to_numpy() == pytest.approx(np.interp(roc["x"], rate, sensitivity))
    assert roc["y"].is_monotonic_increasing
    assert roc["y"].iloc[-1] == 1


def test_precision_recall_is_scikit_learns(cases, curves):
    found = curves[curves["curve"] == "precision-recall"]
    precision, recall, _ = precision_recall_curve(cases.target[:, 0], cases.probability[:, 0])
    for x, y in zip(found["x"], found["y"], strict=True):
        reached = np.flatnonzero(recall[:-1] >= x - 1e-9)
        assert y == pytest.approx(precision[reached[-1]])  # the highest threshold that reaches it


def test_calibration_counts_every_image_once(cases, curves):
    found = curves[curves["curve"] == "calibration"]
    assert found["x"].is_monotonic_increasing
    assert 5 <= len(found) <= 10
    assert found["y"].between(0, 1).all()


def test_bands_hold_the_curve_and_points_are_few(curves):
    assert (curves["low"] <= curves["y"] + 1e-9).mean() > 0.95
    assert (curves["high"] >= curves["y"] - 1e-9).mean() > 0.95
    assert curves.groupby("curve").size().max() <= 200
    roc = curves[curves["curve"] == "roc"]
    assert (roc["high"] - roc["low"]).max() > 0.05


def test_many_distinct_scores_stay_close():
    generator = np.random.default_rng(2)
    target = generator.random(20_000) < 0.2
    probability = 1 / (1 + np.exp(1 - 1.5 * target - generator.normal(size=20_000)))
    many = Cases(
        np.arange(20_000),
        np.arange(20_000),
        target[:, None],
        probability[:, None],
        target[:, None],
        probability[:, None],
    )
    roc = pd.DataFrame(curve_rows([many], ["all"], Draws(many.patient, 50, (1,)), 0.95)).query("curve == 'roc'")
    rate, sensitivity, _ = roc_curve(target, probability)
    assert roc["y"].to_numpy() == pytest.approx(np.interp(roc["x"], rate, sensitivity), abs=0.01)
