"""The tiny study through a real Slurm."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import cluster

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slurm, pytest.mark.workflow]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    reason = cluster.missing()
    if reason:
        pytest.skip(reason)
    found = cluster.Cluster(tmp_path_factory.mktemp("slurm"))
    found.start()
    yield found
    found.stop()


def test_a_study_on_slurm_sees_its_gpus_and_equals_a_local_run(slurm, tiny, workflow_in):
    run = workflow_in()
    run.environment |= slurm.environment | {"XDG_CONFIG_HOME": run.environment["XDG_CONFIG_HOME"]}
    # A job takes about 12 s. One that the first look finds running is looked at ten seconds later than that again.
    quick = ("--slurm-init-seconds-before-status-checks", "15", "--seconds-between-status-checks", "1")
    run("--workflow-profile", str(ROOT / "workflow" / "profiles" / "slurm"), "--jobs", "8", *quick, timeout=1200)
    results = run.folder / "results" / "tiny"
    logs = {path.stem: path.read_text().splitlines()[0] for path in (results / "logs").rglob("*.log")}
    for name in ("train/none-pack-0", "train/smote-pack-0", "explain"):
        assert "gpu 0" in logs[Path(name).name] or "gpu 1" in logs[Path(name).name], logs
    assert "slurm job" in logs["split"]
    assert "gpu none" in logs["split"]
    for name in ("metrics.csv", "predictions.parquet"):
        assert (results / name).read_bytes() == (tiny.folder / "results" / "tiny" / name).read_bytes(), name
