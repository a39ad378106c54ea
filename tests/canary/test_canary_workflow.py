"""The rules: every method through the study's own scripts, into folders of its own."""

import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from asclepius.canary.settings import METHODS

pytestmark = pytest.mark.workflow


def test_the_canary_runs_each_stage_for_each_method_and_leaves_the_study_alone(tiny):
    jobs = Counter(job.split()[0] for job in tiny.jobs("canary"))
    runs, shuffles, folds = len(METHODS) + 1, 2, 2  # and the naive one
    assert jobs == {
        "canary_shuffle": shuffles,
        "canary_split": 2 * shuffles,
        "canary_balance": runs * shuffles * folds,
        "canary_train": runs * shuffles,
        "canary_audit": 2 * shuffles,
        "canary_measure": 1,
        "canary": 1,
    }
    assert tiny.jobs() == []  # a study does not ask for it


def test_make_canary_asks_for_the_canary(tmp_path):
    root = Path(__file__).parents[2]
    told = subprocess.run(["make", "--dry-run", "canary"], capture_output=True, text=True, check=True, cwd=root).stdout
    words = shlex.split(next(line for line in told.replace("\\\n", " ").splitlines() if "bin/snakemake" in line))
    place = next(i for i, word in enumerate(words) if word.endswith("bin/snakemake"))
    command = [sys.executable, "-m", "snakemake", *words[place + 1 :], "--dry-run", "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert "canary_measure" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"canary": {"methods": ["smoot"]}}, "'smoot' is no balance method"),
        ({"canary": {"train": {"epoch": 3}}}, "canary.train.epoch: unknown key; did you mean 'epochs'?"),
        ({"split": {"method": "naive"}}, "write split.method: kfold, or demonstration: true"),
    ],
)
def test_refused_before_any_job(workflow_in, tmp_path, values, sentence):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"cohort": {"source": "phantom"}} | values))
    done = workflow_in(tmp_path)("canary", "--dry-run", study=tmp_path / "study.yaml", check=False)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr


@pytest.mark.study
def test_make_canary_tells_a_leak_from_none(workflow_in):
    """studies/canary.yaml to its end: every method gives chance, and the naive split a discovery."""
    workflow = workflow_in()
    workflow("canary", study="canary")
    outcome = yaml.safe_load((workflow.folder / "results/canary/canary/canary.json").read_text())
    assert outcome["passed"]
    naive = next(row for row in outcome["rows"] if row["design"] == "naive")
    assert naive["failed"]
    assert naive["auc"] > 0.85
