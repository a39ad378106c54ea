"""De-identification beside other tools: speed, scaling, memory, and what each leaves in the hard cases."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from bench_record import record

sys.path.insert(0, str(Path(__file__).parents[1] / "deidentify"))
from deidentify_files import write_long, write_series
from deidentify_peers import Gdcm, Kitware, files

pytestmark = pytest.mark.bench
ROUNDS = 5
GOAL = 3.0  # times pydicom's read and write
SIZES = {"26 KB": (500, 108), "0.5 MB": (100, 512)}
# The process's own peak: ru_maxrss would begin with that of the process which started it.
_CHILD = """
import re, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from hard_run import deidentified
result = deidentified(Path(sys.argv[1]), Path(sys.argv[2]), jobs=1)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(result.released, result.quarantined, peak)
"""


@pytest.fixture(autouse=True)
def engine():
    folder = pytest.importorskip("asclepius.deidentify.folder", reason="the folder command is not there")
    if not hasattr(folder, "deidentify_folder"):
        pytest.skip("the folder command is not there")


def _processor_seconds() -> float:
    """Of this process and the children it has waited for: what other work on the machine disturbs least."""
    return sum(os.times()[:4])


def _ours(source: Path, out: Path) -> float:
    from hard_run import deidentified

    start = time.perf_counter()
    result = deidentified(source, out)
    seconds = time.perf_counter() - start
    assert (result.released, result.quarantined) == (len(files(source)), 0)
    return seconds


def _each(change: Callable[[Path, Path], None]) -> Callable[[Path, Path], float]:
    def run(source: Path, out: Path) -> float:
        start = time.perf_counter()
        for path in files(source):
            target = out / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            change(path, target)
        return time.perf_counter() - start

    return run


def _read_and_write(path: Path, target: Path) -> None:
    pydicom.dcmread(path).save_as(target)


_KERNEL = pytest.mark.xfail(reason="2.1 x where measured: writing and reading back take half of the time")


@pytest.mark.parametrize("size", ["26 KB", pytest.param("0.5 MB", marks=_KERNEL)])
def test_speed_of_one_process(tmp_path, capsys, size):
    count, side = SIZES[size]
    total = write_series(tmp_path / "in", count, side)
    contenders = {
        "asclepius": _ours,
        "pydicom read + write": _each(_read_and_write),
        "copy": _each(shutil.copyfile),
        Kitware.name: Kitware(tmp_path / "kitware"),
        Gdcm.name: Gdcm(tmp_path / "gdcm"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    work: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS + 1):
        for name, run in contenders.items():
            begin = _processor_seconds()
            seconds[name].append(run(tmp_path / "in", tmp_path / "out"))
            work[name].append(_processor_seconds() - begin)
            shutil.rmtree(tmp_path / "out")
    table, base = {}, seconds["pydicom read + write"][1:]
    lines = [f"\n{count} files of {size} ({total / 1e6:.0f} MB), {ROUNDS} rounds after one"]
    for name, (_, *found) in seconds.items():  # the first round warms the caches
        # Round by round, because other work on the machine slows neighbours alike.
        ratio = statistics.median(one / other for one, other in zip(base, found, strict=True))
        table[name] = {
            "seconds": [round(one, 4) for one in found], "median": round(statistics.median(found), 4),
            "files_per_second": round(count / min(found), 1), "times_pydicom": round(ratio, 2),
        }  # fmt: skip
        table[name]["processor_seconds"] = round(min(work[name][1:]), 4)
        lines.append(
            f"  {name:26} median {statistics.median(found):6.3f} s, {min(found):.3f} to {max(found):.3f};"
            f" {count / min(found):6.0f} files/s; {ratio:5.2f} x pydicom;"
            f" processor {min(work[name][1:]):.3f} s"
        )
    record("deidentify", f"speed, {size}", table)
    with capsys.disabled():
        print("\n".join(lines))
    assert table["asclepius"]["times_pydicom"] >= GOAL


def test_two_processes(tmp_path, capsys):
    """1.8 times one process on two idle cores; other work on the machine takes its share."""
    from hard_run import deidentified

    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    count = 4000
    write_series(tmp_path / "in", count, 108)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(2):
        for jobs, found in seconds.items():
            start = time.perf_counter()
            result = deidentified(tmp_path / "in", tmp_path / "run", jobs=jobs)
            found.append(time.perf_counter() - start)
            assert result.released == count
            shutil.rmtree(tmp_path / "run")
    ratio = min(seconds[1]) / min(seconds[2])
    record("deidentify", "jobs", {"files": count, "seconds": seconds, "ratio": round(ratio, 2)})
    with capsys.disabled():
        print(f"\n{count} files: {min(seconds[1]):.2f} s in one process, {min(seconds[2]):.2f} s in two: {ratio:.2f} x")
    assert ratio >= 1.5


def _peak(source: Path, out: Path) -> tuple[int, float]:
    """Files released and peak memory in MB of a process of its own."""
    code = _CHILD.format(tests=str(Path(__file__).parents[1] / "deidentify"))
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(out)], capture_output=True, text=True, check=True
    )
    released, _, peak = map(int, done.stdout.split()[-3:])
    return released, peak / 1024


def test_memory_is_flat_in_files(tmp_path, capsys):
    peaks = {}
    for count in (500, 5000):
        write_series(tmp_path / str(count), count, 16)
        released, peaks[count] = _peak(tmp_path / str(count), tmp_path / f"out{count}")
        assert released == count
    record("deidentify", "peak MB by files", peaks)
    with capsys.disabled():
        print(f"\npeak memory: {', '.join(f'{count} files {peak:.0f} MB' for count, peak in peaks.items())}")
    assert peaks[5000] < peaks[500] + 40


def test_a_long_file_needs_little_memory(tmp_path, capsys):
    size = write_long(tmp_path / "in" / "long.dcm", 2.0)
    if shutil.disk_usage(tmp_path).free < 3 * size:
        pytest.skip("less than 6 GB of free disk")
    start = time.perf_counter()
    released, peak = _peak(tmp_path / "in", tmp_path / "run")
    seconds = time.perf_counter() - start
    record("deidentify", "long file", {"bytes": size, "peak MB": peak, "seconds": seconds})
    with capsys.disabled():
        print(f"\n{size / 1e9:.1f} GB multi-frame: {seconds:.1f} s, peak {peak:.0f} MB")
    assert released == 1
    assert peak < 1000
    (out,) = files(tmp_path / "run" / "out")
    assert abs(out.stat().st_size - size) < 10_000


def test_what_each_tool_leaves(tmp_path, capsys):
    """The hard cases through every tool: cases and identifiers that survive, and files that come out."""
    from hard_cases import cases
    from hard_leaks import Folder, of_preset, searched
    from hard_run import deidentified

    for case in cases():
        case.write(tmp_path / "in" / f"{case.number:03d}")
    planted = sum(len({one.text for one in of_preset(case, "research")}) for case in cases())
    table = {}
    for tool in (Kitware(tmp_path / "kitware"), Gdcm(tmp_path / "gdcm", whole=False)):
        out = tmp_path / tool.name.split()[0]
        tool(tmp_path / "in", out)
        left = {}
        for case in cases():
            found = [searched(path.read_bytes(), of_preset(case, "research"))
                     for path in files(out / f"{case.number:03d}")]  # fmt: skip
            left[case.name] = {one.text for part in found for one in part}
        table[tool.name] = _counts(left, len(files(out)))
    for preset in ("strict", "research", "tcia"):
        result = deidentified(tmp_path / "in", tmp_path / preset, preset)
        out = Folder(result.out, cases())
        left = {case.name: set(out.leaks(case, preset)) for case in cases()}
        table[f"asclepius {preset}"] = _counts(left, result.released)
    record("deidentify", "hard cases", {"cases": len(cases()), "identifiers": planted, "tools": table})
    with capsys.disabled():
        print(f"\n{len(cases())} hard cases, {planted} identifiers, {len(files(tmp_path / 'in'))} files")
        for name, (leaking, left, out) in table.items():
            print(f"  {name:26} {leaking:4} cases leak {left:4} identifiers; {out:4} files released")
    assert all(found[0] == 0 for name, found in table.items() if name.startswith("asclepius"))


def _counts(left: dict[str, set[str]], out: int) -> tuple[int, int, int]:
    return sum(map(bool, left.values())), sum(map(len, left.values())), out
