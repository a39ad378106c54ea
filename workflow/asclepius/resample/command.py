"""The resample stage: every image of a shard on one grid, in one file."""

import ctypes
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import store as array_store
from asclepius import tables
from asclepius.deidentify.schema import MANIFEST
from asclepius.errors import Rejected, StudyError
from asclepius.rejects import QUARANTINE, Quarantine
from asclepius.resample.read import Container, checked
from asclepius.resample.schema import INDEX
from asclepius.resample.settings import ResampleSettings
from asclepius.resample.stored import Stored, fill_value, to_stored

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT = 1 << 28  # bytes


def run(
    *,
    settings: ResampleSettings,
    shard: int,
    manifest: Path,
    release: Path,
    index: Path,
    store: Path,
    masks: Path,
    quarantine: Path,
) -> None:
    """Bring the images of one shard to one grid and one type.

    Reads the shard's de-identified table and release container; writes the array files, the index and the
    images set aside. One image is in memory at a time.

    Raises:
        StudyError: the container is missing or damaged.
    """
    import SimpleITK

    # Parallelism is over shards: one thread each, and equal bytes on any machine.
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    _keep_freed_memory()
    start = time.perf_counter()
    table = _in_reading_order(tables.read(manifest, MANIFEST))
    worker = Shard(shard, settings, Quarantine("resample"))
    sides = tuple(settings.size)
    with (
        Container(release, settings) as container,
        array_store.writing(store, (*sides, settings.channels), settings.dtype) as images,
        array_store.writing(masks, (*sides, 1), np.uint8) as labels,
    ):
        for row in table.itertuples(index=False):
            worker.add(row, container, images, labels)
    frame = pd.DataFrame(worker.records) if worker.records else INDEX.empty()
    tables.write(index, frame, INDEX)
    tables.write(quarantine, worker.quarantine.frame(), QUARANTINE)
    worker.report(len(table), time.perf_counter() - start)


class Shard:
    """The images of one shard on their way into the store."""

    def __init__(self, number: int, settings: ResampleSettings, quarantine: Quarantine):
        self.number, self.settings, self.quarantine = number, settings, quarantine
        self.records: list[dict] = []
        self.masks = 0

    def add(self, row, container: Container, images: array_store.Writer, masks: array_store.Writer) -> None:
        """Store the image of a row and its mask, or set it aside."""
        try:
            stored = self._stored(row, container)
        except Rejected as rejected:
            self.quarantine.add(row.image, row.patient, rejected)
            return
        place = {"image": row.image, "shard": self.number, "row": images.add(stored.array), "mask_row": -1}
        if stored.mask is not None:
            place["mask_row"] = masks.add(stored.mask)
            self.masks = masks.count
        self.records.append(place | stored.record)

    def _stored(self, row, container: Container) -> Stored:
        fill = fill_value(self.settings, row.modality)
        try:
            scan = checked(container.image(row, fill), len(self.settings.size))
            boxes = json.loads(row.boxes) if row.boxes else []
            boxes = scan.planes.boxes(boxes) if scan.planes else boxes
            mask = None
            try:
                mask = container.mask(row, scan)
            except Rejected as rejected:  # the image itself is sound
                scan.notes.append(f"mask left out: {rejected.sentence}")
            return to_stored(scan, mask, boxes, self.settings, row.modality)
        except (Rejected, StudyError, MemoryError):
            raise
        except Exception as error:  # libraries fail on damaged files in many ways; the shard goes on
            raise Rejected(
                "unreadable", f"reading failed ({type(error).__name__}); open it in a viewer and export it again"
            ) from error

    def report(self, total: int, seconds: float) -> None:
        """Print what became of the shard."""
        reasons = Counter(row["reason"] for row in self.quarantine.rows)
        aside = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        repaired = sum(record["note"] is not None for record in self.records)
        grid = " x ".join(str(side) for side in self.settings.size)
        print(
            f"shard {self.number}: {len(self.records)} of {total} images stored, {grid} x {self.settings.channels} "
            f"{self.settings.dtype}; {self.masks} masks; {repaired} with a note; "
            f"{len(self.quarantine.rows)} set aside{f' ({aside})' if aside else ''}; "
            f"{total / max(seconds, 1e-9):.0f} images/s",
            flush=True,
        )


def _in_reading_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of arrays in ascending order, so that each .npz array is inflated once."""
    return table.sort_values(["path", "member", "row"], kind="stable") if (table["format"] == "npz").any() else table


def _keep_freed_memory() -> None:
    """Let glibc reuse the memory of one volume for the next instead of giving it back to the system.

    Else each 182 x 218 x 182 volume meets 5,500 page faults, a sixth of its time. Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(parameter, KEPT)
