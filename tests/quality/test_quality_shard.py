"""The measures of a shard: one row and one small view per stored image, in the order of the store."""

import re
import time

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from asclepius import store, tables
from asclepius.errors import StudyError
from asclepius.quality.schema import MEASURES
from asclepius.quality.shard import run
from asclepius.resample.schema import INDEX
from asclepius.resample.stored import statistics


@pytest.fixture
def shard(tmp_path):
    """Write a shard of images (image, ..., channel) and measure it."""

    def call(arrays, *, listed=None):
        count = len(arrays) if listed is None else listed
        rows = [
            {"image": f"i{n:05d}", "shard": 0, "row": n, "mask_row": -1, "boxes": None, "shape": "[]", "spacing": None,
             "original_shape": "[]", "original_spacing": None, "content": str(n), "crop": None, "note": None,
             **statistics(arrays[n])}
            for n in range(count)
        ]  # fmt: skip
        frame = pd.DataFrame(rows[::-1]) if rows else INDEX.empty()
        tables.write(tmp_path / "index", frame, INDEX)
        store.write(tmp_path / "store.npy", arrays, arrays.shape[1:], arrays.dtype)
        out = {name: tmp_path / name for name in ("measures", "miniatures", "pictures")}
        run(index=tmp_path / "index", store=tmp_path / "store.npy", text=True, **out)
        return tables.read(out["measures"], MEASURES), np.load(out["miniatures"]), np.load(out["pictures"])

    return call


def textured(shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    return (gaussian_filter(values, (0, *[1] * (len(shape) - 2), 0)) * 300).astype(np.int16)


def test_rows_and_views_follow_the_store(shard):
    measures, small, shown = shard(textured((5, 40, 30, 1)))
    assert list(measures["image"]) == [f"i{n:05d}" for n in range(5)]
    assert small.shape == (5, 1, 32, 32)
    assert shown.shape == (5, 40, 30)
    assert measures["phash"].is_unique


def test_colour_and_volumes_are_measured_alike(shard):
    colour = np.repeat(textured((2, 40, 40, 1)), 3, axis=-1)
    figures = ["at_minimum", "noise", "sharpness"]
    assert np.allclose(shard(colour)[0][figures], shard(colour[..., :1])[0][figures], rtol=1e-4)
    measures, small, shown = shard(textured((2, 12, 20, 20, 1)))
    assert small.shape == (2, 3, 32, 32)
    assert shown.shape == (2, 64, 192)
    assert measures["sharpness"].notna().all()
    assert measures["phash"].str.len().tolist() == [48, 48]


def test_an_empty_shard_writes_valid_empty_files(shard):
    measures, small, shown = shard(np.zeros((0, 28, 28, 1), np.uint8))
    assert measures.empty
    assert small.shape == (0, 1, 32, 32)
    assert shown.shape == (0, 28, 28)


def test_index_and_store_of_two_runs_are_refused(shard):
    with pytest.raises(StudyError, match=r"holds 3 images, .* lists 2; delete both and run again"):
        shard(textured((3, 28, 28, 1)), listed=2)


def test_a_small_image_costs_less_than_two_milliseconds(shard, capsys):
    images = textured((400, 28, 28, 1))
    shard(images)
    start = time.process_time()
    shard(images)
    assert time.process_time() - start < 400 * 0.002
    assert re.search(r"400 images measured in .* s, .* ms each", capsys.readouterr().out)
