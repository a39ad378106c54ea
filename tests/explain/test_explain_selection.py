"""Which cases are shown: right and wrong of each class, surest to least sure, nothing hidden."""

import numpy as np
import pandas as pd
import pytest

from asclepius.errors import StudyError
from asclepius.explain.selection import COLUMNS, select
from asclepius.task import Task


def table(classes, target, probability):
    """Long predictions from (n, classes) arrays."""
    rows = [
        (f"i{i}", name, int(target[i][c]), probability[i][c])
        for i in range(len(target))
        for c, name in enumerate(classes)
    ]
    return pd.DataFrame(rows, columns=["image", "class", "target", "probability"])


def binary(ill, p):
    return table(("well", "ill"), [(1 - t, t) for t in ill], [(1 - x, x) for x in p])


def test_binary_uses_the_threshold_and_shows_wrong_cases():
    task = Task("binary", ("well", "ill"), "ill")
    found = select(binary([1, 1, 1, 0, 0], [0.9, 0.35, 0.1, 0.2, 0.8]), task, 0.3, 4)
    assert list(found.columns) == COLUMNS
    by_image = found.set_index("image")
    assert by_image.loc["i1", "predicted"] == "ill"  # 0.35 is above the threshold, below one half
    assert by_image.loc["i1", "probability"] == pytest.approx(0.35)
    assert not by_image.loc["i2", "correct"]
    assert by_image.loc["i2", ["class", "predicted", "target"]].tolist() == ["well", "well", "ill"]
    assert by_image.loc["i2", "probability"] == pytest.approx(0.9)
    assert set(found.loc[~found["correct"], "image"]) == {"i2", "i4"}
    assert len(found) == 5


def test_surest_first_and_spread_over_the_range():
    task = Task("binary", ("well", "ill"), "ill")
    p = np.linspace(0.51, 0.99, 49)
    found = select(binary([0] * 49, p), task, 0.5, 3)  # all wrong
    assert not found["correct"].any()
    assert found["probability"].tolist() == pytest.approx([0.99, 0.75, 0.51])


def test_multiclass_has_every_class_and_kind():
    task = Task("multiclass", ("a", "b", "c"))
    generator = np.random.default_rng(1)
    label = np.arange(90) % 3
    probability = generator.dirichlet(np.ones(3), 90)
    frame = table(task.classes, np.eye(3)[label], probability)
    found = select(frame, task, None, 2)
    assert len(found) == 3 * 2 * 2
    assert found["image"].is_unique
    for (name, correct), part in found.groupby(["target", "correct"]):
        assert len(part) == 2
        assert ((part["predicted"] == name) == correct).all()
    assert found.equals(select(frame, task, None, 2))


def test_multilabel_shows_missed_and_false_labels_once_per_image():
    task = Task("multilabel", ("a", "b"))
    frame = table(
        task.classes,
        [(1, 1), (1, 0), (0, 0), (0, 1)],
        [(0.9, 0.1), (0.8, 0.2), (0.7, 0.1), (0.1, 0.9)],
    )
    found = select(frame, task, {"a": 0.5, "b": 0.5}, 4).set_index("image")
    assert found.index.is_unique
    assert found.loc["i2", ["class", "target", "predicted"]].tolist() == ["a", "", "a"]
    assert not found.loc["i2", "correct"]
    assert found.loc["i3", "class"] == "b"
    assert found.loc["i0", "target"] == "a|b"


def test_no_predictions_are_refused():
    with pytest.raises(StudyError, match="no test predictions"):
        select(binary([], []), Task("binary", ("well", "ill"), "ill"), 0.5, 4)
