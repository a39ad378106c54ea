"""Resampling beside other tools on the same volumes; memory, scaling, and how fast the store is read."""

import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from bench_record import record
from resample_contenders import SCRIPTS, container

sys.path.insert(0, str(Path(__file__).parents[1] / "resample"))

pytestmark = pytest.mark.bench
ROOT = Path(__file__).parents[2]
VOLUMES, ROUNDS = 8, 5
SLOW = {"nibabel.processing": 2, "scipy.ndimage": 2}  # volumes; they take seconds each
SIMPLEITK, NIBABEL, SERIES, BUSY = 2.5, 5.0, 2.0, 0.9
SEQUENTIAL, RANDOM = 0.8, 0.5


def write_volumes(folder: Path, count: int) -> list[Path]:
    """Heads of 182 x 218 x 182 voxels of 1 mm, int16, with masks: a real one, or one drawn, with noise of its own."""
    real = ROOT.parent / "shared" / "data" / "ms_lesion_mri" / "patient07" / "FLAIR_regtoMNI.nii.gz"
    if real.exists():
        image = nibabel.load(real)
        head, affine = image.get_fdata(dtype=np.float32), image.affine
        head = head / head.max() * 1000
    else:
        x, y, z = np.ogrid[-1:1:182j, -1:1:218j, -1:1:182j]
        head = (1000 * np.maximum(0, 0.8 - x**2 - y**2 - z**2)).astype(np.float32)
        affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    random, inside = np.random.default_rng(1), head > 0
    mask = inside.astype(np.uint8) + (head > np.percentile(head[inside], 90))
    folder.mkdir()
    for number in range(count):
        noisy = np.where(inside, head + random.normal(0, 10, head.shape), 0).clip(0).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(noisy, affine), folder / f"i{number:02d}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(mask, affine), folder / f"m{number:02d}.nii.gz")
    return sorted(folder.glob("i*.nii.gz"))


def together(name: str, folders: list[Path], scratch: Path) -> dict[str, float]:
    """Processes of one contender, a folder each, let go at once: seconds from the first start to the last end."""
    go = scratch / "go"
    script = Path(__file__).with_name("resample_contenders.py")
    outs = [scratch / f"{name}-{number}" for number in range(len(folders))]
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), name, str(folder), str(out), str(go)], stdout=subprocess.PIPE, text=True
        )
        for folder, out in zip(folders, outs, strict=True)
    ]
    while not all(Path(f"{out}.ready").exists() for out in outs):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    go.touch()
    found = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    shutil.rmtree(scratch)
    scratch.mkdir()
    wall = max(one["end"] for one in found) - min(one["start"] for one in found)
    cpu, line = (sum(one[part] for one in found) for part in ("cpu", "in line"))
    return {"seconds": wall, "processor": cpu, "busy": line / wall / len(found)}


def test_speed_beside_other_tools(tmp_path, capsys):
    images = write_volumes(tmp_path / "in", VOLUMES)
    shards = []
    for number in range(2):
        shards.append(tmp_path / f"shard-{number}")
        shards[-1].mkdir()
        container(images[number::2], shards[-1])
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted((tmp_path / "in").iterdir()):
        if int(path.name[1:3]) < 2:
            shutil.copy(path, few)
    (tmp_path / "scratch").mkdir()
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ("asclepius", *SCRIPTS)}
    for _ in range(ROUNDS):
        for name, found in rows.items():
            count = SLOW.get(name, VOLUMES)
            folders = shards if name == "asclepius" else [few if name in SLOW else tmp_path / "in"]
            one = together(name, folders, tmp_path / "scratch")
            found.append(
                {"seconds": one["seconds"] / count, "processor": one["processor"] / count, "busy": one["busy"]}
            )
    table, lines = {}, [f"\n{VOLUMES} volumes with masks, {ROUNDS} rounds; per volume and mask"]
    ours = [one["seconds"] for one in rows["asclepius"]]
    for name, found in rows.items():
        seconds = [one["seconds"] for one in found]
        # Round by round, because other work on the machine slows neighbours alike.
        ratio = statistics.median(other / one for one, other in zip(ours, seconds, strict=True))
        table[name] = {
            "median": statistics.median(seconds), "minimum": min(seconds), "maximum": max(seconds),
            "processor": min(one["processor"] for one in found), "times ours": ratio,
            "busy": statistics.median(one["busy"] for one in found),
        }  # fmt: skip
        lines.append(
            f"  {name:18} median {1e3 * table[name]['median']:6.0f} ms, {1e3 * min(seconds):.0f} to "
            f"{1e3 * max(seconds):.0f}; processor {1e3 * table[name]['processor']:.0f} ms; {ratio:.2f} x ours"
        )
    lines.append(f"  our two processes ran or stood in line for a core {table['asclepius']['busy']:.0%} of the time")
    record("resample", "speed", table)
    with capsys.disabled():
        print("\n".join(lines))
    assert table["SimpleITK"]["times ours"] >= SIMPLEITK
    assert table["nibabel.processing"]["times ours"] >= NIBABEL
    assert table["asclepius"]["busy"] >= BUSY


