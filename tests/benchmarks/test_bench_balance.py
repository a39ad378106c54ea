"""Memory and time of the samplers on 50,000 training images of 64 px, one in ten of the small class."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMON, RARE, SIDE = 56_250, 6_250, 64  # four fifths of them train
SMALL, FOLD = (0.8 * count * SIDE * SIDE * 4 / 2**20 for count in (RARE, COMMON + RARE))  # as float32, MiB

# What the process holds itself, sampled: pages of mapped files are not its own.
CHILD = """
import re, sys, tempfile, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_balance_smote import many

def held():
    return int(re.search(r"RssAnon:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

peak = 0
def watch():
    global peak
    while True:
        peak = max(peak, held())
        time.sleep(0.005)

with tempfile.TemporaryDirectory() as folder:
    method, common, rare, side = sys.argv[2], *map(int, sys.argv[3:6])
    many(Path(folder) / "warm", 60, 30, 8).balance(method=method)
    study = many(Path(folder) / "large", common, rare, side)
    threading.Thread(target=watch, daemon=True).start()
    time.sleep(0.1)
    before, begin = held(), time.perf_counter()
    study.balance(method=method)
    print(peak - before, time.perf_counter() - begin)
"""


@pytest.mark.bench
@pytest.mark.parametrize(
    ("method", "allowed"), [("smote", 2 * SMALL), ("borderline_smote", 2 * FOLD), ("adasyn", 2 * FOLD)]
)
def test_memory_at_full_size(capsys, method, allowed):
    folder = Path(__file__).parents[1] / "balance"
    command = [sys.executable, "-c", CHILD, folder, method, str(COMMON), str(RARE), str(SIDE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, seconds = map(float, done.stdout.split()[-2:])
    with capsys.disabled():
        print(f"\n{method}: {peak:.0f} MiB ({peak / SMALL:.2f} x the small class, {peak / FOLD:.2f} x the fold), "
              f"{seconds:.0f} s")  # fmt: skip
    assert peak < allowed
