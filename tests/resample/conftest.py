"""The stage on a few items, as its rule would run it."""

import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from asclepius import tables
from asclepius.deidentify.schema import MANIFEST
from asclepius.rejects import QUARANTINE
from asclepius.resample.command import run
from asclepius.resample.schema import INDEX
from asclepius.resample.settings import ResampleSettings


@pytest.fixture
def stage(tmp_path):
    """Run the stage on items; returns index, quarantine, store and masks by name."""

    def call(items: list[dict], **settings) -> SimpleNamespace:
        release, rows = tmp_path / "shard-0003.zip", []
        with zipfile.ZipFile(release, "w") as container:
            for entry in items:
                entry = dict(entry)
                members = []
                for i, data in enumerate(entry.pop("files")):
                    members.append(f"{entry['image']}/{i:04d}")
                    container.writestr(members[-1], data)
                mask = entry.pop("mask_data", None)
                if mask is not None:
                    container.writestr(f"{entry['image']}/mask", mask)
                    entry["mask"] = f"{entry['image']}/mask"
                defaults = {
                    "patient": "P-1", "visit": 1, "site": None, "scanner": None, "modality": None, "label": "a",
                    "official": None, "age": 50.0, "sex": "F", "path": str(release), "member": json.dumps(members),
                    "row": -1, "mask": None, "boxes": None, "shard": 3, "position": -1,
                }  # fmt: skip
                rows.append(defaults | entry)
        frame = pd.DataFrame(rows, columns=list(MANIFEST.columns)) if rows else MANIFEST.empty()
        tables.write(tmp_path / "manifest.parquet", frame, MANIFEST)
        paths = {name: tmp_path / name for name in ("index", "store", "masks", "quarantine")}
        run(
            settings=ResampleSettings(**settings),
            shard=3,
            manifest=tmp_path / "manifest.parquet",
            release=release,
            **paths,
        )
        index = tables.read(paths["index"], INDEX)
        return SimpleNamespace(
            index=index.set_index("image"),
            quarantine=tables.read(paths["quarantine"], QUARANTINE).set_index("image"),
            store=np.load(paths["store"]),
            masks=np.load(paths["masks"]),
        )

    return call


@pytest.fixture
def ramp() -> np.ndarray:
    """int16 (6, 8, 10) that rises linearly along every axis, so that linear interpolation is exact."""
    z, y, x = np.meshgrid(np.arange(6), np.arange(8), np.arange(10), indexing="ij")
    return (100 * z + 10 * y + x).astype(np.int16)
