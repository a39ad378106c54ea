"""DICOM segmentations and structure sets on the slices of their image."""

from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resample_cases import dicom_bytes, item, series, shared
from resample_masks import segmentation, structures

from asclepius.errors import Rejected
from asclepius.resample import dicom
from asclepius.resample.contours import filled
from asclepius.resample.read import Container
from asclepius.resample.settings import ResampleSettings

ORIGIN = np.array([-10.0, 5.0, 7.0])  # of `series`, whose slices are 2 mm apart, pixels 1 x 1.5 mm
SHAPE = (6, 8, 10)


def mask_of(scan, data: bytes, tmp_path, **options):
    """As the stage reads it."""
    (tmp_path / "mask").write_bytes(data)
    container = Container(tmp_path, ResampleSettings(size=[4, 4, 4], **options))
    return container.mask(SimpleNamespace(mask="mask", format="dicom"), scan)


@pytest.fixture
def image(ramp):
    return dicom.read(series(ramp), 0.0, 2)


def square(top: int, left: int, side: int = 3) -> np.ndarray:
    plane = np.zeros(SHAPE[1:], bool)
    plane[top : top + side, left : left + side] = True
    return plane


def at(z: float, y: float = 0, x: float = 0) -> np.ndarray:
    return ORIGIN + np.array([1.5 * x, 1.0 * y, 2.0 * z])


def test_segments_lie_on_the_slices_their_frames_name(image, tmp_path):
    data = segmentation([(1, square(1, 2), at(4)), (7, square(4, 5), at(1))], names={1: "Liver", 7: "Mass"})
    mask = mask_of(image, data, tmp_path)
    expected = np.zeros(SHAPE, np.uint8)
    expected[4][square(1, 2)], expected[1][square(4, 5)] = 1, 7
    np.testing.assert_array_equal(mask.pixels[..., 0], expected)
    assert mask.notes == ["mask classes: 1 Liver, 7 Mass"]


def test_of_overlapping_segments_the_higher_number_holds_whatever_the_order(image, tmp_path):
    frames = [(2, square(2, 2), at(3)), (1, square(3, 3), at(3))]
    for order in (frames, frames[::-1]):
        mask = mask_of(image, segmentation(order), tmp_path)
        assert mask.pixels[3, 3, 3, 0] == 2
        assert "mask classes overlap in 4 pixels, the higher number holds" in mask.notes


def test_a_fractional_segment_holds_from_a_half_on(image, tmp_path):
    plane = np.zeros(SHAPE[1:], np.uint8)
    plane[0, :3] = 99, 100, 200
    mask = mask_of(image, segmentation([(3, plane, at(0))], kind="FRACTIONAL", maximum=200), tmp_path)
    np.testing.assert_array_equal(mask.pixels[0, 0, :4, 0], [0, 3, 3, 0])


def test_a_label_map_keeps_its_numbers(image, tmp_path):
    plane = np.zeros(SHAPE[1:], np.uint8)
    plane[0, :3] = 4, 9, 9
    mask = mask_of(image, segmentation([(0, plane, at(5))], kind="LABELMAP"), tmp_path)
    np.testing.assert_array_equal(mask.pixels[5, 0, :4, 0], [4, 9, 9, 0])
    assert mask.notes == ["mask classes: 4 Thing 4, 9 Thing 9"]


def test_frames_turned_and_cut_within_the_plane_find_their_pixels(image, tmp_path):
    wanted = square(2, 3)
    # Rows run to the right and columns to the front: both axes flipped, and only a window of the slice.
    window = wanted[1:7, 2:9][::-1, ::-1]
    data = segmentation([(1, window, at(2, y=6, x=8))], cosines=(-1, 0, 0, 0, -1, 0))
    np.testing.assert_array_equal(mask_of(image, data, tmp_path).pixels[2, ..., 0] > 0, wanted)


