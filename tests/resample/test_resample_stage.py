"""The stage from a shard's container to its store."""

import gzip
import io
import json

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from resample_cases import dicom_bytes, item, series, shared

from asclepius.errors import StudyError
from asclepius.resample.settings import ResampleSettings
from asclepius.resample.stored import statistics

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def test_an_empty_shard_writes_empty_files(stage):
    done = stage([], size=[4, 5, 6], channels=3)
    assert done.store.shape == (0, 4, 5, 6, 3)
    assert done.masks.shape == (0, 4, 5, 6, 1)
    assert len(done.index) == len(done.quarantine) == 0


def test_the_same_size_keeps_every_value(stage):
    done = stage([item("a", "picture", [png(GREY)])], size=[6, 8], dtype="uint8", interpolation="bspline")
    np.testing.assert_array_equal(done.store[0, ..., 0], GREY)


def test_a_series_with_mask_and_box_stays_in_step(stage, ramp):
    """The mask is NIfTI in RAS, the images DICOM in LPS, the series shuffled; a bright cube marks the place."""
    volume = np.full((12, 20, 20), -1000, np.int16)
    volume[4:9, 6:14, 2:10] = 200
    affine = np.diag([-1.5, -1.0, 2.0, 1.0])
    affine[:3, 3] = (10.0, -5.0, 7.0)
    mask = nibabel.Nifti1Image(np.moveaxis((volume > 0).astype(np.uint8), (0, 1, 2), (2, 1, 0))[::-1, ::-1], None)
    mask.set_sform(affine @ np.array([[-1, 0, 0, 19], [0, -1, 0, 19], [0, 0, 1, 0], [0, 0, 0, 1]]), 1)
    entry = item(
        "a", "dicom", series(volume)[::-1], modality="CT", mask_data=mask.to_bytes(), boxes="[[2, 6, 4, 10, 14, 9]]"
    )
    done = stage([entry], size=[16, 24, 24], spacing=[1.5, 1.0, 1.5])
    row = done.index.loc["a"]
    inside = np.argwhere(done.masks[0, ..., 0])
    box = json.loads(row["boxes"])[0]
    np.testing.assert_array_equal(box, [*inside.min(0)[::-1], *(inside.max(0)[::-1] + 1)])
    assert (done.store[0, ..., 0] > -400)[done.masks[0, ..., 0] > 0].all()
    assert (done.store[0, ..., 0] > -400).sum() == pytest.approx((done.masks[0] > 0).sum(), rel=0.1)
    assert done.store[0, 0, 0, 0, 0] == -1000  # beyond the image: air
    assert json.loads(row["spacing"]) == [1.5, 1.0, 1.5]
    assert json.loads(row["original_spacing"]) == [2.0, 1.0, 1.5]
    assert json.loads(row["original_shape"]) == [12, 20, 20]
    assert row["mask_row"] == 0


def test_a_picture_takes_a_mask_of_its_size_and_says_when_it_cannot(stage):
    items = [
        item("a", "picture", [png(GREY)], mask_data=png((GREY > 100).astype(np.uint8))),
        item("b", "picture", [png(GREY + 1)]),
        item("c", "picture", [png(GREY + 2)], mask_data=png(GREY[:3])),
        item("d", "picture", [png(GREY + 3)], mask_data=png((GREY > 50).astype(np.uint8))),
    ]
    done = stage(items, size=[6, 8], dtype="uint8")
    assert list(done.index["mask_row"]) == [0, -1, -1, 1]
    assert done.index.loc["c", "note"] == "mask left out: its size is not the image's"
    np.testing.assert_array_equal(done.masks[1, ..., 0], GREY > 50)


def test_faulty_images_go_to_quarantine_and_the_rest_is_stored(stage, ramp):
    items = [
        item("empty", "picture", [b""]),
        item("good", "picture", [png(GREY)]),
        item("cut", "picture", [png(np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8))[:2000]]),
        item("deep", "dicom", series(ramp)),
        item("last", "picture", [png(GREY + 1)]),
    ]
    done = stage(items, size=[6, 8], dtype="uint8")
    assert list(done.index.index) == ["good", "last"]
    assert list(done.index["row"]) == [0, 1]
    assert dict(done.quarantine["reason"]) == {"empty": "empty", "cut": "truncated", "deep": "wrong-shape"}
    assert set(done.quarantine["stage"]) == {"resample"}
    np.testing.assert_array_equal(done.store[1, ..., 0], GREY + 1)


