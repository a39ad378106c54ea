"""No partial store is ever taken for a whole one: a full disk, a job killed at any time."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pandas as pd
import pytest
from resample_cases import item
from test_resample_stage import GREY, png

from asclepius import store, tables
from asclepius.deidentify.schema import MANIFEST
from asclepius.errors import StudyError

WRITTEN = ("index", "store", "masks", "quarantine")


@pytest.fixture
def little_room():
    """Files may hold 40 KB."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(stage, tmp_path, little_room):
    items = [item(f"i{n}", "picture", [png(GREY)], mask_data=png(GREY)) for n in range(20)]
    with pytest.raises(StudyError, match="make room and run again, nothing half-written stays"):
        stage(items, size=[48, 48])
    assert not any((tmp_path / name).exists() for name in WRITTEN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.parquet", "shard-0003.zip"]


def test_a_full_disk_leaves_the_store_of_before(tmp_path, little_room):
    path = tmp_path / "shard.npy"
    store.write(path, [np.ones((8, 8, 1))], (8, 8, 1), np.uint8)
    with pytest.raises(StudyError, match="make room"):
        store.write(path, (np.zeros((8, 8, 1)) for _ in range(1000)), (8, 8, 1), np.uint8)
    assert np.load(path).shape == (1, 8, 8, 1)


JOB = """
import sys
from pathlib import Path
from asclepius.resample.command import run
from asclepius.resample.settings import ResampleSettings
folder = Path(sys.argv[1])
names = {name: folder / name for name in ("index", "store", "masks", "quarantine")}
run(settings=ResampleSettings(size=[512, 512]), shard=0, manifest=folder / "manifest", release=folder / "zip", **names)
"""


def test_a_job_killed_at_work_leaves_no_store(tmp_path):
    count = 400
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a.png", png(GREY))
    base = {
        "patient": "P", "visit": 1, "site": None, "scanner": None, "modality": None, "label": "a", "official": None,
        "age": 50.0, "sex": "F", "format": "picture", "path": "", "member": json.dumps(["a.png"]), "row": -1,
        "mask": None, "boxes": None, "shard": 0, "position": -1,
    }  # fmt: skip
    frame = pd.DataFrame([{"image": f"i{number}"} | base for number in range(count)], columns=list(MANIFEST.columns))
    tables.write(tmp_path / "manifest", frame, MANIFEST)
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(tmp_path)], env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
    )
    end = time.monotonic() + 60

    def begun() -> bool:
        return any(path.stat().st_size > 1 << 20 for path in tmp_path.glob(".store.*"))

    while not begun() and job.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    assert job.poll() is None, "the job ended before it could be killed"
    job.kill()
    job.wait()
    assert not any((tmp_path / name).exists() for name in WRITTEN)
