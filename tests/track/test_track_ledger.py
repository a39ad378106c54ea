"""What MLflow holds after the stage ran once, twice, and after a change."""

import getpass
import os
import shutil
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest

from asclepius import tables
from asclepius.audit.stamp import STAMP
from asclepius.errors import StudyError
from asclepius.evaluate.schema import METRICS
from asclepius.provenance import digest, write_json
from asclepius.split.schema import FOLDS
from asclepius.train.schema import HISTORY


def ids(runs):
    return {run.info.run_name: run.info.run_id for run in runs}


def test_arms_are_parents_and_folds_are_their_children(study, track, stored):
    assert track()["created"] == 6
    _, runs = stored()
    by_name = ids(runs)
    assert set(by_name) == {
        *("convnet", "convnet · fold 0 · seed 1", "convnet · fold 1 · seed 1"),
        *("smote", "smote · fold 0 · seed 1", "smote · fold 1 · seed 1"),
    }
    for run in runs:
        parent = run.data.tags.get("mlflow.parentRunId")
        assert parent == (None if " · " not in run.info.run_name else by_name[run.data.tags["arm"]])
        assert run.info.status == "FINISHED"
        assert run.data.params["model.name"] == "convnet"
        assert run.data.params["split.method"] == "kfold"


def test_figures_are_those_of_evaluate(study, track, stored):
    track()
    _, runs = stored()
    table = tables.read(study.paths["metrics"], METRICS)
    for run in runs:
        tags = run.data.tags
        wanted = table[(table["arm"] == tags["arm"]) & (table["role"] == "test") & (table["metric"] == "auc")]
        wanted = wanted[(wanted["subgroup"] == "all") & (wanted["class"] == "all")]
        wanted = wanted[(wanted["fold"] == tags.get("fold", "all")) & (wanted["seed"] == tags.get("seed", "all"))]
        row = wanted.iloc[0]
        assert run.data.metrics["test_auc"] == pytest.approx(row["value"])
        if tags["kind"] == "arm":
            assert run.data.metrics["test_auc_low"] == pytest.approx(row["low"])
            assert run.data.metrics["test_auc_high"] == pytest.approx(row["high"])


def test_epochs_become_steps(study, track, stored):
    track()
    client, runs = stored()
    run = next(run for run in runs if run.info.run_name == "smote · fold 1 · seed 1")
    told = client.get_metric_history(run.info.run_id, "val_loss")
    history = pd.concat([tables.read(path, HISTORY) for path in study.paths["histories"]])
    mine = history[(history["arm"] == "smote") & (history["fold"] == 1) & (history["metric"] == "val_loss")]
    assert {item.step: item.value for item in told} == pytest.approx(
        dict(zip(mine["epoch"], mine["value"], strict=True))
    )
    assert all(run.info.start_time <= item.timestamp <= run.info.end_time for item in told)


def test_running_again_changes_nothing(track, stored):
    first = track()
    _, runs = stored()
    again = track()
    assert (first["created"], again["created"], again["kept"], again["replaced"], again["removed"]) == (6, 0, 6, 0, 0)
    _, after = stored()
    assert {run.info.run_id: run.data.to_dictionary() for run in runs} == {
        run.info.run_id: run.data.to_dictionary() for run in after
    }


def test_a_changed_run_takes_the_place_of_the_old(study, track, stored):
    track()
    before = ids(stored()[1])
    path = study.paths["histories"][1]
    history = tables.read(path, HISTORY)
    history.loc[history["fold"] == 0, "value"] += 0.125
    tables.write(path, history, HISTORY)
    receipt = track()
    assert (receipt["kept"], receipt["replaced"], receipt["created"]) == (5, 1, 0)
    after = ids(stored()[1])
    changed = "smote · fold 0 · seed 1"
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {changed}


def test_children_follow_a_replaced_parent(study, track, stored):
    track()
    table = tables.read(study.paths["metrics"], METRICS)
    pooled = (table["arm"] == "smote") & (table["fold"] == "all") & (table["metric"] == "auc")
    table.loc[pooled, "value"] *= 0.9
    tables.write(study.paths["metrics"], table, METRICS)
    assert track()["replaced"] == 1
    _, runs = stored()
    parent = ids(runs)["smote"]
    children = [run for run in runs if run.info.run_name.startswith("smote · ")]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent}


def test_an_arm_that_is_gone_is_removed_and_a_run_made_by_hand_stays(study, track, stored):
    track()
    client, runs = stored()
    client.create_run(runs[0].info.experiment_id, run_name="by hand", tags={"arm": "convnet"})
    other = "convnet" if study.chosen == "smote" else "smote"
    keep = study.shape.arms.index(study.chosen)
    receipt = track(
        arms={study.chosen: study.recipe(study.chosen)},
        histories=[study.paths["histories"][keep]],
        runs=[study.paths["runs"][keep]],
    )
    assert (receipt["removed"], receipt["kept"]) == (3, 3)
    names = set(ids(stored()[1]))
    assert "by hand" in names
    assert other not in names


