"""The stage as a whole: what it writes, what it refuses, and that test images decide nothing."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from asclepius import tables
from asclepius.audit.schema import FINDINGS
from asclepius.audit.stamp import NOTE, STAMP
from asclepius.errors import StudyError
from asclepius.evaluate.catalogue import DECIDED, RECALIBRATED
from asclepius.evaluate.schema import CONFUSION, CURVES, DIFFERENCES, METRICS, RECALIBRATIONS, THRESHOLDS
from asclepius.evaluate.settings import EvaluateSettings
from asclepius.split.schema import FOLDS
from asclepius.train.schema import PREDICTIONS


def value(table, **where):
    for name, wanted in where.items():
        table = table[table[name] == wanted]
    assert len(table) == 1, where
    return table.iloc[0]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_all_files_are_written_and_deterministic(make_study, kind):
    study, again = make_study(kind, external=40), make_study(kind, external=40, name="again")
    study.run()
    again.run()
    for name, schema in {
        "evaluate/metrics": METRICS,
        "evaluate/differences": DIFFERENCES,
        "evaluate/thresholds": THRESHOLDS,
        "evaluate/recalibrations": RECALIBRATIONS,
        "evaluate/findings": FINDINGS,
        "evaluate/curves": CURVES,
        "evaluate/confusion": CONFUSION,
        "predictions": PREDICTIONS,
    }.items():
        tables.read(study.folder / f"{name}.parquet", schema)
    files = sorted(p.relative_to(study.folder) for p in study.folder.rglob("*") if p.is_file())
    for path in files:
        assert (study.folder / path).read_bytes() == (again.folder / path).read_bytes(), path
    metrics = study.read("metrics")
    assert set(metrics["role"]) == {"validation", "test", "external"}
    headline = metrics.query("fold == 'all' and seed == 'all' and subgroup == 'all'").dropna(subset=["low"])
    assert (headline["low"] <= headline["value"]).all()
    assert (headline["value"] <= headline["high"]).all()
    assert set(metrics["class"]) == ({"all"} if kind == "binary" else {"all", "a", "b", "c"})


def test_pooled_test_figures_are_means_over_seeds_of_out_of_fold_auc(make_study):
    study = make_study()
    study.run()
    frame = study.predictions.query("arm == 'smote' and role == 'test' and `class` == 'ill'")
    by_seed = {s: roc_auc_score(part["target"], part["probability"]) for s, part in frame.groupby("seed")}
    where = {"arm": "smote", "fold": "all", "role": "test", "metric": "auc", "subgroup": "all"}
    metrics = study.read("metrics")
    assert value(metrics, seed="1", **where)["value"] == pytest.approx(by_seed[1])
    assert value(metrics, seed="all", **where)["value"] == pytest.approx(np.mean(list(by_seed.values())))
    assert value(metrics, seed="all", **where)["n"] == frame["patient"].nunique()
    fold = frame.query("fold == 1 and seed == 2")
    wanted = roc_auc_score(fold["target"], fold["probability"])
    assert value(metrics, seed="2", **(where | {"fold": "1"}))["value"] == pytest.approx(wanted)


def test_decisions_use_each_runs_own_threshold(make_study):
    study = make_study(folds=3)
    study.run()
    levels = study.read("thresholds").set_index(["arm", "fold", "seed"])["threshold"]
    frame = study.predictions.query("role == 'test' and `class` == 'ill' and arm == 'none' and seed == 1")
    keys = pd.MultiIndex.from_frame(frame[["arm", "fold", "seed"]])
    right = (frame["probability"].to_numpy() >= levels.loc[keys].to_numpy()) == (frame["target"].to_numpy() == 1)
    found = value(
        study.read("metrics"), arm="none", fold="all", seed="1", role="test", metric="accuracy", subgroup="all"
    )
    assert found["value"] == pytest.approx(right.mean())
    confusion = study.read("confusion").query("arm == 'none' and role == 'test'")
    assert confusion["count"].sum() == pytest.approx(240)


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_test_images_decide_neither_threshold_nor_choice(make_study, kind):
    study, turned = make_study(kind), make_study(kind, name="turned")
    rows = turned.predictions["role"] == "test"
    turned.predictions.loc[rows, "probability"] = 1 - turned.predictions.loc[rows, "probability"]
    study.run()
    turned.run()
    assert study.choice() == turned.choice()
    assert study.read("thresholds").equals(turned.read("thresholds"))
    assert study.read("recalibrations").equals(turned.read("recalibrations"))
    assert (study.folder / "evaluate/fits.json").read_bytes() == (turned.folder / "evaluate/fits.json").read_bytes()
    assert not study.read("metrics").equals(turned.read("metrics"))


def test_choice_follows_validation_even_against_test(make_study):
    study = make_study(skill={"none": 1.0, "smote": 2.0, "gan": 1.5})
    frame = study.predictions
    rows = (frame["arm"] == "smote") & (frame["role"] == "test")
    frame.loc[rows, "probability"] = 1 - frame.loc[rows, "probability"]
    study.run()
    choice = study.choice()
    assert choice["arm"] == "smote"
    assert set(choice["validation"]) == {"none", "smote", "gan"}
    mean = value(
        study.read("metrics"), arm="smote", fold="all", seed="all", role="validation", metric="auc", subgroup="all"
    )
    assert choice["validation"]["smote"] == pytest.approx(mean["value"])
    assert (study.folder / "model/model.keras").read_text() == choice["model"]
    card = json.loads((study.folder / "model/card.json").read_text())
    assert card["threshold"] == choice["threshold"]
    assert card["metrics"]["run"]["test"]["auc"]["value"] < 0.5


def test_differences_are_paired(make_study):
    study = make_study(skill={"a": 1.0, "b": 1.0, "none": 1.0, "good": 3.0})
    frame = study.predictions
    copy = frame[frame["arm"] == "none"].assign(arm="a")
    study.predictions = pd.concat([copy, frame[frame["arm"] != "a"]], ignore_index=True)
    study.run()
    table = study.read("differences")
    assert set(table["reference"]) == {"none"}
    same = table[table["arm"] == "a"]
    assert (same[["value", "low", "high"]] == 0).all(axis=None)  # unpaired draws would give a wide interval
    assert value(table, arm="a", metric="auc")["p"] == 1.0
    good = value(table, arm="good", metric="auc")
    assert good["low"] > 0
    assert good["p"] <= good["p_holm"] < 0.03
    assert good["p_holm"] == pytest.approx(3 * good["p"]), "the smallest of three"
    assert (good["seeds"], good["agree"]) == (2, 2)


def test_a_difference_says_in_how_many_seeds_it_shows(make_study):
    study = make_study(skill={"none": 1.0, "smote": 3.0})
    frame = study.predictions
    rows = (frame["arm"] == "smote") & (frame["seed"] == 2) & (frame["role"] == "test")
    frame.loc[rows, "probability"] = 1 - frame.loc[rows, "probability"]
    study.run()
    found = value(study.read("differences"), metric="auc")
    assert (found["seeds"], found["agree"]) == (2, 1)


def test_an_arm_with_other_probabilities_is_alike_again_after_recalibration(make_study):
    study = make_study(skill={"none": 2.0, "shifted": 2.0}, n=1200, folds=1, seeds=(1,), per_patient=1)
    frame = study.predictions
    same = frame[frame["arm"] == "none"].copy()
    ill = same["class"] == "ill"
    odds = np.log(same["probability"] / (1 - same["probability"])) * 2 + np.where(ill, 2, -2)
    same = same.assign(arm="shifted", probability=1 / (1 + np.exp(-odds)))
    study.predictions = pd.concat([frame[frame["arm"] == "none"], same], ignore_index=True)
    study.run()
    table = study.read("differences")
    for name in ("brier", "ece", "intercept_error"):
        assert value(table, metric=name)["low"] > 0, f"{name}: the shifted arm is worse"
    for name in ("brier", "ece", "intercept_error", "slope_error"):
        after = value(table, metric=f"{name}_recalibrated")
        assert abs(after["value"]) < 0.01, f"{name}: the same ranking recalibrates to the same probabilities"
    assert value(table, metric="auc")["value"] == 0


def test_classes_are_compared_each_by_itself(make_study):
    study = make_study("multiclass", seeds=(1,))
    study.run()
    table = study.read("differences")
    assert set(table["class"]) == {"all", "a", "b", "c"}
    assert table[(table["metric"] == "auc") & (table["class"] != "all")]["p"].notna().all()
    signed = table[table["metric"].str.startswith("calibration_")]
    assert "all" not in set(signed["class"]), "opposite faults of classes would cancel"


def test_what_was_fitted_is_recorded_and_checked(make_study):
    study = make_study(seeds=(1,), n=120)
    study.run()
    fits = json.loads((study.folder / "evaluate/fits.json").read_text())["fits"]
    assert {(fit["what"], *fit["roles"]) for fit in fits} == {
        ("threshold", "validation"),
        ("recalibration", "validation"),
    }
    assert study.read("checks")["passed"].all()
    study.write()
    folds = pd.read_parquet(study.folder / "in/folds.parquet")
    moved = folds[folds["role"] == "validation"].index[0]
    folds.loc[moved, "role"] = "test"
    tables.write(study.folder / "in/moved.parquet", folds, FOLDS)
    with pytest.raises(StudyError, match="threshold was fitted to 24 images that are not the 23 validation"):
        study.run(folds=study.folder / "in/moved.parquet")


def test_notes_and_subgroups(make_study):
    study = make_study(per_patient=1, seeds=(1,), n=120)
    study.images.loc[:3, "sex"] = None
    study.settings = EvaluateSettings(bootstrap=60, subgroups=["sex", "age", "site"])
    study.run()
    metrics = study.read("metrics")
    whole = metrics[(metrics["subgroup"] == "all")]
    assert whole["note"].str.contains("each image counted as its own patient").all()
    for words, names in (("thresholds were chosen on", DECIDED), ("recalibration was fitted to", RECALIBRATED)):
        marked = whole["note"].str.contains(words)
        assert (marked == (whole["metric"].isin(names) & (whole["role"] == "validation"))).all()
    few = value(metrics, subgroup="sex=unknown", arm="none", metric="auc")
    assert np.isnan(few["value"])
    assert few["n"] == 4
    assert few["note"] == "fewer than 10 patients"
    found = metrics[(metrics["arm"] == "none") & (metrics["metric"] == "auc") & (metrics["role"] == "test")]
    assert {"sex=F", "site=S-1", "age=40-64"} <= set(found["subgroup"])
    women = study.predictions.merge(study.images[study.images["sex"] == "F"][["image"]], on="image")
    women = women.query("arm == 'none' and role == 'test' and `class` == 'ill'")
    assert value(found, subgroup="sex=F")["value"] == pytest.approx(
        roc_auc_score(women["target"], women["probability"])
    )


def test_figures_do_not_depend_on_pseudonyms_or_order_of_rows(make_study):
    study, renamed = make_study(), make_study(name="renamed")
    names = {p: f"P-{(hash_ * 7919) % 10007:05d}" for hash_, p in enumerate(study.images["patient"].unique())}
    renamed.images["patient"] = renamed.images["patient"].map(names)
    renamed.predictions["patient"] = renamed.predictions["patient"].map(names)
    renamed.predictions = pd.concat(
        [part.sample(frac=1, random_state=1) for _, part in renamed.predictions.groupby("arm", sort=False)]
    )
    study.run()
    renamed.run()
    assert (study.folder / "metrics.csv").read_bytes() == (renamed.folder / "metrics.csv").read_bytes()


def test_disturbed_images_are_kept_apart(make_study):
    study, more = make_study(), make_study(name="more")
    noisy = more.predictions[more.predictions["role"] == "test"].assign(condition="noise-2", probability=0.5)
    more.predictions = pd.concat([more.predictions, noisy], ignore_index=True)
    study.run()
    more.run()
    assert study.read("metrics").equals(more.read("metrics"))
    assert len(more.read("all_predictions")) == len(more.predictions)


def test_failures_say_what_to_do(make_study):
    study = make_study(n=60, seeds=(1,))
    study.findings.loc[0, "passed"] = False
    with pytest.raises(StudyError, match="1 of 1 checks failed, first 'patients in one role'"):
        study.run()
    study.findings.loc[0, "passed"] = True
    kept = study.predictions
    study.predictions = kept.assign(probability=kept["probability"].where(kept["arm"] != "smote"))
    with pytest.raises(StudyError, match=r"arm smote, fold 0, seed 1.*learning_rate"):
        study.run()
    study.predictions = kept[~((kept["arm"] == "smote") & (kept["fold"] == 1))]
    with pytest.raises(StudyError, match="arms none and smote differ in folds or seeds"):
        study.run()
    image = kept[kept["role"] == "test"]["image"].iloc[0]
    study.predictions = kept[~((kept["arm"] == "smote") & (kept["image"] == image))]
    with pytest.raises(StudyError, match="arms none and smote predict different"):
        study.run()
    study.predictions = kept[kept["role"] != "validation"]
    with pytest.raises(StudyError, match="no validation images"):
        study.run()
    study.predictions = kept
    for settings, message in (
        (EvaluateSettings(bootstrap=50, subgroups=["sax"]), "no column 'sax'.*age, sex"),
        (EvaluateSettings(bootstrap=50, reference="smite"), "no arm 'smite'"),
    ):
        study.settings = settings
        with pytest.raises(StudyError, match=message):
            study.run()


def test_patients_who_share_an_image_are_drawn_as_one(make_study):
    study = make_study()
    patients = study.images["patient"].unique()
    study.group = {patient: patients[number // 4 * 4] for number, patient in enumerate(patients)}
    study.run()
    where = {"arm": "none", "fold": "all", "seed": "all", "role": "test", "metric": "auc", "subgroup": "all"}
    tested = set(study.predictions.query("role == 'test'")["patient"])
    assert value(study.read("metrics"), **where)["n"] == len({study.group[patient] for patient in tested})


def test_a_demonstration_is_measured_in_spite_of_the_audit_and_says_so_beside_each_figure(make_study):
    study = make_study()
    study.findings["passed"] = False
    with pytest.raises(StudyError, match="audit"):
        study.run()
    study.run(demonstration=True)
    assert study.read("metrics")["note"].str.contains(NOTE).all()
    card = json.loads((study.folder / "model" / "card.json").read_text())
    assert card["demonstration"] == study.choice()["demonstration"] == STAMP
