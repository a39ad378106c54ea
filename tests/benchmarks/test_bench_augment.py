"""Augmentation beside TorchIO, MONAI and Keras' own layers, and beside the training step that it feeds.

TorchIO and MONAI need PyTorch, which this environment does not have: name a folder that holds all three in PEERS, e.g.
`pip install --target peers torch torchio monai` and `make bench NAME=augment PEERS=peers`.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from augment_contenders import COUNT
from bench_record import record

pytestmark = pytest.mark.bench
ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("augment_contenders.py")
WARM, ROUNDS = 1, 5
FASTER, SHARE = 6.0, 0.15


class Contender:
    """A process that augments when it is told to."""

    def __init__(self, name: str, case: str):
        path = list(sys.path)
        if name in ("TorchIO", "MONAI"):
            path = [os.environ.get("PEERS", "")]
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), name, case], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip

    def round(self) -> dict[str, float]:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise AssertionError(f"{self.process.args[2:]} ended")

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measured(case: str, names: list[str]) -> dict[str, dict[str, float]]:
    """What each contender takes for an image, in turns; a ratio is the median over rounds."""
    processes = {name: Contender(name, case) for name in names}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(WARM + ROUNDS):
        for name, process in processes.items():
            found[name].append(process.round())
    for process in processes.values():
        process.end()
    table = {}
    for name, rounds in found.items():
        seconds, work = ([one[part] / COUNT for one in rounds[WARM:]] for part in ("seconds", "processor"))
        ours = [one["processor"] / COUNT for one in found["asclepius"][WARM:]]
        table[name] = {
            "median": statistics.median(seconds), "minimum": min(seconds), "maximum": max(seconds),
            "processor": statistics.median(work), "images per second and core": 1 / statistics.median(work),
            # In processor time: other work on the machine lengthens waits by chance.
            "times ours": statistics.median(other / one for one, other in zip(ours, work, strict=True)),
        }  # fmt: skip
    return table


@pytest.mark.parametrize("case", ["six steps", "mri", "xray"])
def test_speed_beside_other_tools_and_the_training_step(capsys, case):
    peers = ["TorchIO", "MONAI"] if os.environ.get("PEERS") else []
    names = ["asclepius", "training step", *peers, *(["keras.layers"] if case == "xray" else [])]
    table = measured(case, names)
    share = table["asclepius"]["processor"] / table["training step"]["processor"]
    record("augment", case, table | {"share of a training step": share})
    with capsys.disabled():
        print(f"\n{case}, {COUNT} images, {ROUNDS} rounds; per image")
        for name, one in table.items():
            print(
                f"  {name:14} median {1e3 * one['median']:7.2f} ms, {1e3 * one['minimum']:.2f} to "
                f"{1e3 * one['maximum']:.2f}; processor {1e3 * one['processor']:7.2f} ms, "
                f"{one['images per second and core']:6.1f}/s per core; {one['times ours']:6.2f} x ours"
            )
        print(f"  share of a training step {share:.3f}" + ("" if peers else "; no TorchIO, no MONAI: PEERS is not set"))
    assert share < SHARE
    if peers and case == "six steps":
        assert min(table[name]["times ours"] for name in peers) >= FASTER
