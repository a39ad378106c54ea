import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("keras")
from PIL import Image

from asclepius import store, tables
from asclepius.augment import command
from asclepius.augment.settings import AugmentSettings
from asclepius.augment.sheet import GAP, SIDE
from asclepius.errors import StudyError
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS


def study(root, shape, roles):
    n = len(roles)
    arrays = np.random.default_rng(1).integers(0, 900, (n, *shape)).astype(np.int16)
    frame = IMAGES.empty().reindex(range(n))
    for column, kind in IMAGES.columns.items():
        frame[column] = {"str": "", "int": 0, "float": 0.0, "bool": False}[kind]
    frame = frame.assign(image=[f"i{i}" for i in range(n)], label=["a", "b"] * (n // 2), row=range(n), spacing=None)
    tables.write(root / "images.parquet", frame, IMAGES)
    folds = pd.DataFrame({"image": frame["image"], "patient": "p", "group": "p", "fold": 0, "role": roles})
    tables.write(root / "folds.parquet", folds, FOLDS)
    store.write(store.shard_path(root / "store", 0), arrays, shape, np.int16)
    return arrays, {
        "seed": 1, "images": root / "images.parquet", "folds": root / "folds.parquet",
        "stores": [store.shard_path(root / "store", 0)], "words": root / "words.json",
    }  # fmt: skip


def pictures(path, rows):
    """The pictures of a sheet of square images, (rows, columns, side, side)."""
    pixels = np.asarray(Image.open(path).convert("L"))
    bottom = [len(pixels) - (rows - row) * (SIDE + 18 + GAP) for row in range(rows)]
    left = [GAP + column * (SIDE + GAP) for column in range(command.DRAWS + 1)]
    return np.array([[pixels[y : y + SIDE, x : x + SIDE] for x in left] for y in bottom])


@pytest.mark.parametrize("shape", [(24, 24, 1), (4, 24, 24, 1)])
def test_a_sheet_shows_training_images_untouched_then_drawn(tmp_path, shape):
    roles = ["test"] * 6 + ["train"] * 6 + ["validation"] * 2
    arrays, given = study(tmp_path, shape, roles)
    arms = {"flipped": AugmentSettings(flip=["x"]), "bright": AugmentSettings(brightness=0.5)}
    sheets = [tmp_path / f"{arm}.png" for arm in arms]
    command.run(arms=arms, sheets=sheets, **given)
    found = pictures(sheets[0], command.ROWS)
    rows = [arrays[i] for i in range(6, 12)]
    middle = [np.asarray(one[len(one) // 2] if one.ndim == 4 else one)[..., 0].astype(float) for one in rows]
    step = SIDE // 24
    for row in found:
        small = row[:, step // 2 :: step, step // 2 :: step]
        likeness = [np.corrcoef(small[0].ravel(), one.ravel())[0, 1] for one in middle]
        assert max(likeness) > 0.97, "no training image stands in the first column"
        for one in small[1:]:
            assert np.array_equal(one, small[0]) or np.array_equal(one, small[0][:, ::-1])
    assert 0 < sum(np.array_equal(one, row[0]) for row in found for one in row[1:]) < command.ROWS * command.DRAWS
    bright = pictures(sheets[1], command.ROWS)
    assert (bright[:, 1:].mean(axis=(2, 3)) > bright[:, :1].mean(axis=(2, 3))).all()
    words = json.loads(given["words"].read_text())
    assert words["flipped"] == "Flips along x (50%)."
    assert set(words) == set(arms)


def test_equal_studies_give_equal_sheets_and_no_arm_needs_none(tmp_path):
    _, given = study(tmp_path, (16, 16, 3), ["train"] * 6)
    sheets = [tmp_path / "a.png"]
    arms = {"a": AugmentSettings(preset="skin", mixup=0.4)}
    command.run(arms=arms, sheets=sheets, **given)
    first = sheets[0].read_bytes()
    command.run(arms=arms, sheets=sheets, **given)
    assert sheets[0].read_bytes() == first
    command.run(arms={}, sheets=[], **given)
    assert json.loads(given["words"].read_text()) == {}


def test_a_fold_without_training_images_is_refused(tmp_path):
    _, given = study(tmp_path, (8, 8, 1), ["test"] * 4)
    with pytest.raises(StudyError, match="fold 0 has no training images"):
        command.run(arms={}, sheets=[], **given)
