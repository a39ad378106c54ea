"""Values of DICOM pixels: HU, inversion, padding, colour, and files that fail."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from resample_cases import dicom_bytes, shared

from asclepius.errors import Rejected
from asclepius.resample import dicom

GREY = np.arange(12, dtype=np.uint16).reshape(3, 4) * 100


def values(data: bytes, fill: float = 0.0) -> np.ndarray:
    return dicom.read([data], fill, 2).pixels[0]


def test_rescale_gives_hu_in_int16():
    found = values(dicom_bytes(GREY, RescaleSlope=2, RescaleIntercept=-1024))
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found[..., 0], GREY.astype(int) * 2 - 1024)


def test_a_fractional_slope_gives_floats():
    found = values(dicom_bytes(GREY, RescaleSlope=0.5, RescaleIntercept=0.25))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], GREY * 0.5 + 0.25)


def test_monochrome1_reads_as_monochrome2():
    data = dicom_bytes(GREY, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(values(data)[..., 0], 4095 - GREY)


def test_signed_monochrome1_stays_within_its_type():
    signed = np.array([[-32768, 32767, 0, 5]], dtype=np.int16)
    found = values(dicom_bytes(signed, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(found[..., 0], [[32767, -32768, -1, -6]])


def test_padding_becomes_the_fill_after_rescaling():
    data = dicom_bytes(GREY, PixelPaddingValue=1100, RescaleSlope=1, RescaleIntercept=-1024)
    found = values(data, fill=-1000.0)[..., 0]
    assert found[2, 3] == -1000
    assert found[2, 2] == 1000 - 1024


def test_padding_range_covers_everything_between():
    found = values(dicom_bytes(GREY, PixelPaddingValue=0, PixelPaddingRangeLimit=200), fill=7.0)[..., 0]
    np.testing.assert_array_equal(found[0], [7, 7, 7, 300])


def test_a_palette_gives_its_colours():
    red = np.array([0, 65280, 0, 32768], dtype=np.uint16)
    tables = {
        f"{colour}PaletteColorLookupTable{part}": value
        for colour, table in (("Red", red), ("Green", red[::-1]), ("Blue", red * 0))
        for part, value in (("Descriptor", [4, 0, 16]), ("Data", table.tobytes()))
    }
    indices = np.array([[0, 1], [2, 3]], dtype=np.uint8)
    found = values(dicom_bytes(indices, PhotometricInterpretation="PALETTE COLOR", **tables))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[0, 1], [255, 0, 0])
    np.testing.assert_array_equal(found[1, 1], [128, 0, 0])
    np.testing.assert_array_equal(found[0, 0], [0, 128, 0])


def test_ybr_comes_out_as_rgb():
    ybr = np.tile(np.array([76, 85, 255], dtype=np.uint8), (4, 4, 1))  # JFIF's red
    found = values(dicom_bytes(ybr, PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_allclose(found[0, 0], [254, 0, 0], atol=2)


def test_spacing_of_a_projection_comes_from_the_detector_with_its_magnification():
    data = dicom_bytes(GREY, Modality="DX", ImagerPixelSpacing=[0.3, 0.2], EstimatedRadiographicMagnificationFactor=2)
    scan = dicom.read([data], 0.0, 2)
    assert scan.grid.flat
    assert scan.grid.spacing[1:] == pytest.approx((0.15, 0.1))


def test_an_enhanced_object_is_a_volume_ordered_by_its_frames_positions():
    def item(**attributes):
        found = Dataset()
        for keyword, value in attributes.items():
            setattr(found, keyword, value)
        return found

    frames = []
    for z in (2, 0, 1, 3):
        plane = item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 3.0 * z])])
        plane.PixelValueTransformationSequence = [item(RescaleSlope=1, RescaleIntercept=-10)]
        frames.append(plane)
    shared_group = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.5])],
    )
    stack = np.stack([np.full((3, 4), z, np.uint16) for z in (2, 0, 1, 3)])
    data = dicom_bytes(
        stack,
        NumberOfFrames=4,
        SharedFunctionalGroupsSequence=[shared_group],
        PerFrameFunctionalGroupsSequence=frames,
    )
    scan = dicom.read([data], 0.0, 2)
    np.testing.assert_array_equal(scan.pixels[:, 0, 0, 0], [-10, -9, -8, -7])
    assert scan.grid.spacing == pytest.approx((3.0, 0.5, 0.5))


def test_a_film_without_positions_is_refused():
    stack = np.zeros((4, 3, 5), np.uint8)
    with pytest.raises(Rejected, match="wrong-shape: a film of 4 frames"):
        dicom.read([dicom_bytes(stack, NumberOfFrames=4)], 0.0, 2)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"no DICOM at all" * 20, "unreadable"),
        (dicom_bytes(GREY, PixelData=GREY.tobytes()[:-6]), "truncated"),
        (dicom_bytes(GREY)[:-10], "truncated"),
        (dicom_bytes(GREY, PixelData=None), "truncated"),
    ],
)
def test_files_that_cannot_be_used_say_why(data, reason):
    with pytest.raises(Rejected) as caught:
        dicom.read([data], 0.0, 2)
    assert caught.value.reason == reason


def test_the_failing_slice_of_a_series_is_named_by_its_place():
    with pytest.raises(Rejected, match="slice file 2 of 2: the file is empty"):
        dicom.read([dicom_bytes(GREY), b""], 0.0, 2)


def test_every_real_format_is_read_as_pydicom_reads_it_or_fails_clearly():
    """Shared format samples: no exception but Rejected, and equal compressed and plain twins."""
    folder = shared("dicom_formats")
    read, sentences = 0, []
    for path in sorted((folder / "wg04").rglob("*")) + sorted((folder / "pydicom").glob("*.dcm")):
        if not path.is_file() or path.name.startswith("RG3"):  # 1760 pixels a side: slow to decode
            continue
        try:
            dicom.read([path.read_bytes()], 0.0, 2)
            read += 1
        except Rejected as rejected:
            sentences.append(rejected.sentence)
    assert read >= 35
    assert not any(".dcm" in sentence or str(folder) in sentence for sentence in sentences)
    lossless = [folder / "wg04" / name for name in ("CT2_J2KR", "CT2_JLSL", "CT2_JPLL", "CT2_RLE")]
    lossless = [next(folder.joinpath("wg04").rglob(path.name + "*")) for path in lossless]
    first, *others = [dicom.read([path.read_bytes()], 0.0, 2).pixels for path in lossless]
    assert all(np.array_equal(first, other) for other in others)


def test_real_chest_radiographs_are_flat():
    for path in sorted(shared("cxr_dicom").glob("*.dcm")):
        scan = dicom.read([path.read_bytes()], 0.0, 2)
        assert scan.grid.flat
        np.testing.assert_array_equal(scan.pixels[0, ..., 0], pydicom.dcmread(path).pixel_array)
