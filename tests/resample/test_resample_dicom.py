"""Values of DICOM pixels: HU, inversion, padding, colour, and files that fail."""

import io

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from resample_cases import dicom_bytes, shared

from asclepius.errors import Rejected
from asclepius.resample import dicom
from asclepius.resample.grey import rescaled

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
    data = dicom_bytes(GREY, PhotometricInterpretation="MONOCHROME1", Modality="DX", BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(values(data)[..., 0], 4095 - GREY)


def test_signed_monochrome1_stays_within_its_type():
    signed = np.array([[-32768, 32767, 0, 5]], dtype=np.int16)
    found = values(dicom_bytes(signed, PhotometricInterpretation="MONOCHROME1", Modality="DX"))
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


@pytest.mark.parametrize("modality", ["CT", "PT", "NM"])
def test_white_is_low_does_not_turn_a_measured_quantity_round(modality):
    data = dicom_bytes(GREY, PhotometricInterpretation="MONOCHROME1", Modality=modality, RescaleIntercept=-1024)
    np.testing.assert_array_equal(values(data)[..., 0], GREY.astype(int) - 1024)


def test_padding_is_found_before_inversion():
    data = dicom_bytes(
        GREY, PhotometricInterpretation="MONOCHROME1", Modality="DX", BitsStored=12, HighBit=11, PixelPaddingValue=0
    )
    found = values(data)[..., 0]
    assert (found[0, 0], found[0, 1]) == (0, 3995)


def test_padding_written_without_its_sign_is_found():
    signed = np.array([[-2000, 5]], dtype=np.int16)
    dataset = pydicom.dcmread(io.BytesIO(dicom_bytes(signed)))
    dataset.add_new("PixelPaddingValue", "US", 63536)
    stream = io.BytesIO()
    dataset.save_as(stream)
    np.testing.assert_array_equal(values(stream.getvalue(), fill=-1000.0)[..., 0], [[-1000, 5]])


def test_float_padding_becomes_the_fill():
    pixels = np.array([[1.5, -9.0], [2.5, -9.0]], dtype=np.float32)
    data = dicom_bytes(
        pixels.view(np.uint32), PixelData=None, FloatPixelData=pixels.tobytes(), BitsStored=None, HighBit=None,
        PixelRepresentation=None, FloatPixelPaddingValue=-9.0,
    )  # fmt: skip
    np.testing.assert_array_equal(values(data, fill=7.0)[..., 0], [[1.5, 7], [2.5, 7]])


def test_bits_above_those_stored_do_not_count():
    stored = np.array([[5, 4095]], dtype=np.uint16)
    overlaid = stored | 0x8000
    found = values(dicom_bytes(overlaid, BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(found[..., 0], stored)


def test_a_sign_that_was_not_extended_is():
    stored = np.array([[0x0FFF, 0x0800, 7]], dtype=np.uint16)
    found = values(dicom_bytes(stored.view(np.int16), BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(found[..., 0], [[-1, -2048, 7]])


@pytest.mark.parametrize("white", [False, True])
def test_a_modality_table_is_looked_up_before_inversion(white):
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 10, 16], "US"
    table.LUTData = np.array([100, 200, 400, 800], np.uint16).tobytes()
    pixels = np.array([[9, 10, 11], [12, 13, 14]], dtype=np.uint16)
    data = dicom_bytes(
        pixels, ModalityLUTSequence=[table], Modality="DX", BitsStored=12, HighBit=11,
        PhotometricInterpretation="MONOCHROME1" if white else "MONOCHROME2",
    )  # fmt: skip
    expected = np.array([[100, 100, 200], [400, 800, 800]])
    np.testing.assert_array_equal(values(data)[..., 0], 65535 - expected if white else expected)


@pytest.mark.parametrize("bits", [1, 8, 16, 32])
@pytest.mark.parametrize("signed", [False, True])
def test_every_depth_is_read(bits, signed):
    if bits == 1:
        plane = np.indices((4, 8)).sum(axis=0) % 2
        packed = np.packbits(plane.astype(np.uint8), bitorder="little").tobytes()
        data = dicom_bytes(plane.astype(np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed)
        np.testing.assert_array_equal(values(data)[..., 0], plane)
        return
    limits = np.iinfo(f"{'i' if signed else 'u'}{bits // 8}")
    plane = np.array([[limits.min, limits.max], [0, 1]], dtype=limits.dtype)
    np.testing.assert_array_equal(values(dicom_bytes(plane, Modality="MR"))[..., 0].astype(np.int64), plane)


@given(
    st.sampled_from([np.uint8, np.int16, np.uint16, np.int32]),
    st.integers(-70000, 70000),
    st.integers(-70000, 70000),
    st.integers(0, 2**32 - 1),
)
def test_whole_slopes_are_exact_in_any_type(kind, slope, intercept, seed):
    stored = np.random.default_rng(seed).integers(np.iinfo(kind).min, np.iinfo(kind).max, 20, kind, endpoint=True)
    found = rescaled(stored, float(slope), float(intercept))
    expected = stored.astype(np.int64) * slope + intercept
    if found.dtype.kind == "i":
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert np.abs(expected).max() > 32767