@pytest.mark.parametrize(("side", "slices", "count"), [(96, 20, 24), (512, 40, 8)])
def test_speed_of_dicom_series(tmp_path, capsys, side, slices, count):
    from resample_cases import series

    random = np.random.default_rng(side)
    pixels, spacing = random.integers(-1000, 1000, (slices, side, side)).astype(np.int16), (3.0, 1.0, 1.0)
    sources, shards = [tmp_path / "in" / f"i{number:02d}" for number in range(count)], []
    for number, folder in enumerate(sources):
        folder.mkdir(parents=True)
        for place, data in enumerate(
            series(np.roll(pixels, number, axis=1), spacing, RescaleSlope="1", RescaleIntercept="-24")
        ):
            data = data.replace(b"1.2.3\0", f"1.2.{place % 10}\0".encode())
            (folder / f"{place:03d}.dcm").write_bytes(data)
    for number in range(2):
        shards.append(tmp_path / f"shard-{number}")
        shards[-1].mkdir()
        container(sources[number::2], shards[-1])
        (shards[-1] / "size.json").write_text(json.dumps([slices * 3 // 2, side // 2, side // 2]), encoding="utf-8")
    (tmp_path / "scratch").mkdir()
    rows: dict[str, list[dict[str, float]]] = {"asclepius series": [], "SimpleITK series": []}
    for _ in range(ROUNDS):
        for name, found in rows.items():
            folders = shards if name.startswith("asclepius") else [tmp_path / "in"]
            found.append(together(name, folders, tmp_path / "scratch"))
    ours, theirs = ([one["seconds"] / count for one in found] for found in rows.values())
    ratio = statistics.median(other / one for one, other in zip(ours, theirs, strict=True))
    table = {
        name: {"median": statistics.median(one["seconds"] for one in found) / count,
               "processor": min(one["processor"] for one in found) / count}
        for name, found in rows.items()
    }  # fmt: skip
    record("resample", f"DICOM series of {side} x {side} x {slices}", table | {"ratio": ratio})
    with capsys.disabled():
        words = (
            f"{name} {1e3 * one['median']:.1f} ms, processor {1e3 * one['processor']:.1f} ms"
            for name, one in table.items()
        )
        print(f"\n{side} x {side} x {slices}: {'; '.join(words)}; {ratio:.2f} x")
    assert ratio >= SERIES


def child(code: str, *words: object) -> list[str]:
    """Words that a Python process of its own prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
    )  # fmt: skip
    return done.stdout.split()


# The process's own peak: ru_maxrss would begin with that of the process which started it.
PEAK = """
import re, sys
from pathlib import Path
from resample_contenders import stage
stage(Path(sys.argv[1]), size=[32, 32, 32])
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024)
"""


def test_memory_does_not_grow_with_the_shard(tmp_path, capsys):
    volume = np.random.default_rng(1).integers(0, 999, (64, 64, 64)).astype(np.int16)
    one = tmp_path / "i.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), one)
    peaks = {}
    for count in (100, 1000):
        folder = tmp_path / str(count)
        (folder / "in").mkdir(parents=True)
        images = [folder / "in" / f"i{number:04d}.nii.gz" for number in range(count)]
        for path in images:
            os.link(one, path)
        container(images, folder)
        peaks[count] = float(child(PEAK, folder)[-1])
    record("resample", "peak MB by volumes", peaks)
    with capsys.disabled():
        print(f"\npeak memory: {', '.join(f'{count} volumes {peak:.0f} MB' for count, peak in peaks.items())}")
    assert peaks[1000] < peaks[100] + 20


def test_cost_per_image_is_flat(tmp_path, capsys):
    """Rows of an .npz and PNG files, 28 px, 10^2 to 10^5 of them."""
    import pandas as pd
    from PIL import Image
    from resample_contenders import stage

    from asclepius import tables
    from asclepius.deidentify.schema import MANIFEST

    random = np.random.default_rng(1)
    base = {
        "patient": "P", "visit": 1, "site": None, "scanner": None, "modality": None, "label": "a", "official": None,
        "age": 50.0, "sex": "F", "mask": None, "boxes": None, "shard": 0, "position": -1,
    }  # fmt: skip
    cost: dict[str, dict[int, float]] = {"rows of .npz": {}, "PNG": {}}
    for power in (2, 2, 3, 4, 5):  # the first time warms up
        count = 10**power
        for kind, found in cost.items():
            folder = tmp_path / f"{kind[:3]}{power}"
            folder.mkdir(exist_ok=True)
            arrays = random.integers(0, 255, (count, 28, 28), np.uint8)
            frame = pd.DataFrame({"image": [f"i{number}" for number in range(count)]}).assign(**base)
            if kind == "PNG":
                with zipfile.ZipFile(folder / "release.zip", "w") as archive:
                    for number, array in enumerate(arrays):
                        stream = io.BytesIO()
                        Image.fromarray(array).save(stream, "PNG", compress_level=1)
                        archive.writestr(f"{number}.png", stream.getvalue())
                members = [json.dumps([f"{number}.png"]) for number in range(count)]
                frame = frame.assign(format="picture", path="", member=members, row=-1)
            else:
                np.savez_compressed(folder / "set.npz", images=arrays)
                frame = frame.assign(format="npz", path=str(folder / "set.npz"), member="images", row=range(count))
            tables.write(folder / "manifest.parquet", frame[list(MANIFEST.columns)], MANIFEST)
            start = time.process_time()  # other work on the machine does not count
            stage(folder, size=[28, 28], dtype="uint8")
            found[count] = (time.process_time() - start) / count
            shutil.rmtree(folder)
    record("resample", "seconds per image by count", cost)
    with capsys.disabled():
        print("\n| images | " + " | ".join(cost) + " |")
        for power in (2, 3, 4, 5):
            print(f"| 10^{power} | " + " | ".join(f"{1e6 * found[10**power]:.0f} µs" for found in cost.values()) + " |")
    for found in cost.values():
        assert found[10**5] < 1.3 * found[10**3]


@pytest.mark.parametrize(
    ("name", "shape", "count"), [("48 x 48 x 32", (32, 48, 48, 1), 3000), ("28 x 28", (28, 28, 1), 200_000)]
)
def test_the_store_is_read_nearly_as_fast_as_a_file(tmp_path, capsys, name, shape, count):
    from asclepius import store

    path = store.shard_path(tmp_path, 0)
    images = np.random.default_rng(1).integers(-999, 999, (500, *shape)).astype(np.int16)
    store.write(path, (images[number % 500] for number in range(count)), shape, np.int16)
    opened, size = store.Store(tmp_path), path.stat().st_size
    zeros = np.zeros(64, dtype=int)
    shuffled = np.random.default_rng(2).permutation(count)
    held, best = np.load(path), {}

    def timed(kind: str, read) -> None:
        start = time.perf_counter()
        read()
        best[kind] = max(best.get(kind, 0), size / (time.perf_counter() - start) / 1e9)

    def plain() -> None:
        batch = 64 * images[0].nbytes
        with open(path, "rb", buffering=0) as file:
            while file.read(batch):
                pass

    def batches(rows: np.ndarray) -> None:
        for first in range(0, count, 64):
            part = rows[first : first + 64]
            opened.read(zeros[: len(part)], part)

    for _ in range(ROUNDS):
        timed("plain read", plain)
        timed("store, in order", lambda: batches(np.arange(count)))
        timed("store, at random", lambda: batches(shuffled))
        timed(
            "array in memory, at random", lambda: [held.take(shuffled[n : n + 64], axis=0) for n in range(0, count, 64)]
        )
    record("resample", f"GB/s, {name}", best)
    with capsys.disabled():
        print(f"\n{name}: " + ", ".join(f"{kind} {speed:.1f} GB/s" for kind, speed in best.items()))
    assert best["store, in order"] >= SEQUENTIAL * best["plain read"]
    # Small images cannot be gathered faster than memory gives them.
    assert best["store, at random"] >= min(RANDOM * best["plain read"], 0.7 * best["array in memory, at random"])
