import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from train_study import LOGISTIC, NET, QUICK, asks

from asclepius.augment.settings import AugmentSettings
from asclepius.train.command import run
from asclepius.train.outcome import Run
from asclepius.train.resume import Progress

LIGHT = AugmentSettings(flip=["x"], rotate=[-10, 10], shift=[-0.1, 0.1], noise=[0, 0.1])
LONG = QUICK.model_copy(update={"epochs": 6, "weight_decay": 0.01, "normalise": "nyul"})

# One interpreter imports Keras once and forks each run before anything is computed: three fresh processes for the
# price of one import.
CHILDREN = """
import os, pickle, sys, time
sys.path.insert(0, sys.argv[1])
import keras, tensorflow
from asclepius.train.command import run
for line in sys.stdin:
    given = pickle.loads(bytes.fromhex(line))
    pid = os.fork()
    if pid == 0:
        run(**given)
        os._exit(0)
    print(f"pid {pid}", flush=True)
    print(f"status {os.waitpid(pid, 0)[1]}", flush=True)
"""


class Children:
    def __init__(self):
        self.parent = subprocess.Popen(
            [sys.executable, "-c", CHILDREN, str(Path(__file__).parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, given) -> int:
        self.parent.stdin.write(pickle.dumps(given).hex() + "\n")
        self.parent.stdin.flush()
        return int(self._line("pid"))

    def wait(self) -> tuple[int, str]:
        self.said = ""
        return int(self._line("status")), self.said

    def _line(self, word) -> str:
        for line in self.parent.stdout:
            if line.startswith(f"{word} "):
                return line.split()[1]
            self.said += line
        raise AssertionError(f"the runs ended early:\\n{self.said}")

    said = ""


@pytest.fixture(scope="module")
def children():
    found = Children()
    yield found
    found.parent.kill()
    found.parent.wait()


def test_a_killed_and_resumed_pack_equals_an_uninterrupted_one_bit_for_bit(study, children):
    """The first run draws balanced batches; the second makes synthetic embeddings, and is killed before and after."""
    asks(study, 0, sampler="balanced", settings={"method": "balanced_batches"})
    asks(study, 1, space="embedding", settings={"method": "latent_smote", "k_neighbors": 2})
    whole, broken = (
        study.arguments(out=name, model=NET.model_copy(update={"dropout": 0.5}), augment=LIGHT, train=LONG,
                        runs=["0:1", "1:2"])
        for name in ("whole", "broken")
    )  # fmt: skip
    children.start(whole)
    assert children.wait()[0] == 0

    for reached in ("progress", "head"):
        pid = children.start(broken)
        deadline = time.monotonic() + 60
        while not any(p.epochs >= 2 for p in map(Progress.load, broken["state"].glob(f"fold-1-*/{reached}.npz")) if p):
            assert time.monotonic() < deadline, "no second run began"
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        assert os.WTERMSIG(children.wait()[0]) == signal.SIGKILL
        assert not broken["predictions"].exists()

    children.start(broken)
    status, said = children.wait()
    assert status == 0
    assert "fold 0 seed 1: already finished" in said
    assert "fold 1 seed 2: resumed after epoch 6" in said
    assert "fold 1 seed 2 head: resumed after epoch" in said
    assert whole["predictions"].read_bytes() == broken["predictions"].read_bytes()
    for name in ("fold-1-seed-2/model.keras", "fold-1-seed-2/examples.parquet"):
        assert (whole["models"] / name).read_bytes() == (broken["models"] / name).read_bytes()
    a, b = (pd.read_parquet(given["history"]).query("metric != 'seconds'") for given in (whole, broken))
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), check_exact=True)


def test_a_changed_recipe_or_table_resumes_nothing(study):
    from asclepius.train.pack import Pack, Source

    given = study.arguments()
    source = Source(*(given[name] for name in ("images", "folds", "task", "stores", "tables")))

    def folder(train=QUICK):
        return Pack(NET, LIGHT, train, source, given["state"]).state_of(Run("net", 0, 1)).folder.name

    first = folder()
    assert folder() == first
    assert folder(QUICK.model_copy(update={"pack": 3})) == first
    assert folder(QUICK.model_copy(update={"learning_rate": 0.02})) != first
    frame = pd.read_parquet(study.tables[0]).assign(weight=2.0)
    frame.to_parquet(study.tables[0])
    assert folder() != first


def test_state_that_the_disk_lost_is_not_used(tmp_path, capsys):
    path = tmp_path / "progress.npz"
    assert Progress.load(path) is None
    Progress(2, [{"epoch": 1, "loss": 0.5}], [np.arange(3)], [np.ones(2)]).save(path)
    found = Progress.load(path)
    assert (found.epochs, found.history) == (2, [{"epoch": 1, "loss": 0.5}])
    np.testing.assert_array_equal(found.best[0], np.ones(2))
    path.write_bytes(path.read_bytes()[:-40])
    assert Progress.load(path) is None
    assert "starting this run again" in capsys.readouterr().out


def test_only_the_state_of_its_own_runs_is_deleted(study):
    given = study.arguments(model=LOGISTIC)
    other = given["state"] / "fold-0-seed-9-0123"
    other.mkdir(parents=True)
    (given["state"] / "fold-0-seed-1-0ld").mkdir()
    run(**given)
    assert [path.name for path in given["state"].iterdir()] == [other.name]