def test_a_segmentation_between_the_slices_keeps_a_grid_of_its_own(image, tmp_path):
    frames = [(1, square(1, 1), at(z)) for z in (0.5, 1.0, 2.0)]
    mask = mask_of(image, segmentation(frames), tmp_path)
    assert mask.grid.spacing == pytest.approx((1.0, 1.0, 1.5))
    np.testing.assert_array_equal(mask.pixels[:, 1, 1, 0], [1, 1, 0, 1])
    np.testing.assert_allclose(mask.grid.affine[:3, 3], at(0.5))


def test_a_segmentation_of_a_single_picture_without_positions_fits_by_its_size(tmp_path):
    picture = dicom.read([dicom_bytes(np.zeros(SHAPE[1:], np.uint16), Modality="DX")], 0.0, 2)
    mask = mask_of(picture, segmentation([(1, square(1, 1), None)]), tmp_path)
    np.testing.assert_array_equal(mask.pixels[0, ..., 0] > 0, square(1, 1))
    other = dicom.read([dicom_bytes(np.zeros((4, 4), np.uint16), Modality="DX")], 0.0, 2)
    with pytest.raises(Rejected, match="geometry: the segmentation does not say where it lies"):
        mask_of(other, segmentation([(1, square(1, 1), None)]), tmp_path)


def test_classes_are_chosen_and_numbered_by_name_or_number(image, tmp_path):
    data = segmentation([(n, square(n, n, 1), at(0)) for n in (1, 2, 3)], names={1: "Liver", 2: "Spleen"})
    mask = mask_of(image, data, tmp_path, mask_classes={"liver": 5, "3": 1})
    assert [int(mask.pixels[0, n, n, 0]) for n in (1, 2, 3)] == [5, 0, 1]
    assert mask.notes == ["mask classes: 1 Thing 3, 5 Liver"]
    with pytest.raises(Rejected, match="none of the classes asked for"):
        mask_of(image, data, tmp_path, mask_classes={"kidney": 1})


def outline(y0: float, x0: float, y1: float, x1: float, z: float) -> np.ndarray:
    """A rectangle around pixels y0 ... y1, x0 ... x1."""
    corners = [(y0 - 0.5, x0 - 0.5), (y0 - 0.5, x1 + 0.5), (y1 + 0.5, x1 + 0.5), (y1 + 0.5, x0 - 0.5)]
    return np.array([at(z, y, x) for y, x in corners])


def test_contours_hold_the_pixels_whose_centres_they_enclose_and_keep_holes(image, tmp_path):
    data = structures({4: [outline(1, 1, 6, 8, 2), outline(3, 3, 4, 5, 2), outline(0, 0, 0, 0, 5)]}, {4: "GTV"})
    mask = mask_of(image, data, tmp_path)
    expected = np.zeros(SHAPE, np.uint8)
    expected[2, 1:7, 1:9], expected[2, 3:5, 3:6], expected[5, 0, 0] = 4, 0, 4
    np.testing.assert_array_equal(mask.pixels[..., 0], expected)
    assert mask.notes == ["mask classes: 4 GTV"]


def test_contours_beyond_the_reach_of_a_slice_are_left_out(image, tmp_path):
    data = structures({1: [outline(1, 1, 2, 2, 3.4), outline(5, 5, 6, 6, 3.1), outline(1, 1, 2, 2, -0.7)]})
    mask = mask_of(image, data, tmp_path)
    assert np.unique(np.nonzero(mask.pixels)[0]).tolist() == [3]
    assert mask.pixels[3, 5, 5, 0] == 1  # the contour nearest to the slice
    assert mask.pixels[3, 1, 1, 0] == 0


def test_contours_across_the_slices_are_refused(image, tmp_path):
    points = np.array([at(0, 1, 1), at(0, 1, 5), at(4, 1, 5), at(4, 1, 1)])
    with pytest.raises(Rejected, match="geometry: contours of the structure set do not lie in the planes"):
        mask_of(image, structures({1: [points]}), tmp_path)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(-3, 14), st.floats(-3, 12)), min_size=3, max_size=7), min_size=1, max_size=3)
)
def test_filling_is_even_odd_at_the_centres(polygons):
    polygons = [np.array(points) for points in polygons]
    found = filled(polygons, (9, 11))
    for y in range(9):
        for x in range(11):
            crossings, near = 0, False
            for points in polygons:
                for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
                    if (y0 <= y) != (y1 <= y):
                        where = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                        near |= abs(where - x) < 1e-9
                        crossings += where <= x
            assert near or found[y, x] == bool(crossings % 2)


