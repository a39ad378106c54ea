"""One contender of the resampling benchmark, in a process of its own: `python resample_contenders.py NAME FOLDER OUT`.

Every one resamples images (iNN.nii.gz, linear) and their masks (mNN.nii.gz, nearest) to 1.5 mm, or DICOM series
(folders iNN) to 2 mm, as a script of few lines would. Prints what it took as JSON, without the start of Python and the
imports.
"""

import json
import os
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np

MM = 1.5
SERIES_MM = 2.0


def simpleitk(source: Path, out: Path, order: int) -> None:
    import SimpleITK as sitk

    image = sitk.ReadImage(str(source))
    size = [round(n * step / MM) for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    method = sitk.sitkLinear if order else sitk.sitkNearestNeighbor
    moved = sitk.Resample(
        image, size, sitk.Transform(), method, image.GetOrigin(), [MM] * 3, image.GetDirection(), 0, image.GetPixelID()
    )
    sitk.WriteImage(moved, str(out) + ".nii.gz")


def simpleitk_series(source: Path) -> None:
    """The series reader and a resample; nothing is written."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(source)))
    image = reader.Execute()
    size = [round(n * step / SERIES_MM) for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), [SERIES_MM] * 3, image.GetDirection(), -1000,
        image.GetPixelID(),
    )  # fmt: skip


def nibabel_processing(source: Path, out: Path, order: int) -> None:
    from nibabel.processing import resample_to_output

    nibabel.save(resample_to_output(nibabel.load(source), [MM] * 3, order=order), str(out) + ".nii.gz")


def scipy_ndimage(source: Path, out: Path, order: int) -> None:
    from scipy.ndimage import zoom

    image = nibabel.load(source)
    factors = np.array(image.header.get_zooms()) / MM
    np.save(out, zoom(np.asarray(image.dataobj), factors, order=order))


def floor(source: Path, out: Path, order: int) -> None:
    from isal import igzip

    data = igzip.decompress(source.read_bytes())
    header = nibabel.Nifti1Header(data[:348])
    start = int(header["vox_offset"])
    np.save(out, np.frombuffer(data, header.get_data_dtype(), offset=start).reshape(header.get_data_shape()[::-1]))


SCRIPTS: dict[str, Callable[[Path, Path, int], None]] = {
    "SimpleITK": simpleitk,
    "nibabel.processing": nibabel_processing,
    "scipy.ndimage": scipy_ndimage,
    "floor": floor,
}


def container(images: list[Path], folder: Path) -> None:
    """What the de-identification stage would hand over: a shard's table and release.

    Args:
        images: files iNN.nii.gz, or folders iNN of a DICOM series.
    """
    import pandas as pd

    from asclepius import tables
    from asclepius.deidentify.schema import MANIFEST

    rows, release = [], folder / "release.zip"
    with zipfile.ZipFile(release, "w") as archive:
        for path in images:
            name = path.name.split(".")[0]
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            members = [f"{name}/{number:05d}" for number in range(len(files))]
            for file, member in zip(files, members, strict=True):
                archive.write(file, member)
            mask = path.with_name("m" + path.name[1:])
            if mask.exists():
                archive.write(mask, f"{name}/mask.nii.gz")
            rows.append(
                {
                    "image": name, "patient": name, "visit": 1, "site": None, "scanner": None,
                    "modality": "CT" if path.is_dir() else "MR", "label": "a", "official": None, "age": 50.0,
                    "sex": "F", "format": "dicom" if path.is_dir() else "nifti", "path": str(release),
                    "member": json.dumps(members), "row": -1,
                    "mask": f"{name}/mask.nii.gz" if mask.exists() else None, "boxes": None, "shard": 0, "position": -1,
                }
            )  # fmt: skip
    tables.write(folder / "manifest.parquet", pd.DataFrame(rows, columns=list(MANIFEST.columns)), MANIFEST)


def stage(folder: Path, **settings) -> None:
    """Our stage on a shard, as its rule runs it."""
    from asclepius.resample.command import run
    from asclepius.resample.settings import ResampleSettings

    run(
        settings=ResampleSettings(**settings),
        shard=0,
        manifest=folder / "manifest.parquet",
        release=folder / "release.zip",
        **{name: folder / name for name in ("index", "store", "masks", "quarantine")},
    )


def in_line() -> float:
    """Seconds that this process ran or stood in line for a core: all but its waits (Linux)."""
    running, waiting, _ = Path("/proc/self/schedstat").read_text().split()
    return (int(running) + int(waiting)) / 1e9


def main(name: str, folder: Path, out: Path, go: Path) -> None:
    """Import and warm up, wait for `go`, work, tell."""
    if name == "asclepius":
        import asclepius.resample.command
        import asclepius.resample.nifti

        def work() -> None:
            stage(folder, size=[121, 145, 121], spacing=[MM] * 3)
    elif name == "asclepius series":
        import asclepius.resample.command
        import asclepius.resample.dicom  # noqa: F401

        size = json.loads((folder / "size.json").read_text(encoding="utf-8"))

        def work() -> None:
            stage(folder, size=size, spacing=[SERIES_MM] * 3)
    elif name == "SimpleITK series":
        import SimpleITK  # noqa: F401

        def work() -> None:
            for source in sorted(folder.glob("i*")):
                simpleitk_series(source)
    else:

        def work() -> None:
            for source in sorted(folder.glob("i*.nii.gz")):
                SCRIPTS[name](source, out / source.name[:-7], 1)
                SCRIPTS[name](source.with_name("m" + source.name[1:]), out / f"m{source.name[1:-7]}", 0)

    Path(f"{out}.ready").touch()
    while not go.exists():
        time.sleep(0.005)
    cpu, line, start = time.process_time(), in_line(), time.perf_counter()
    work()
    end = time.perf_counter()
    found = {"start": start, "end": end, "cpu": time.process_time() - cpu, "in line": in_line() - line}
    sys.__stdout__.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    os.makedirs(sys.argv[3], exist_ok=True)
    main(sys.argv[1], *map(Path, sys.argv[2:5]))
