"""The measures of one shard: what can be said of an image without its peers, and the image seen small."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.errors import StudyError
from asclepius.quality import hashes
from asclepius.quality.measures import measure
from asclepius.quality.schema import MEASURES
from asclepius.quality.views import SIDE, grey, miniature, picture, picture_shape
from asclepius.resample.schema import INDEX


def run(*, index: Path, store: Path, text: bool, measures: Path, miniatures: Path, pictures: Path) -> None:
    """Measure the stored images of a shard; one image is in memory at a time.

    Args:
        index, store: of the resample stage.
        text: whether to search for burned-in text.
        measures: one row per image, in the order of the store.
        miniatures: uint8 (image, plane, 32, 32), see `views.miniature`.
        pictures: uint8 (image, y, x), see `views.picture`.

    Raises:
        StudyError: index and store do not belong together.
    """
    start = time.perf_counter()
    table = tables.read(index, INDEX).sort_values("row", kind="stable", ignore_index=True)
    arrays = np.load(store, mmap_mode="r") if len(table) else np.load(store)
    if list(table["row"]) != list(range(len(arrays))):
        raise StudyError(f"{store} holds {len(arrays)} images, {index} lists {len(table)}; delete both and run again")
    shape = arrays.shape[1:-1]
    records = []
    with tables.replacing(miniatures) as small, tables.replacing(pictures) as shown:
        planes = _created(small, (len(table), 3 if len(shape) == 3 else 1, SIDE, SIDE))
        drawn = _created(shown, (len(table), *picture_shape(shape)))
        for row, (image, low, high) in enumerate(table[["image", "p01", "p99"]].itertuples(index=False)):
            values = grey(arrays[row])
            planes[row], drawn[row] = miniature(values, low, high), picture(values, low, high)
            words = {"phash": hashes.perceptual(planes[row]), "dhash": hashes.differences(planes[row])}
            words = {name: hashes.digits(word) for name, word in words.items()}
            records.append({"image": image} | asdict(measure(values, low, high, text=text)) | words)
    tables.write(measures, pd.DataFrame(records) if records else MEASURES.empty(), MEASURES)
    seconds = time.perf_counter() - start
    each = f", {1000 * seconds / len(table):.2f} ms each" if len(table) else ""
    print(f"{len(table)} images measured in {seconds:.1f} s{each}", flush=True)


def _created(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A .npy file of zeros, mapped for writing."""
    if 0 not in shape:
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with open(path, "wb") as handle:  # an empty file cannot be mapped
        np.save(handle, np.zeros(shape, dtype=np.uint8))
    return np.zeros(shape, dtype=np.uint8)