def test_a_run_cut_short_is_made_anew(track, stored):
    track()
    client, runs = stored()
    cut = runs[0]
    client.delete_tag(cut.info.run_id, "asclepius.digest")
    assert track()["replaced"] == 1
    assert cut.info.run_id not in {run.info.run_id for run in stored()[1]}


def test_the_choice_moves_without_new_runs(study, track, stored):
    track()
    before = ids(stored()[1])
    other = next(arm for arm in study.shape.arms if arm != study.chosen)
    base = f"train/{other}/pack-0/models/fold-1-seed-1"
    choice = study.values("choice") | {"arm": other, "fold": 1}
    choice |= {"model": f"{base}/model.keras", "preprocess": f"{base}/preprocess.json"}
    study.paths["choice"].write_text(write_json(choice), encoding="utf-8")
    assert track()["kept"] == 6
    _, runs = stored()
    assert ids(runs) == before
    chosen = {run.info.run_name for run in runs if run.data.tags["chosen"] == "true"}
    assert chosen == {other, f"{other} · fold 1 · seed 1"}
    files = study.root.parent / "mlartifacts" / "fabricated"
    with_files = {folder.name for folder in files.iterdir() if (folder / "artifacts").exists()}
    assert with_files == {before[other], before[f"{other} · fold 1 · seed 1"]}


def test_report_and_model_are_kept_with_the_chosen(study, track, stored):
    track()
    folder = study.root.parent / "mlartifacts" / "fabricated"
    by_name = ids(stored()[1])
    arm, run = folder / by_name[study.chosen], folder / by_name[f"{study.chosen} · fold 0 · seed 1"]
    assert (arm / "artifacts/report.html").read_text() == "<p>the page</p>"
    assert (arm / "artifacts/figures/roc.svg").exists()
    assert {path.name for path in (run / "artifacts/model").iterdir()} == {"model.keras", "preprocess.json"}
    (study.root / "report.html").write_text("<p>a new page</p>")
    assert track()["kept"] == 6
    assert (arm / "artifacts/report.html").read_text() == "<p>a new page</p>"


def test_each_run_tells_which_images_it_saw(study, track, stored):
    track()
    client, _ = stored()
    run = next(run for run in stored()[1] if run.info.run_name == "convnet · fold 0 · seed 1")
    folds = tables.read(study.paths["folds"], FOLDS)
    train = folds[(folds["fold"] == 0) & (folds["role"] == "train")]["image"]
    assert run.data.tags["asclepius.images.train"] == digest(train)
    contexts = [item.tags[0].value for item in client.get_run(run.info.run_id).inputs.dataset_inputs]
    assert sorted(contexts) == ["test", "train", "validation"]


def test_neither_person_nor_machine_stands_in_the_database(study, track):
    track()
    store = study.root.parent / "mlflow.db"
    text = "\n".join(sqlite3.connect(store).iterdump())
    assert "/home/somebody" not in text
    assert str(study.root.parent) not in text
    assert os.uname().nodename not in text
    assert f"'{getpass.getuser()}'" not in text
    assert "mlflow.user" not in text


def test_results_can_be_moved(study, track, stored, tmp_path):
    track()
    new = tmp_path / "elsewhere"
    shutil.move(study.root.parent, new)
    (new / "fabricated/report.html").write_text("<p>moved</p>")
    study.root = new / "fabricated"
    moved = {
        name: [new / path.relative_to(tmp_path / "results") for path in paths]
        if isinstance(paths, list)
        else new / paths.relative_to(tmp_path / "results")
        for name, paths in study.paths.items()
    }
    study.paths = moved
    assert track()["kept"] == 6
    assert not (tmp_path / "results").exists()
    pages = list((new / "mlartifacts").rglob("report.html"))
    assert [page.read_text() for page in pages] == ["<p>moved</p>"]


def test_a_missing_model_is_named(study, track):
    (study.root / study.values("choice")["model"]).unlink()
    with pytest.raises(StudyError, match=r"model\.keras is missing"):
        track()


def test_a_new_store_is_made_where_there_is_none(study, track, stored):
    (study.root.parent / "mlflow.db").unlink()
    assert track()["created"] == 6
    assert len(stored()[1]) == 6


def test_importing_the_command_is_cheap():
    heavy = "[m for m in ('mlflow', 'keras', 'matplotlib') if m in sys.modules]"
    code = f"import sys, asclepius.track.command, asclepius.report.command; print({heavy})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "[]", done.stderr


def test_runs_of_a_demonstration_carry_its_stamp_and_replace_those_without(study, track, stored):
    track()
    assert track(config=study.config() | {"demonstration": True})["replaced"] == 6
    client, runs = stored()
    assert all(run.data.tags["asclepius.demonstration"] == STAMP for run in runs)
    assert all(run.data.params["demonstration"] == "True" for run in runs)
    assert STAMP in client.get_experiment_by_name("fabricated").tags["mlflow.note.content"]
