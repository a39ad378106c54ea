"""Table values as numbers, and logistic regression on them."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from train_study import BINARY, LOGISTIC, NET, bright, make, split

from asclepius import tables
from asclepius.columns import Categorical, Columns, Numeric
from asclepius.errors import StudyError
from asclepius.models.settings import ModelSettings
from asclepius.quality.schema import IMAGES
from asclepius.train import classical
from asclepius.train.command import run
from asclepius.train.preprocess import Preprocess
from asclepius.train.schema import PREDICTIONS, RUNS

TABLE = pd.DataFrame(
    {
        "image": [f"i{i}" for i in range(12)],
        "age": [40.0, 50, np.nan, 70, 60, 60, np.nan, 20, 30, 80, 90, 60],
        "sex": ["M", "F", "F", "F", None, "M", "F", "M", "M", "F", "F", "O"],
        "x_crp": ["3.5", None, "12", "7", "1", "0.5", "9", "4", "2", "88", "3", "5"],
        "x_stage": ["I", "II", "I", "I", "III", "II", "I", "II", "I", "II", "II", "I"],
        "x_empty": [None] * 12,
        "label": "no",
    }
)


def test_numbers_are_filled_by_the_median_flagged_and_standardised():
    found = Columns.fit(["age"], TABLE)
    (age,) = found.columns
    assert isinstance(age, Numeric)
    assert age.median == 60
    values = found.apply(TABLE)
    assert found.features == ["age", "age missing"]
    assert values[:, 1].tolist() == [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert values[2, 0] == values[4, 0] == pytest.approx((60 - age.mean) / age.deviation)
    assert (values[:, 0].mean(), values[:, 0].std()) == pytest.approx((0, 1), abs=1e-6)


def test_categories_are_coded_rare_and_new_ones_as_other():
    found = Columns.fit(["sex"], TABLE)
    assert found.features == ["sex F", "sex other", "sex missing"]  # M and O have fewer than five images
    values = found.apply(pd.DataFrame({"sex": ["F", "M", "O", "never seen", None]}))
    assert values.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_text_of_numbers_is_a_number_and_anything_else_a_category():
    crp, stage = Columns.fit(["x_crp", "x_stage"], TABLE).columns
    assert isinstance(crp, Numeric)
    assert isinstance(stage, Categorical)
    later = Columns((crp,)).apply(pd.DataFrame({"x_crp": ["4", "below detection", "inf"]}))
    assert later[:, 1].tolist() == [0, 1, 1]


def test_columns_that_cannot_be_used_are_named():
    with pytest.raises(StudyError, match=r"'agee' is no column of this cohort; there are age, sex, x_crp"):
        Columns.fit(["agee"], TABLE)
    with pytest.raises(StudyError, match="'label' is no column"):
        Columns.fit(["label"], TABLE)
    with pytest.raises(StudyError, match="'x_empty' has no value in any training image"):
        Columns.fit(["x_empty"], TABLE)
    with pytest.raises(StudyError, match="needs the column 'age'"):
        Columns.fit(["age"], TABLE).apply(TABLE.drop(columns="age"))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.text(max_size=4)), min_size=1),
    st.sampled_from(["age", "sex", "x_crp", "x_stage"]),
)
def test_whatever_a_new_row_holds_becomes_finite_numbers(values, name):
    found = Columns.fit([name], TABLE)
    new = found.apply(pd.DataFrame({name: pd.Series(values, dtype=object)}))
    assert new.shape == (len(values), len(found.features))
    assert np.isfinite(new).all()


def test_settings_say_which_models_take_a_table():
    with pytest.raises(ValidationError, match="convnet takes the image alone"):
        ModelSettings(columns=["age"])
    with pytest.raises(ValidationError, match="leaves no input"):
        ModelSettings(name="logistic", pixels=False)


@pytest.fixture
def with_ages(tmp_path):
    """Those labelled "yes" are older and of brighter images; every fourth age is missing."""
    arrays, labels = bright(96)
    study = make(tmp_path, arrays, labels, [split(96)])
    images = tables.read(study.root / "images.parquet", IMAGES)
    random = np.random.default_rng(0)
    ages = 40 + 12 * (images["label"] == "yes") + random.normal(0, 8, 96).round()
    images["age"] = ages.where(np.arange(96) % 4 != 1)
    images["sex"] = random.choice(["M", "F"], 96)
    tables.write(study.root / "images.parquet", images, IMAGES)
    return study


@pytest.mark.parametrize("pixels", [True, False])
def test_a_logistic_model_of_the_table_is_fitted_written_and_read_back(with_ages, pixels):
    model = LOGISTIC.model_copy(update={"columns": ["age", "sex"], "pixels": pixels})
    given = with_ages.arguments(model=model)
    run(**given)
    table = tables.read(given["table"], RUNS)
    predictions = tables.read(given["predictions"], PREDICTIONS)
    assert table["parameters"][0] == (64 if pixels else 0) + 2 + 4 + 1
    fits = json.loads(given["fits"].read_text())["fits"]
    own = ["normalisation"] if pixels else []
    assert [fit["what"] for fit in fits] == [*own, "table columns", "feature standardisation"]
    preprocess = Preprocess.read(with_ages.root / table["preprocess"][0])
    images = tables.read(given["images"], IMAGES).set_index("image")
    yes = predictions[predictions["class"] == "yes"]
    where = images.loc[yes["image"]]
    stored = np.stack([np.load(with_ages.stores[r.shard])[r.row] for r in where.itertuples()])
    pipeline = classical.read(with_ages.root / table["model"][0])
    found = classical.predict(pipeline, classical.inputs(stored, where, preprocess), BINARY)
    np.testing.assert_allclose(found[:, 1], yes["probability"], atol=1e-6)
    if not pixels:  # then only age and sex can tell
        assert preprocess.method == "none"
        known = where["age"].notna().to_numpy()
        assert np.corrcoef(where["age"][known], yes["probability"][known])[0, 1] > 0.9


def test_synthetic_images_have_no_age(tmp_path):
    arrays, labels = bright()
    study = make(tmp_path, arrays, labels, [split()], synthetic=arrays[:3], synthetic_labels=("yes",) * 3)
    with pytest.raises(StudyError, match="makes images without age and sex"):
        run(**study.arguments(model=LOGISTIC.model_copy(update={"columns": ["sex"]})))


def test_the_network_is_untouched_by_the_new_options(study):
    assert NET.columns == []
    assert NET.pixels
