"""Small studies of pictures from the folder to the report: external data, sites, dates, several labels, faults."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from asclepius.quality.schema import IMAGES
from asclepius.rejects import QUARANTINE
from asclepius.split.schema import FOLDS
from asclepius.tables import read

pytestmark = pytest.mark.workflow
CLASSES = ("left", "right")
BASE = {
    "cohort": {"source": "images", "shards": 2},
    "resample": {"size": [8, 8], "dtype": "uint8"},
    "arms": {"pixels": {"model": {"name": "logistic"}}},
    "evaluate": {"bootstrap": 100},
}


def picture(path, label, seed):
    """The half named by the label is brighter."""
    values = np.random.default_rng(seed).integers(0, 120, (16, 16))
    if "left" in label:
        values[:, :8] += 60
    if "right" in label:
        values[:, 8:] += 60
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


@pytest.fixture
def study(tmp_path, workflow_in):
    def run(check=True, **values):
        merged = {**BASE, **values, "study": "s", "cohort": {**BASE["cohort"], **values["cohort"]}}
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(merged))
        return workflow_in(tmp_path)(study=tmp_path / "study.yaml", check=check)

    run.results = tmp_path / "results" / "s"
    return run


def headline(results, **where):
    metrics = pd.read_csv(results / "metrics.csv", dtype={"fold": str, "seed": str})
    found = metrics[(metrics[["fold", "seed", "subgroup", "class"]] == "all").all(axis=1)]
    for name, value in where.items():
        found = found[found[name] == value]
    return found.set_index("metric")


def test_a_second_source_is_tested_and_nothing_else(study, tmp_path):
    for number in range(60):
        label = CLASSES[number % 2]
        picture(tmp_path / "home" / label / f"{number}.png", label, number)
        picture(tmp_path / "away" / label / f"{number}.png", label, 1000 + number)
    (tmp_path / "home" / "left" / "empty.png").write_bytes(b"")
    (tmp_path / "home" / "left" / "cut.png").write_bytes((tmp_path / "home" / "left" / "0.png").read_bytes()[:100])
    study(
        cohort={"path": "home", "external": {"source": "images", "path": "away"}},
        split={"method": "kfold", "folds": 2},
    )
    folds = read(study.results / "split" / "folds.parquet", FOLDS)
    images = read(study.results / "quality" / "images.parquet", IMAGES).set_index("image")
    external = images.loc[folds["image"], "official"].to_numpy() == "external"
    assert set(folds["role"][external]) == {"external"}
    assert headline(study.results, role="external").loc["auc", "value"] > 0.9
    assert headline(study.results, role="test").loc["auc", "n"] == 60
    aside = read(study.results / "quality" / "quarantine.parquet", QUARANTINE)
    assert sorted(aside["reason"]) == ["empty", "truncated"]


def test_sites_are_left_out_one_by_one(study, tmp_path):
    rows = []
    for number in range(60):
        label = CLASSES[number % 2]
        picture(tmp_path / "scans" / f"{number}.png", label, number)
        rows.append(
            {"file": f"{number}.png", "who": number // 2 * 2 + number % 2, "label": label, "where": "ABC"[number % 3]}
        )
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    study(
        cohort={"path": "scans", "labels": {"path": "labels.csv", "match": "file"}, "patient": "who", "site": "where"},
        split={"method": "leave_one_site_out", "folds": 3},
    )
    folds = read(study.results / "split" / "folds.parquet", FOLDS)
    images = read(study.results / "quality" / "images.parquet", IMAGES).set_index("image")
    tested = folds[folds["role"] == "test"]
    assert tested.groupby("fold")["image"].agg(lambda found: images.loc[found, "site"].nunique()).tolist() == [1, 1, 1]


def test_an_image_may_have_several_labels(study, tmp_path):
    rows = []
    for number in range(80):
        label = ("", "left", "right", "left|right")[number % 4]
        picture(tmp_path / "scans" / f"{number}.png", label, number)
        rows.append({"file": f"{number}.png", "label": label or "none"})
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    labels = {"path": "labels.csv", "match": "file", "multilabel": True, "classes": list(CLASSES)}
    study(cohort={"path": "scans", "labels": labels}, split={"method": "holdout", "test": 0.3})
    assert headline(study.results, role="test").loc["auc", "value"] > 0.9
    assert "right" in (study.results / "report.html").read_text()


def test_table_values_compete_with_pixels_and_sites_are_harmonised(study, tmp_path):
    """Age tells the label and the pictures do not: the table alone must win, and go through every stage."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(120):
        label = CLASSES[number % 2]
        picture(tmp_path / "scans" / f"{number}.png", "neither", number)
        age = f"{50 + 25 * (number % 2) + random.normal(0, 10):.0f}" if number % 5 else ""
        row = {"file": f"{number}.png", "label": label, "age": age, "where": "AB"[number // 60]}
        rows.append(row | {"crp": random.choice(["3.5", "12", ""])})
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    logistic = {"name": "logistic"}
    study(
        cohort={
            "path": "scans",
            "labels": {"path": "labels.csv", "match": "file"},
            "age": "age",
            "site": "where",
            "columns": ["crp"],
        },
        train={"normalise": "auto", "harmonise": "site"},
        arms={
            "pixels": {"model": logistic},
            "table": {"model": logistic | {"columns": ["age", "x_crp"], "pixels": False}},
            "both": {"model": logistic | {"columns": ["age", "x_crp"]}},
        },
        split={"method": "kfold", "folds": 2},
    )
    choice = json.loads((study.results / "evaluate" / "choice.json").read_text())
    assert choice["arm"] == "table"
    aucs = {arm: headline(study.results, role="test", arm=arm).loc["auc", "value"] for arm in ("pixels", "table")}
    assert aucs["table"] > 0.8 > 0.65 > aucs["pixels"]
    (path,) = (study.results / "train" / "both").glob("pack-0/models/fold-0-seed-1/preprocess.json")
    preprocess = json.loads(path.read_text())
    assert preprocess["method"] == "scale"
    assert [step["kind"] for step in preprocess["steps"]] == ["harmonise", "shared"]
    assert [column["name"] for column in preprocess["columns"]] == ["age", "x_crp"]
    assert np.load(study.results / "explain" / "heat.npz")["heat"].max() == 0
    findings = pd.read_parquet(study.results / "audit" / "findings.parquet")
    assert findings["passed"].all()
    assert findings["sentence"].str.contains("table columns").sum() == 4


@pytest.mark.parametrize(
    ("counts", "split", "words"),
    [
        ({"left": 30, "right": 2}, {"method": "kfold", "folds": 5}, "merge it with another class"),
        ({"left": 30}, {"method": "kfold"}, "class"),
        ({"left": 30, "right": 30}, {"method": "official"}, "official"),
    ],
)
def test_a_cohort_that_cannot_be_divided_is_refused_with_the_remedy(study, tmp_path, counts, split, words):
    for label, count in counts.items():
        for number in range(count):
            picture(tmp_path / "scans" / label / f"{number}.png", label, number + 100 * CLASSES.index(label))
    done = study(check=False, cohort={"path": "scans"}, split=split)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_too_many_damaged_files_stop_the_run(study, tmp_path):
    for number in range(20):
        label = CLASSES[number % 2]
        picture(tmp_path / "scans" / label / f"{number}.png", label, number)
        if number < 5:
            (tmp_path / "scans" / label / f"{number}.png").write_bytes(b"")
    done = study(check=False, cohort={"path": "scans"})
    assert done.returncode == 1
    assert "max_rejected" in done.stderr
    assert "5 empty" in done.stderr or "empty: 5" in done.stderr or "empty 5" in done.stderr
