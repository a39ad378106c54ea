"""The manifest in parts: which shard a patient falls into, and files that change only if their content does."""

import filecmp
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from asclepius import keys, tables
from asclepius.cohort.schema import MANIFEST


def shard_of(patients: pd.Series, master: bytes, count: int) -> np.ndarray:
    """The shard of each image, int64: a keyed hash of its patient, so that a new patient moves no other."""
    key = keys.derive(master, "shard")
    codes, unique = pd.factorize(patients)
    numbers = np.array([keys.number(key, patient, count) for patient in unique], dtype=np.int64)
    return numbers[codes]


def write_shards(folder: Path, images: pd.DataFrame, count: int) -> None:
    """Write shard-0000.parquet ... for the owner alone; a file whose bytes stay the same keeps its time.

    Args:
        images: the manifest's columns, `shard` included.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    extra = [name for name in images.columns if name not in MANIFEST.columns]
    # An explicit type: a column without a value in one shard must not turn into another type there.
    images = images[[*MANIFEST.columns, *extra]].astype({name: pd.ArrowDtype(pa.string()) for name in extra})
    images = images.sort_values(["shard", "source"], ignore_index=True)
    bounds = np.searchsorted(images["shard"], np.arange(count + 1))
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".shards-") as scratch:
        for shard in range(count):
            name = f"shard-{shard:04d}.parquet"
            tables.write(Path(scratch) / name, images.iloc[bounds[shard] : bounds[shard + 1]], MANIFEST, private=True)
        wanted = {path.name for path in Path(scratch).iterdir()}
        for old in folder.glob("shard-*.parquet"):
            if old.name not in wanted:
                old.unlink()
        for name in sorted(wanted):
            new, old = Path(scratch) / name, folder / name
            if not (old.exists() and filecmp.cmp(new, old, shallow=False)):
                os.replace(new, old)
