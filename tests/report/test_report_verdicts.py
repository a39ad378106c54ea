"""The words say what the intervals say: a gain, a loss, nothing where zero is inside, and plainly when no arm wins."""

from collections.abc import Mapping

import numpy as np
import pytest
from fabricated import Fabricated, Shape

from asclepius import tables
from asclepius.evaluate.schema import DIFFERENCES, METRICS
from asclepius.report import verdicts
from asclepius.report.evidence import load

GAIN, LOSS, OPEN, NOTHING = (0.06, 0.02, 0.10), (-0.06, -0.10, -0.02), (0.03, -0.02, 0.08), (np.nan,) * 3
RANKED = ("sensitivity_at_specificity", "auc", "average_precision", "f1")
NAMES = ("sensitivity at 90 % specificity", "AUC", "average precision", "F1")


@pytest.fixture
def evidence(tmp_path):
    """A binary study of `none` and another arm whose differences are given; whatever is not is undecided."""

    def make(given: Mapping[str, tuple] | None = None, rest=OPEN, calibration=OPEN, seeds=(1, 1), **shape):
        study = Fabricated(tmp_path, Shape(arms=("none", "smote"), folds=1, gallery=0, **shape))
        table = tables.read(study.paths["differences"], DIFFERENCES)
        found = [(given or {}).get(name, rest) for name in table["metric"]]
        table[["value", "low", "high"]] = found
        table["seeds"], table["agree"] = seeds
        tables.write(study.paths["differences"], table, DIFFERENCES)
        metrics = tables.read(study.paths["metrics"], METRICS)
        mine = (metrics["metric"] == "calibration_intercept") & (metrics["arm"] == "smote")
        metrics.loc[mine, ["value", "low", "high"]] = calibration
        tables.write(study.paths["metrics"], metrics, METRICS)
        return load(study.config(), study.paths)

    return make


def said(evidence) -> tuple[str, str, str]:
    """What is said of all arms, and the finding and the probabilities of the second."""
    cells = verdicts.arms(evidence, "test").rows[1]
    texts = (" ".join(verdicts.overall(evidence, "test")), cells[1].text, cells[2].text)
    return tuple(text.replace("\N{NO-BREAK SPACE}", " ") for text in texts)


def test_a_gain_is_told_in_patients(evidence):
    overall, finding, _ = said(evidence({"sensitivity_at_specificity": GAIN}))
    assert finding.startswith("Finds 6 more of 100")
    assert "at 90 % specificity (2 to 10)" in finding
    assert "No difference that the data can show in AUC, average precision or F1." in finding
    assert "better than none in sensitivity at 90 % specificity: smote." in overall
    assert "In AUC, average precision or F1 no arm is better." in overall


def test_a_loss_is_no_gain(evidence):
    overall, finding, _ = said(evidence(dict.fromkeys(RANKED, LOSS)))
    assert finding.startswith("Finds 6 fewer of 100")
    assert "Lower AUC (by 0.060, 0.020 to 0.100" in finding
    assert "igher" not in finding
    assert "no arm beats none in" in overall
    assert "better than" not in overall


@pytest.mark.parametrize("name", RANKED)
def test_each_metric_is_claimed_exactly_where_its_interval_excludes_zero(evidence, name):
    overall, finding, _ = said(evidence({name: GAIN}))
    claimed, left = finding.split("No difference")
    for metric, word in zip(RANKED, NAMES, strict=True):
        assert (word in left) == (metric != name), word
        assert (f"in {word}: smote" in overall) == (metric == name), word
    assert ("more of 100" if name == RANKED[0] else "Higher") in claimed


def test_all_undecided_claims_nothing(evidence):
    overall, finding, probabilities = said(evidence())
    assert "no arm beats none in sensitivity at 90 % specificity, AUC, average precision or F1" in overall
    assert finding.startswith(
        "No difference that the data can show in sensitivity at 90 % specificity (from 2 fewer to 8"
    )
    assert "Brier score: no difference to none that the data can show, before or after" in probabilities
    for word in ("igher", "ower", "better", "worse", "too high", "too low"):
        assert word not in finding + probabilities


def test_without_intervals_nothing_is_said(evidence):
    overall, finding, _ = said(evidence(rest=NOTHING))
    assert finding == "There is no interval, so nothing can be said."
    assert overall == "On test patients there are no intervals, so nothing can be said of differences."


def test_a_lower_brier_score_is_better(evidence):
    _, _, probabilities = said(evidence({"brier": GAIN, "brier_recalibrated": LOSS}))
    assert "Brier score: worse than none (by 0.060, 0.020 to 0.100" in probabilities
    assert "after recalibration better than none" in probabilities


@pytest.mark.parametrize(
    ("intercept", "words"),
    [
        ((-0.7, -1.1, -0.3), "Too high (odds by a factor of 2.0, 1.3 to 3.0)"),
        ((0.7, 0.3, 1.1), "Too low (odds by a factor of 2.0, 1.3 to 3.0)"),
    ],
)
def test_probabilities_are_too_high_when_the_intercept_is_below_zero(evidence, intercept, words):
    assert said(evidence(calibration=intercept))[2].startswith(words)


def test_a_gain_that_not_every_seed_shows_says_so(evidence):
    assert "in only 2 of 3 seeds" in said(evidence({"auc": GAIN}, seeds=(3, 2)))[1]
    assert "seeds" not in said(evidence({"auc": GAIN}, seeds=(3, 3)))[1]


def test_of_several_classes_the_rarest_is_named(evidence):
    found = evidence({"sensitivity_at_specificity": GAIN}, classes=("common", "other", "rare"), kind="multiclass")
    overall, finding, _ = said(found)
    rarest = found.rarest("test")
    assert f"images with “{rarest}”" in finding or f"patients with “{rarest}”" in finding
    assert f"specificity for “{rarest}”" in overall
    assert "mean AUC" in finding


def test_one_arm_is_compared_with_nothing(tmp_path):
    study = Fabricated(tmp_path, Shape(arms=("none",), folds=1, gallery=0))
    alone = load(study.config(), study.paths)
    assert verdicts.overall(alone, "test") == []
    assert verdicts.arms(alone, "test") is None
