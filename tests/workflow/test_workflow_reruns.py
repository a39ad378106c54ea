"""What re-runs after a change: no more than it must, no less."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
AFTER_SPLIT = {"augment", "balance", "train", "audit", "evaluate", "explain", "report", "track"}
pytestmark = pytest.mark.workflow


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (12, 12), dtype=np.uint8)).save(path)


@pytest.fixture
def pictures(tmp_path, workflow_in):
    """A small folder of pictures by class, run up to the array store."""
    for number in range(24):
        picture(tmp_path / "scans" / "ab"[number % 2] / f"{number}.png", number)
    values = {"study": "s", "cohort": {"source": "images", "path": "scans", "shards": 8}, "resample": {"size": [8, 8]}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(values))
    run = workflow_in(tmp_path)
    run("data", study=tmp_path / "study.yaml")
    return run


def shards(done):
    """Jobs that ran, by rule."""
    lines = [line.split() for line in done.stderr.splitlines() if line.startswith(("localrule ", "localcheckpoint "))]
    names = [words[1].rstrip(":") for words in lines]
    return {name: names.count(name) for name in set(names)}


def test_a_new_patient_re_runs_its_shard_alone(pictures):
    study = pictures.folder / "study.yaml"
    assert pictures.jobs("data", study=study) == []
    picture(pictures.folder / "scans" / "a" / "new.png", 99)
    ran = shards(pictures("data", study=study))
    assert ran["cohort"] == ran["deidentify"] == ran["resample"] == ran["deidentify_gather"] == ran["quality"] == 1
    assert ran["quality_measure"] == 1
    assert pictures.jobs("data", study=study) == []


def test_an_image_written_anew_is_read_anew(pictures):
    study = pictures.folder / "study.yaml"
    picture(pictures.folder / "scans" / "a" / "0.png", 1000)
    ran = shards(pictures("data", study=study))
    assert ran["deidentify"] == ran["resample"] == ran["quality_measure"] == 1


def test_a_new_module_of_one_stage_re_runs_it_and_what_follows(tiny, workflow_in, tmp_path):
    for name in ("Snakefile", "workflow", "studies", "envs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    shutil.copytree(tiny.folder, tmp_path / "run", symlinks=True)
    run = workflow_in(tmp_path / "run")
    run.snakefile = tmp_path / "Snakefile"
    assert run.jobs() == []

    def edited(module):
        path = tmp_path / "workflow" / "asclepius" / module
        before = path.read_text()
        path.write_text(before + "\n\nADDED = 1\n")
        rules = {job.split()[0] for job in run.jobs()}
        path.write_text(before)
        return rules

    assert edited("split/command.py") == {"split", *AFTER_SPLIT}
    assert edited("evaluate/command.py") == {"evaluate", "explain", "report", "track"}
    assert edited("report/command.py") == {"report", "track"}
    assert edited("track/settings.py") == {"track"}


def test_a_plan_re_runs_shards_only_when_it_changes_and_is_never_taken_from_its_editor(tmp_path, workflow_in):
    for number in range(6):
        picture(tmp_path / "scans" / "ab"[number % 2] / f"{number}.png", number)
    values = {
        "study": "s",
        "cohort": {"source": "images", "path": "scans", "shards": 2},
        "resample": {"target": "auto"},
    }
    study, plan = tmp_path / "study.yaml", tmp_path / "results" / "s" / "resample" / "plan.yaml"
    study.write_text(yaml.safe_dump(values))
    run = workflow_in(tmp_path)
    assert shards(run("data", study=study))["resample"] == 2
    assert "size: [12, 12]" in plan.read_text()

    picture(tmp_path / "scans" / "a" / "new.png", 99)
    ran = shards(run("data", study=study))
    assert ran["resample_geometry"] == ran["resample_plan"] == ran["resample"] == 1  # the same plan again

    plan.write_text(plan.read_text().replace("[12, 12]", "[10, 10]"))
    picture(tmp_path / "scans" / "a" / "newer.png", 100)
    ran = shards(run("data", study=study))
    assert (ran["resample_plan"], ran["resample"]) == (1, 2)
    assert "size: [10, 10]" in plan.read_text()

    plan.unlink()
    assert shards(run("data", study=study))["resample"] == 2
    assert "size: [12, 12]" in plan.read_text()
    assert run.jobs("data", study=study) == []
