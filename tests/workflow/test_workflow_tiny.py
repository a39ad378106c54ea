"""The tiny study, from raw DICOM to report and MLflow."""

import json
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from asclepius.quality.schema import IMAGES
from asclepius.rejects import QUARANTINE
from asclepius.tables import read

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def results(tiny):
    return tiny.folder / "results" / "tiny"


@pytest.fixture
def copy(tiny, workflow_in, tmp_path):
    """The finished run in a folder of its own, to change and run again."""
    shutil.copytree(tiny.folder, tmp_path / "run", symlinks=True)
    return workflow_in(tmp_path / "run")


def test_the_promised_files_are_there(results):
    for name in ("report.html", "metrics.csv", "predictions.parquet", "deidentify/audit.csv", "model/preprocess.json"):
        assert (results / name).stat().st_size > 0, name
    assert (results.parent / "mlflow.db").exists()


def test_each_planted_trap_is_set_aside_with_its_reason(results):
    found = read(results / "quality" / "quarantine.parquet", QUARANTINE)
    assert {"truncated", "burned-in-text", "wrong-modality", "geometry", "duplicate"} <= set(found["reason"])
    page = (results / "report.html").read_text()
    for sentence in found["sentence"].unique():
        assert sentence[:40].replace("&", "&amp;") in page


def test_every_image_found_is_either_used_or_set_aside(results):
    flow = json.loads((results / "quality" / "flow.json").read_text())
    aside = sum(step["images"] for step in flow["steps"])
    assert flow["found"]["images"] == aside + flow["included"]["images"]
    assert flow["included"]["images"] == len(read(results / "quality" / "images.parquet", IMAGES))


def test_mlflow_holds_each_run_once(results):
    with sqlite3.connect(results.parent / "mlflow.db") as store:
        names = [name for (name,) in store.execute("select name from runs where lifecycle_stage = 'active'")]
    assert len(names) == len(set(names)) == 6


def test_running_again_does_nothing(copy):
    assert copy.jobs() == []


def test_metrics_have_intervals(results):
    metrics = pd.read_csv(results / "metrics.csv")
    pooled = metrics[(metrics["fold"] == "all") & (metrics["seed"] == "all") & (metrics["role"] == "test")]
    pooled = pooled[pooled["subgroup"] == "all"]
    assert set(pooled["arm"]) == {"pixels", "none", "smote"}
    auc = pooled[pooled["metric"] == "auc"]
    assert (auc["low"] <= auc["value"]).all()
    assert (auc["value"] <= auc["high"]).all()


def test_a_learning_rate_trains_its_arm_alone(copy, tmp_path):
    values = yaml.safe_load((ROOT / "studies" / "tiny.yaml").read_text())
    values["arms"]["none"] = {"train": {"learning_rate": 0.01}}
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(values))
    jobs = copy.jobs(study=tmp_path / "changed.yaml")
    assert [job for job in jobs if job.startswith("train")] == ["train arm=none, pack=0"]
    assert {job.split()[0] for job in jobs} == {"train", "audit", "evaluate", "explain", "report", "track"}


def test_memory_is_asked_for_where_neighbours_are_sought_in_pixels(tiny, results, tmp_path):
    values = yaml.safe_load((ROOT / "studies" / "tiny.yaml").read_text())
    values["arms"]["embedded"] = {"balance": {"method": "smote", "k_neighbors": 2, "space": "embedding"}}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(values))
    done = tiny("--dry-run", "--forcerun", "balance", study=tmp_path / "more.yaml")
    told = (done.stdout + done.stderr).split("rule balance:")[1:]
    asked = {re.search(r"recipe=([\w-]+)", job)[1]: int(re.search(r"mem_mb=(\d+)", job)[1]) for job in told}
    megabytes = 4e-6 * sum(np.load(path, mmap_mode="r").size for path in (results / "resample/store").glob("*.npy"))
    pixels, embedded = sorted((name for name in asked if name.startswith("smote")), key=asked.get, reverse=True)
    assert asked[pixels] - asked[embedded] == pytest.approx(2 * megabytes, abs=1)
    assert {asked[name] for name in asked if name != pixels} == {asked[embedded]}


def test_two_runs_from_scratch_are_identical(tiny, workflow_in):
    again = workflow_in()
    again()
    for name in ("metrics.csv", "predictions.parquet"):
        first, second = (run.folder / "results" / "tiny" / name for run in (tiny, again))
        assert first.read_bytes() == second.read_bytes(), name


def test_a_killed_run_goes_on_where_it_stopped(tiny, workflow_in):
    run = workflow_in()
    state = run.folder / "results" / "tiny" / "train" / ".state"
    run.kill_when(lambda: any(state.rglob("*.npz")))
    run("--unlock")
    jobs = {job.split()[0] for job in run.jobs("--rerun-incomplete")}
    assert "train" in jobs
    assert not {"phantom", "cohort", "deidentify", "resample", "split"} & jobs
    run("--rerun-incomplete")
    for name in ("metrics.csv", "predictions.parquet"):
        first, second = (each.folder / "results" / "tiny" / name for each in (tiny, run))
        assert first.read_bytes() == second.read_bytes(), name


def test_a_lost_output_is_made_again(copy):
    (copy.folder / "results" / "tiny" / "split" / "folds.parquet").unlink()
    copy()
    assert copy.jobs() == []


def test_nothing_outside_results_is_written(tiny):
    names = {path.name for path in tiny.folder.iterdir()}
    assert names <= {"results", ".snakemake"}
