"""The choice: best mean on validation, ties by name."""

import pytest

from asclepius.errors import StudyError
from asclepius.evaluate.cases import Run
from asclepius.evaluate.select import choose

NAN = float("nan")


def test_best_mean_then_best_run():
    values = {Run("a", 0, 1): 0.9, Run("a", 1, 1): 0.7, Run("b", 0, 1): 0.81, Run("b", 1, 1): 0.82}
    found = choose(values, "auc")
    assert found.run == ("b", 1, 1)
    assert found.validation == {"a": pytest.approx(0.8), "b": pytest.approx(0.815)}
    assert "0.815" in found.sentence
    assert "next is a with 0.800" in found.sentence


def test_brier_is_better_low_and_undefined_never_wins():
    values = {Run("a", 0, 1): 0.2, Run("b", 0, 1): 0.1, Run("c", 0, 1): NAN}
    assert choose(values, "brier").run.arm == "b"


def test_ties_go_by_name_then_fold_and_seed():
    values = {Run(arm, fold, seed): 0.8 for arm in "zay" for fold in (1, 0) for seed in (2, 1)}
    assert choose(values, "auc").run == ("a", 0, 1)


def test_nothing_defined_is_refused_with_the_remedy():
    with pytest.raises(StudyError, match="primary: auc"):
        choose({Run("a", 0, 1): NAN}, "precision")