@pytest.mark.parametrize("tilt", [0.0, 18.0])
def test_masks_follow_slices_that_are_tilted_and_uneven(tilt, tmp_path):
    """The image itself is 1000 inside and 0 outside the region; so the mask is right where the image says it is."""
    places, inside = np.array([0, 3.0, 7.5, 10.5, 15.0]), np.zeros((12, 9), bool)
    inside[3:9, 2:7] = True
    origins = [np.array([0.0, z * np.tan(np.radians(tilt)), z]) for z in places]
    files = [
        dicom_bytes(
            inside.astype(np.int16) * 1000,
            ImagePositionPatient=[round(float(v), 6) for v in origin],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[1, 1],
        )
        for origin in origins
    ]
    image = dicom.read(files, 0.0, 2)
    corners = np.array([[1.5, 2.5, 0], [6.5, 2.5, 0], [6.5, 8.5, 0], [1.5, 8.5, 0]])
    drawn = {
        "segmentation": segmentation([(1, inside, origin) for origin in origins], spacing=(1, 1)),
        "structures": structures({1: [corners + origin for origin in origins]}),
    }
    for data in drawn.values():
        mask = mask_of(image, data, tmp_path)
        values = image.pixels[..., 0]
        assert mask.grid is image.grid
        sure = (values == 0) | (values == 1000)  # not mixed on the border
        np.testing.assert_array_equal(mask.pixels[..., 0][sure], values[sure] == 1000)
        assert np.abs(mask.pixels.mean() - values.mean() / 1000) < 0.02


def test_a_mask_is_stored_with_its_classes_in_the_note(stage, ramp):
    data = segmentation([(1, square(1, 2), at(4))], names={1: "Liver"})
    found = stage(
        [item("a", "dicom", series(ramp), modality="CT", mask_data=data)], size=list(SHAPE), spacing=[2.0, 1.0, 1.5]
    )
    assert found.index.loc["a", "note"] == "mask classes: 1 Liver"
    np.testing.assert_array_equal(found.masks[0, 4, ..., 0] > 0, square(1, 2))


def test_a_mask_that_cannot_be_used_does_not_cost_its_image(stage, ramp):
    data = structures({300: [outline(1, 1, 2, 2, 3)]})
    found = stage([item("a", "dicom", series(ramp), mask_data=data)], size=list(SHAPE))
    assert found.index.loc["a", "mask_row"] == -1
    assert "mask left out: class number 300" in found.index.loc["a", "note"]


@pytest.mark.parametrize(("name", "numbers"), [("liver", {1}), ("partial_overlaps", {1, 2, 3, 4, 5})])
def test_real_segmentations_lie_where_their_frames_and_images_say(name, numbers, tmp_path):
    folder = shared("dicom_seg")
    files = sorted((folder / "ct-3slice").glob("*.dcm"))
    image = dicom.read([path.read_bytes() for path in files], -1000.0, 2)
    mask = mask_of(image, (folder / f"{name}.dcm").read_bytes(), tmp_path)
    assert set(np.unique(mask.pixels)) == numbers | {0}
    source = pydicom.dcmread(folder / f"{name}.dcm")
    expected = np.zeros(image.grid.shape, np.uint8)
    for frame, group in zip(source.pixel_array, source.PerFrameFunctionalGroupsSequence, strict=True):
        reference = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        header = next(h for h in map(pydicom.dcmread, files) if h.SOPInstanceUID == reference)
        z = round((np.array(header.ImagePositionPatient) - image.grid.affine[:3, 3])[2] / image.grid.affine[2, 2])
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        expected[z] = np.maximum(expected[z], frame * np.uint8(number))
    np.testing.assert_array_equal(mask.pixels[..., 0], expected)
