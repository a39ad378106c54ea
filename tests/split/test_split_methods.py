"""What each method gives, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from split_cohort import table

from asclepius import tables
from asclepius.errors import StudyError
from asclepius.quality.schema import IMAGES
from asclepius.split.command import dropped_table, fold_table, run, summary
from asclepius.split.folds import make_folds
from asclepius.split.groups import Cohort
from asclepius.split.schema import DROPPED, FOLDS
from asclepius.split.settings import SplitSettings
from asclepius.task import Task

TASK = Task("binary", ("a", "b"), "b")


def split(images, task=TASK, **values):
    cohort = Cohort.of(images, task)
    made = make_folds(cohort, SplitSettings.model_validate(values))
    return fold_table(cohort, made), dropped_table(cohort, made), summary(cohort, made)


def plain(n=40, rare=0.25, **columns):
    """One image per patient."""
    label = ["b" if i < n * rare else "a" for i in range(n)]
    return table(range(n), label, **columns)


def refusal(images, task=TASK, **values):
    with pytest.raises(StudyError) as caught:
        split(images, task, **values)
    return str(caught.value)


def test_copies_of_official_test_images_leave_training_and_the_test_set_stays_whole():
    content = list(range(40))
    content[12] = content[39]  # training image 12 is test image 39
    content[14] = content[15] = content[13]  # copies within training stay
    official = ["train"] * 32 + ["test"] * 8
    images = plain(40, 0.25, content=content, official=official)
    images.loc[36:, "label"] = "b"
    folds, dropped, _ = split(images, method="official")
    assert dropped[["image", "reason"]].values.tolist() == [[f"{12:016x}", "copy"]]
    assert (folds["role"] == "test").sum() == 8
    roles = folds.set_index("image")["role"]
    assert len({roles[f"{i:016x}"] for i in (13, 14, 15)}) == 1
    assert {"train", "validation"} <= set(folds["role"])


def test_an_official_validation_part_is_kept_and_its_copies_leave_training():
    content = list(range(40))
    content[1] = content[30]
    official = ["train"] * 28 + ["validation"] * 6 + ["test"] * 6
    images = table(range(40), ["a", "b"] * 20, content=content, official=official)
    folds, dropped, lines = split(images, method="official")
    assert (folds["role"] == "validation").sum() == 6
    assert dropped["sentence"].tolist() == ["the same pixels as a validation image"]
    assert any("left out: 1 images" in line for line in lines)


def test_a_patient_in_several_official_roles_is_tested_and_teaches_nothing():
    patients = [i // 2 for i in range(40)]
    official = ["train", "train"] * 14 + ["train", "test"] * 2 + ["test", "test"] * 4
    images = table(patients, ["a", "a", "b", "b"] * 10, official=official)
    folds, dropped, _ = split(images, method="official")
    assert dropped["reason"].tolist() == ["patient", "patient"]
    assert set(dropped["image"]) == {f"{28:016x}", f"{30:016x}"}
    assert set(folds[folds["role"] == "test"]["image"]) == {f"{i:016x}" for i in (29, 31, *range(32, 40))}


def test_a_patient_at_two_sites_teaches_nothing_where_one_of_them_is_tested():
    site = ["S-1", "S-2"] * 20
    patients = [0, 0, *range(1, 39)]
    folds, dropped, _ = split(
        table(patients, ["a", "a", "b", "b"] * 10, site=site), method="leave_one_site_out", folds=2
    )
    assert dropped[["image", "fold"]].values.tolist() == [[f"{1:016x}", 0], [f"{0:016x}", 1]]
    assert (folds[folds["role"] == "test"]["image"].value_counts() == 1).all()


def test_temporal_trains_on_the_past_only():
    random = np.random.default_rng(1)
    images = table(random.integers(0, 60, 120), random.choice(["a", "b"], 120), x_when=random.integers(0, 40, 120))
    images["x_when"] = [str((pd.Timestamp("2015-01-01") + pd.Timedelta(days=int(d))).date()) for d in images["x_when"]]
    folds, _, _ = split(images, method="temporal", order="x_when", test=0.3)
    found = folds.merge(images[["image", "x_when"]], on="image")
    latest = found.groupby(["role", "patient"])["x_when"].max()
    assert latest["train"].max() < latest["test"].min()
    assert latest["validation"].max() < latest["test"].min()
    assert 0.2 < len(latest["test"]) / images["patient"].nunique() < 0.4


def test_multilabel_images_without_any_finding_are_split_too():
    task = Task("multilabel", ("a", "b", "c"))
    label = ["a", "a|b", "", "b|c", "c", "", "a|c", "b"] * 12
    folds, _, _ = split(table(range(96), label), task, method="kfold", folds=4)
    assert len(folds) == 96 * 4
    tested = folds[folds["role"] == "test"].merge(table(range(96), label)[["image", "label"]], on="image")
    for part in (tested["label"] == "", tested["label"].str.contains("b")):
        assert np.ptp(tested[part].groupby("fold").size()) <= 2


@pytest.mark.parametrize(
    ("images", "values", "words"),
    [
        (plain(40, 0.1), {"folds": 5}, ["class 'b' has 4 patients", "split.folds: 4", "holdout"]),
        (plain(40, 0.05), {"folds": 2}, ["class 'b' has 2 patients", "cohort.labels.merge"]),
        (plain(40, 0.05), {"method": "holdout"}, ["class 'b' has 2 patients", "3 are needed"]),
        (plain(), {"method": "official"}, ["no split of its own", "cohort.official", "holdout"]),
        (plain(official=["train"] * 30 + [None] * 10), {"method": "official"}, ["10 of 40", "holdout"]),
        (plain(official=["train"] * 40), {"method": "official"}, ["no test images"]),
        (plain(site=["S-1"] * 39 + [None]), {"method": "leave_one_site_out"}, ["1 of 40", "cohort.site"]),
        (plain(site=["S-1"] * 40), {"method": "leave_one_site_out"}, ["one site", "kfold"]),
        (plain(site=["S-1", "S-2", "S-3", "S-3"] * 10), {"method": "leave_one_site_out"}, ["write split.folds: 3"]),
        (plain(site=["S-1"] * 10 + ["S-2"] * 30), {"method": "leave_one_site_out", "folds": 2}, ["'b'", "kfold"]),
        (plain(), {"method": "temporal", "order": "x_year"}, ["no column 'x_year'", "cohort.columns"]),
        (plain(x_y=[1] * 39 + [None]), {"method": "temporal", "order": "x_y"}, ["1 of 40", "quality.exclude"]),
        (plain(x_y=[1] * 40), {"method": "temporal", "order": "x_y"}, ["same value"]),
        (plain(x_y=["2019"] * 39 + ["soon"]), {"method": "temporal", "order": "x_y"}, ["'soon'", "ISO date"]),
        (plain(x_y=range(40)), {"method": "temporal", "order": "x_y"}, ["all of one class", "split.test"]),
        (table(range(9), [None] * 9), {}, ["no labelled image"]),
    ],
)  # fmt: skip
def test_what_the_data_do_not_allow_is_refused_with_the_remedy(images, values, words):
    message = refusal(images, **values)
    for word in words:
        assert word in message


def test_copies_that_merge_patients_count_when_folds_are_too_many():
    images = plain(40, 0.125, content=[*[0] * 4, *range(4, 40)])  # 5 patients, 4 of them one group
    assert "class 'b' has 2 patients (patients who share an image count as one)" in refusal(images, folds=5)


def test_a_site_of_one_class_is_tested_and_noted():
    images = plain(40, 0.5, site=["S-1", "S-2"] * 15 + ["S-3"] * 10)
    folds, _, lines = split(images, method="leave_one_site_out", folds=3)
    assert folds["fold"].nunique() == 3
    assert "note: fold 2 tests no image of class 'b'" in lines


def test_temporal_needs_its_column_before_any_job():
    with pytest.raises(ValidationError, match=r"split\.order"):
        SplitSettings(method="temporal")


def test_the_dag_knows_the_number_of_folds():
    assert SplitSettings(method="kfold", folds=4).count == 4
    assert SplitSettings(method="leave_one_site_out", folds=3).count == 3
    assert {SplitSettings(method=name, folds=4).count for name in ("official", "holdout")} == {1}


def test_the_stage_writes_the_same_bytes_twice(tmp_path):
    tables.write(tmp_path / "images.parquet", plain(60), IMAGES)
    TASK.write(tmp_path / "task.json")
    written = []
    for name in ("one", "two"):
        run(
            settings=SplitSettings(folds=3),
            images=tmp_path / "images.parquet",
            task=tmp_path / "task.json",
            folds=tmp_path / name / "folds.parquet",
            dropped=tmp_path / name / "dropped.parquet",
        )
        written.append((tmp_path / name / "folds.parquet").read_bytes())
        assert len(tables.read(tmp_path / name / "folds.parquet", FOLDS)) == 180
        assert tables.read(tmp_path / name / "dropped.parquet", DROPPED).empty
    assert written[0] == written[1]


def test_another_seed_draws_other_folds():
    one, two = (split(plain(60), folds=3, seed=seed)[0] for seed in (1, 2))
    assert (one["role"] != two["role"]).any()


def test_naive_tears_patients_and_copies_apart_and_keeps_their_group_for_the_audit():
    images = table([i // 4 for i in range(120)], ["a"] * 60 + ["b"] * 60, content=[i // 2 for i in range(120)])
    folds, dropped, _ = split(images, method="naive", folds=3)
    assert dropped.empty
    assert (folds.groupby("image")["role"].agg(lambda roles: (roles == "test").sum()) == 1).all()
    assert (folds.groupby(["patient", "fold"])["role"].nunique() > 1).mean() > 0.8
    assert (folds["group"] == folds["patient"]).all()