def test_a_mask_that_cannot_be_read_does_not_cost_the_image(stage):
    row = stage([item("a", "picture", [png(GREY)], mask_data=b"no mask")], size=[6, 8]).index.loc["a"]
    assert row["mask_row"] == -1
    assert row["note"] == "mask left out: not a picture of a known format"


def test_clipped_values_are_counted(stage):
    data = dicom_bytes(np.array([[5000, -2000], [3, 4]], np.int16), Modality="MR")
    done = stage([item("a", "dicom", [data])], size=[2, 2], dtype="uint8")
    np.testing.assert_array_equal(done.store[0, ..., 0], [[255, 0], [3, 4]])
    assert done.index.loc["a", "note"] == "2 values clipped to uint8"


def test_content_is_equal_for_copies_only(stage):
    other = GREY.copy()
    other[0, 0] += 1
    sent = {"a": GREY, "b": GREY, "c": other, "d": GREY.reshape(8, 6)}
    done = stage([item(name, "picture", [png(array)]) for name, array in sent.items()], size=[6, 8])
    content = done.index["content"]
    assert content["a"] == content["b"]
    assert content.nunique() == 3


def test_colour_is_kept_or_becomes_luminance(stage):
    colour = np.dstack([GREY, GREY // 2, 255 - GREY])
    items = [item("a", "picture", [png(colour)]), item("b", "picture", [png(GREY)])]
    kept = stage(items, size=[6, 8], channels=3, dtype="uint8").store
    np.testing.assert_array_equal(kept[0], colour)
    np.testing.assert_array_equal(kept[1], np.dstack([GREY] * 3))
    grey = stage(items, size=[6, 8], dtype="uint8").store
    np.testing.assert_allclose(grey[0, ..., 0], colour @ [0.299, 0.587, 0.114], atol=0.51)
    np.testing.assert_array_equal(grey[1, ..., 0], GREY)


@pytest.mark.parametrize(("shape", "size"), [((5, 28, 28), [28, 28]), ((4, 6, 7, 8), [6, 7, 8])])
def test_rows_of_npz_in_any_order(stage, tmp_path, shape, size):
    images = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    np.savez_compressed(tmp_path / "set.npz", images=images)
    rows = [item(f"i{row}", "npz", path=str(tmp_path / "set.npz"), member="images", row=row) for row in (3, 0, 2)]
    done = stage(rows, size=size, dtype="uint8")
    for name in ("i3", "i0", "i2"):
        np.testing.assert_array_equal(done.store[done.index.loc[name, "row"]][..., 0], images[int(name[1])])
    assert done.index["spacing"].isna().all()


def test_statistics_describe_the_stored_array(stage):
    row = stage([item("a", "picture", [png(GREY)])], size=[3, 4]).index.loc["a"]
    assert row["minimum"] <= row["p01"] <= row["mean"] <= row["p99"] <= row["maximum"]
    assert row["at_maximum"] == pytest.approx(1 / 12)


def test_the_same_input_gives_the_same_bytes(stage, tmp_path):
    items = [item("a", "picture", [png(GREY)])]
    first = [(stage(items, size=[4, 4]), (tmp_path / n).read_bytes())[1] for n in ("index", "store", "masks")]
    again = [(stage(items, size=[4, 4]), (tmp_path / n).read_bytes())[1] for n in ("index", "store", "masks")]
    assert first == again


def test_a_damaged_container_stops_with_the_remedy(stage, tmp_path):
    entry = item("a", "picture", [png(GREY)], member='["gone"]')
    with pytest.raises(StudyError, match="member gone is missing or damaged; delete it and run again"):
        stage([entry], size=[4, 4])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": [4, 4], "spacing": [1.0]}, "spacing has 1 values and size 2"),
        ({"size": [4, 0]}, "at least one pixel"),
        ({"size": [4, 4], "spacing": [1.0, 0.0]}, "above 0 mm"),
        ({"size": [4, 4], "spacing": [1.0, 1.0], "fit": "pad"}, "pad is for spacing: null"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        ResampleSettings(**given)


def test_real_hippocampi_and_their_masks(stage):
    folder = shared("hippocampus_msd")
    items = []
    for path in sorted((folder / "images").glob("*.nii.gz"))[:6]:
        mask = (folder / "labels" / path.name).read_bytes()
        items.append(item(path.name[12:15], "nifti", [path.read_bytes()], modality="MR", mask_data=mask))
    done = stage(items, size=[32, 48, 32], spacing=[1.0, 1.0, 1.0], dtype="float32")
    assert len(done.index) == len(items)
    assert len(done.masks) == len(items)
    for mask, entry in zip(done.masks, items, strict=True):
        original = nibabel.Nifti1Image.from_bytes(gzip.decompress(entry["mask_data"])).get_fdata()
        for label in (1, 2):  # 1 mm grids: nothing but the margin can be lost
            assert (mask == label).sum() == pytest.approx((original == label).sum(), rel=0.12)


def test_real_photographs_of_films(stage):
    folder = shared("covid_chest_xray")
    paths = sorted((folder / "images").iterdir())[:12]
    done = stage([item(f"{i}", "picture", [p.read_bytes()]) for i, p in enumerate(paths)], size=[64, 64], dtype="uint8")
    assert len(done.index) == len(paths)
    assert (done.index["std"] > 10).all()


def nifti_of(array: np.ndarray) -> bytes:
    """A file of (z, y, x) with 1 mm voxels along LPS."""
    image = nibabel.Nifti1Image(np.moveaxis(array, (0, 1, 2), (2, 1, 0)), np.diag([-1.0, -1.0, 1.0, 1.0]))
    return image.to_bytes()


def test_a_cropped_image_its_mask_and_its_boxes_stay_in_step(stage):
    body = np.full((20, 60, 60), -1000, np.int16)
    body[4:16, 30:50, 10:34] = 50
    lesion = np.zeros_like(body, np.uint8)
    lesion[8:12, 36:42, 20:26] = 1
    entry = item(
        "a", "nifti", [nifti_of(body)], modality="CT", mask_data=nifti_of(lesion), boxes="[[20, 36, 8, 26, 42, 12]]"
    )
    done = stage([entry], size=[16, 24, 28], spacing=[1.0, 1.0, 1.0], crop="foreground")
    row = done.index.loc["a"]
    x0, y0, z0, x1, y1, z1 = json.loads(row["crop"])
    assert x0 <= 10 and y0 <= 30 and z0 <= 4 and x1 >= 34 and y1 >= 50 and z1 >= 16  # noqa: PT018
    assert (x1 - x0, y1 - y0, z1 - z0) < (30, 26, 16)
    assert (done.store[0] > 0).sum() == (body > 0).sum()  # nothing of the body is lost, though the grid is small
    inside = np.argwhere(done.masks[0, ..., 0])
    box = json.loads(row["boxes"])[0]
    np.testing.assert_array_equal(box, [*inside.min(0)[::-1], *(inside.max(0)[::-1] + 1)])
    assert (done.store[0][done.masks[0] > 0] == 50).all()


def test_a_class_that_the_grid_loses_is_named(stage):
    labels = np.zeros((12, 24, 24), np.uint8)
    labels[2:10, 4:20, 4:20] = 1
    labels[6, 13, 13] = 4  # between the voxels of the coarser grid
    image = np.where(labels, 100, 0).astype(np.int16)
    for method in ("nearest", "linear"):
        entry = item("a", "nifti", [nifti_of(image)], mask_data=nifti_of(labels))
        done = stage([entry], size=[4, 8, 8], spacing=[3.0, 3.0, 3.0], mask_interpolation=method)
        lost = "mask class 4 lost on the stored grid"
        assert (done.index.loc["a", "note"] == lost) == (4 not in done.masks)
    assert 4 not in done.masks


def test_boxes_off_the_stored_grid_are_counted(stage, ramp):
    entry = item("a", "dicom", series(ramp), boxes="[[0, 0, 0, 1, 1, 1], [4, 3, 2, 7, 6, 5]]")
    row = stage([entry], size=[2, 4, 4], spacing=[2.0, 1.0, 1.5]).index.loc["a"]
    assert row["note"] == "1 of 2 boxes lie outside the stored grid"


def test_channels_that_the_study_does_not_expect_are_refused(stage):
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4, 2), np.int16), np.eye(4)).to_bytes()
    items = [item("two", "nifti", [image]), item("one", "nifti", [nifti_of(np.ones((4, 4, 4), np.int16))])]
    done = stage(items, size=[4, 4, 4], channels=2)
    assert done.store.shape == (1, 4, 4, 4, 2)
    assert dict(done.quarantine["sentence"]) == {
        "one": "1 channels where resample.channels is 2; set it to what the files hold"
    }


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
def test_statistics_are_numpys(dtype):
    values = np.random.default_rng(1).gamma(2, 20, (40, 41, 1)).astype(dtype)
    found = statistics(values)
    assert found["p01"] == pytest.approx(np.percentile(values, 1))
    assert found["p99"] == pytest.approx(np.percentile(values, 99))
    assert found["mean"] == pytest.approx(values.mean(dtype=np.float64))
    assert found["std"] == pytest.approx(values.std(dtype=np.float64))
    assert found["at_maximum"] == pytest.approx((values == values.max()).mean())
