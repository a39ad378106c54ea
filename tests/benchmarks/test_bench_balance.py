"""Memory and time of the samplers on 50,000 training images of 64 px, one in ten of the small class."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMON, RARE, SIDE = 56_250, 6_250, 64  # four fifths of them train
QUADRATIC = ("smote_tomek", "smote_enn", "svm_smote")  # time grows with the square of the fold: a fifth of it here

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


def mebibytes(images: int) -> float:
    """Of the training images among them, as float32."""
    return 0.8 * images * SIDE * SIDE * 4 / 2**20


@pytest.mark.bench
@pytest.mark.parametrize("method", ["smote", "borderline_smote", "adasyn", *QUADRATIC])
def test_memory_at_full_size(capsys, method):
    folder = Path(__file__).parents[1] / "balance"
    common, rare = (count // (5 if method in QUADRATIC else 1) for count in (COMMON, RARE))
    command = [sys.executable, "-c", CHILD, folder, method, str(common), str(rare), str(SIDE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, seconds = map(float, done.stdout.split()[-2:])
    small, fold = mebibytes(rare), mebibytes(common + rare)
    with capsys.disabled():
        print(f"\n{method}, {0.8 * (common + rare):.0f} images: {peak:.0f} MiB ({peak / small:.2f} x the small class, "
              f"{peak / fold:.2f} x the fold), {seconds:.0f} s")  # fmt: skip
    assert peak < 2 * (small if method == "smote" else fold)
