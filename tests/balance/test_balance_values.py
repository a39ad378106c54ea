"""Table values of synthetic images: those of SMOTE-NC, and what becomes of gaps."""

import json

import numpy as np
import pandas as pd
import pytest
from balance_fold import Study
from imblearn.over_sampling import SMOTENC

from asclepius import tables
from asclepius.balance.pairs import Interpolated
from asclepius.balance.settings import BalanceSettings
from asclepius.balance.synthesis import make
from asclepius.balance.values import Values
from asclepius.errors import StudyError
from asclepius.quality.schema import IMAGES

KINDS = ("smote", "borderline_smote", "svm_smote", "adasyn", "smote_tomek", "smote_enn")


def table(n, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "image": [f"i{i}" for i in range(n)],
            "age": random.normal(60, 12, n).round(),
            "sex": random.choice(["F", "M"], n),
            "x_stage": random.choice(["I", "II", "III"], n),
        }
    ).astype({"sex": object, "x_stage": object})


@pytest.mark.parametrize("width", [5, 30])
def test_they_are_those_of_imbalanced_learn(width):
    random = np.random.default_rng(1)
    pixels = random.normal(0, 3, (90, width)).astype(np.float64)  # SMOTENC works in the type it is given
    classes = (np.arange(90) >= 65).astype(int)
    frame = table(90)
    frame.loc[:2, "sex"], frame.loc[:2, "x_stage"] = ["F", "M", "F"], ["I", "II", "III"]  # in order of appearance
    values = Values.of(["age", "sex", "x_stage"], frame)
    settings = BalanceSettings(method="smote", k_neighbors=5)
    made = make(settings, pixels.astype(np.float32), classes, ("a", "b"), [1], "here", values)
    spread = np.sqrt(pixels[classes == 1].var(axis=0).mean())
    given = np.hstack([pixels, values.numbers * spread, values.codes])
    peer = SMOTENC([width + 1, width + 2], random_state=made.states[1], k_neighbors=5)
    expected = peer.fit_resample(given, classes)[0][90:]
    found = made.values[1]
    np.testing.assert_allclose(Interpolated(pixels, made.pairs[1])[:], expected[:, :width], atol=1e-5)
    np.testing.assert_allclose(found.numbers * spread, expected[:, width : width + 1], atol=1e-5)
    np.testing.assert_array_equal(found.codes, expected[:, width + 1 :].astype(int))
    assert len({tuple(codes) for codes in found.codes}) > 2


@pytest.fixture
def study(tmp_path):
    """Those of class b are older; a fifth of the ages is missing, and some sexes."""
    made = Study(tmp_path, ["a"] * 60 + ["b"] * 25)
    frame = table(85)
    images = made.images.assign(age=frame["age"] + 20 * (made.labels == "b"), sex=frame["sex"])
    images.loc[np.arange(85) % 5 == 0, "age"] = np.nan
    images.loc[np.arange(85) % 7 == 0, "sex"] = None
    made.images = images
    tables.write(tmp_path / "images.parquet", images, IMAGES)
    return made


@pytest.mark.parametrize("method", KINDS)
def test_every_kind_gives_its_images_values_of_their_parents(study, method):
    found, _ = study.balance(method=method, columns=["age", "sex"])
    made = found[found["source"] == "synthetic"]
    assert len(made) > 5
    ages = dict(zip(study.images["image"], study.images["age"], strict=True))
    median = study.images["age"][study.training()].median()
    for parents, text in zip(made["parents"], made["values"], strict=True):
        first, second = (ages[name] for name in json.loads(parents))
        value = json.loads(text)["age"]
        assert np.isnan(first) == (value is None)
        if value is not None:
            second = median if np.isnan(second) else second
            reach = abs(second - first) * (0.5 if method == "svm_smote" else 0)
            assert min(first, second) - reach - 1e-6 <= value <= max(first, second) + reach + 1e-6
    sexes = {json.loads(text)["sex"] for text in made["values"]}
    assert {"F"} <= sexes <= {"F", "M", None}
    assert found["values"][found["source"] == "real"].isna().all()


def test_without_pixels_neighbours_are_found_in_the_table_alone(study):
    found, _ = study.balance(method="smote", columns=["age"], pixels=False, k_neighbors=1)
    filled = study.images["age"].fillna(study.images["age"][study.training()].median()).to_numpy()
    mine = study.training("b")
    for parents in found["parents"].dropna():
        first, second = (int(name, 16) for name in json.loads(parents))
        others = np.abs(filled[mine[mine != first]] - filled[first])
        assert abs(filled[second] - filled[first]) == others.min()


def test_arms_that_take_a_table_have_a_recipe_of_their_own_only_where_it_matters():
    smote, over = BalanceSettings(method="smote"), BalanceSettings(method="random_over")
    assert smote.recipe(["age"], True) != smote.recipe([], True)
    assert over.recipe(["age"], True) == over.recipe([], True)


def test_categories_alone_have_nothing_between_them(study):
    with pytest.raises(StudyError, match=r"model\.columns are all categories.*random_over"):
        study.balance(method="smote", columns=["sex"], pixels=False)
