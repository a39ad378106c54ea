"""The stage on a few images described by what their tables say."""

import json
import zlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from asclepius import tables
from asclepius.cohort.settings import LabelSettings
from asclepius.deidentify.schema import MANIFEST
from asclepius.quality import hashes
from asclepius.quality.command import run
from asclepius.quality.schema import DUPLICATES, FLAGS, IMAGES, MEASURES
from asclepius.quality.settings import QualitySettings
from asclepius.rejects import QUARANTINE
from asclepius.resample.schema import INDEX
from asclepius.task import Task

RELEASED = {
    "visit": 1, "site": "S-1", "scanner": None, "modality": "CT", "official": None, "age": 50.0, "sex": "F",
    "format": "dicom", "path": "z.zip", "member": "[]", "row": -1, "mask": None, "boxes": "[[0, 0, 0, 9, 9, 9]]",
}  # fmt: skip
STORED = {
    "mask_row": -1, "boxes": "[[1, 1, 1, 2, 2, 2]]", "shape": "[4, 4, 4]", "spacing": "[1, 1, 1]",
    "original_shape": "[8, 8, 8]", "original_spacing": "[1, 1, 1]", "minimum": -1000.0, "maximum": 400.0, "mean": 0.0,
    "std": 9.0, "p01": -900.0, "p99": 300.0, "at_maximum": 0.001, "crop": None, "note": None,
}  # fmt: skip
MEASURED = {"at_minimum": 0.01, "noise": 0.01, "sharpness": 1.0, "text": 0}


def looks(content: str) -> np.ndarray:
    """A miniature that only images of this content have."""
    random = np.random.default_rng(zlib.crc32(content.encode()))
    return random.integers(0, 256, (1, 32, 32), dtype=np.uint8)


@pytest.fixture
def stage(tmp_path):
    """Run the stage on images given as (patient, label, changes); image i00, i01, ... in order of position."""

    def call(images, *, settings=None, labels=None, max_rejected=1.0, earlier=(), lost=()) -> SimpleNamespace:
        released, stored, measured = [], [], []
        for i, (patient, label, changes) in enumerate(images):
            name = f"i{i:02d}"
            place = {"image": name, "shard": i % 2}
            released.append(RELEASED | place | {"patient": patient, "label": label, "position": i})
            released[-1] |= {k: v for k, v in changes.items() if k in RELEASED or k.startswith("x_")}
            stored.append(STORED | place | {"row": i // 2, "content": name})
            stored[-1] |= {k: v for k, v in changes.items() if k in stored[-1] and k != "boxes"}
            small = changes.get("small", looks(stored[-1]["content"]))
            words = {"phash": hashes.perceptual(small), "dhash": hashes.differences(small)}
            measured.append(MEASURED | {"image": name, "shard": i % 2, "small": small})
            measured[-1] |= {name: hashes.digits(word) for name, word in words.items()}
            measured[-1] |= {k: v for k, v in changes.items() if k in MEASURED}
        quarantine = [dict(zip(QUARANTINE.columns, row, strict=True)) for row in earlier]
        # Nothing may rely on the order of the manifest's rows: positions are the order.
        tables.write(tmp_path / "manifest", pd.DataFrame(released[::-1]), MANIFEST)
        for shard in (0, 1, 2):
            rows = [row for row in stored if row["shard"] == shard and row["image"] not in lost]
            tables.write(tmp_path / f"index{shard}", pd.DataFrame(rows) if rows else INDEX.empty(), INDEX)
            rows = [row for row in measured if row["shard"] == shard]
            frame = pd.DataFrame(rows)[list(MEASURES.columns)] if rows else MEASURES.empty()
            tables.write(tmp_path / f"measures{shard}", frame, MEASURES)
            array = np.stack([row["small"] for row in rows]) if rows else np.zeros((0, 1, 32, 32), np.uint8)
            for kind, pixels in (("miniatures", array), ("pictures", array[:, 0])):
                (tmp_path / kind).mkdir(exist_ok=True)
                np.save(tmp_path / kind / f"shard-{shard:04d}.npy", pixels)
        tables.write(tmp_path / "before", pd.DataFrame(quarantine) if quarantine else QUARANTINE.empty(), QUARANTINE)
        out = {
            n: tmp_path / n for n in ("images", "flags", "duplicates", "quarantine", "listing", "flow", "task", "page")
        }
        run(
            study="some",
            settings=QualitySettings(**(settings or {})),
            labels=LabelSettings(**(labels or {})),
            max_rejected=max_rejected,
            manifest=tmp_path / "manifest",
            indexes=[tmp_path / f"index{shard}" for shard in (0, 1, 2)],
            quarantines=[tmp_path / "before"],
            measures=[tmp_path / f"measures{shard}" for shard in (0, 1, 2)],
            miniatures=[tmp_path / "miniatures" / f"shard-{shard:04d}.npy" for shard in (0, 1, 2)],
            pictures=[tmp_path / "pictures" / f"shard-{shard:04d}.npy" for shard in (0, 1, 2)],
            **out,
        )
        return SimpleNamespace(
            images=tables.read(out["images"], IMAGES),
            flags=tables.read(out["flags"], FLAGS).set_index("image"),
            duplicates=tables.read(out["duplicates"], DUPLICATES),
            quarantine=tables.read(out["quarantine"], QUARANTINE).set_index("image"),
            listing=pd.read_csv(out["listing"]),
            flow=json.loads(out["flow"].read_text()),
            task=Task.read(out["task"]),
            page=out["page"].read_text(),
        )

    return call
