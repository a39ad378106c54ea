"""Pixels of every coding are blanked where asked, and nowhere else."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

from asclepius.deidentify.pixels.raster import Raster, Written
from asclepius.errors import Rejected

NATIVE = ["CT_small.dcm", "MR_small_bigendian.dcm", "ExplVR_BigEnd.dcm", "MR_small_padded.dcm", "SC_rgb_small_odd.dcm",
          "SC_rgb_small_odd_big_endian.dcm", "SC_ybr_full_422_uncompressed.dcm", "examples_palette.dcm",
          "liver_1frame.dcm", "image_dfl.dcm", "parametric_map_float.dcm", "rtdose.dcm", "vlut_04.dcm"]  # fmt: skip
COMPRESSED = ["SC_rgb_jpeg_dcmtk.dcm", "JPGExtended.dcm", "JPEG-LL.dcm", "MR_small_jpeg_ls_lossless.dcm",
              "JPEG2000.dcm", "US1_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small_RLE.dcm", "emri_small_RLE.dcm",
              "SC_rgb_rle_16bit_2frame.dcm", "rtdose_rle.dcm", "examples_ybr_color.dcm"]  # fmt: skip


def pydicom_file(name: str) -> Dataset:
    path = get_testdata_file(name, download=False)
    if path is None:
        local = Path(__file__).parents[3] / "shared" / "data" / "dicom_formats" / "pydicom" / name
        if not local.is_file():
            pytest.skip(f"{name} comes neither with pydicom nor with ../shared/data")
        path = local
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path)


def values(dataset: Dataset) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pixel_array(dataset, raw=True)


def replaced(dataset: Dataset, written: Written) -> Dataset:
    """The data set with its new pixels."""
    for tag, (vr, value) in written.attributes.items():
        dataset.add_new(tag, vr, value)
    for tag in written.dropped:
        if tag in dataset:
            del dataset[tag]
    dataset.file_meta.TransferSyntaxUID = written.syntax
    dataset[written.tag].value = written.value
    if written.encapsulated:
        dataset[written.tag].VR, dataset[written.tag].is_undefined_length = "OB", True
    return dataset


def image(pixels: np.ndarray, *, stored: int = 0, high: int = -1, photometric: str = "MONOCHROME2", big: bool = False):
    """A data set around an array (frame, y, x[, sample])."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if big else ExplicitVRLittleEndian
    d.NumberOfFrames, d.Rows, d.Columns = pixels.shape[:3]
    d.SamplesPerPixel = pixels.shape[3] if pixels.ndim == 4 else 1
    if d.SamplesPerPixel > 1:
        d.PlanarConfiguration = 0
    d.PhotometricInterpretation = photometric
    d.BitsAllocated = pixels.dtype.itemsize * 8
    d.BitsStored = stored or d.BitsAllocated
    d.HighBit = high if high >= 0 else d.BitsStored - 1
    d.PixelRepresentation = int(pixels.dtype.kind == "i")
    raw = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    d.add_new(0x7FE00010, "OW", raw + b"\0" * (len(raw) % 2))
    return d


def mask_of(shape: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[:, shape[1] // 4 : shape[1] // 2 + 1, : max(shape[2] // 3, 2)] = True
    mask[-1, -1, -1] = True
    return mask


@pytest.mark.parametrize("name", NATIVE + COMPRESSED)
def test_only_the_asked_pixels_change(name):
    dataset = pydicom_file(name)
    before = values(dataset)
    raster = Raster.read(dataset)
    before = before.reshape(raster.shape)
    assert np.array_equal(raster.array, before)
    mask = mask_of(raster.shape[:3])
    raster.fill(mask)
    after = values(replaced(dataset, raster.written())).reshape(raster.shape)
    if raster.layout.subsampled:  # pixels share their colour in pairs
        mask = np.repeat(mask.reshape(*mask.shape[:2], -1, 2).any(-1), 2, axis=-1)
    assert np.array_equal(after[~mask], before[~mask])
    assert all(len(np.unique(after[..., sample][mask])) == 1 for sample in range(after.shape[3]))
    assert np.array_equal(after, raster.array), "what is read after filling differs from what is written"


def test_full_chroma_is_written_by_planes():
    """PS3.3 C.8.5.6.1.16: YBR_FULL of ultrasound has Planar Configuration 1; PS3.5 8.2.4 forbids that in JPEG 2000."""
    dataset = pydicom_file("examples_ybr_color.dcm")
    raster = Raster.read(dataset)
    raster.fill(mask_of(raster.shape[:3]))
    after = replaced(dataset, raster.written())
    assert after.PhotometricInterpretation == "YBR_FULL"
    assert after.PlanarConfiguration == 1
    assert after.file_meta.TransferSyntaxUID == RLELossless


@pytest.mark.parametrize("name", NATIVE)
def test_native_bytes_stay_where_they_are(name):
    dataset = pydicom_file(name)
    raster = Raster.read(dataset)
    old = bytes(dataset[raster.layout.tag].value)
    mask = np.zeros(raster.shape[:3], bool)
    mask[0, 0, 0] = True
    raster.fill(mask)
    written = raster.written()
    assert not written.encapsulated
    assert written.syntax == dataset.file_meta.TransferSyntaxUID
    assert len(written.value) == len(old)
    changed = sum(a != b for a, b in zip(written.value, old, strict=True))
    assert changed <= max(raster.layout.bits // (raster.shape[1] * raster.shape[2]) // 8, 4)


@pytest.mark.parametrize(
    ("photometric", "kind", "black"),
    [("MONOCHROME2", "u2", 0), ("MONOCHROME1", "u2", 4095), ("MONOCHROME2", "i2", -700), ("MONOCHROME1", "i2", 900)],
)
def test_black_is_what_is_shown_black(photometric, kind, black):
    pixels = np.linspace(-700 if kind == "i2" else 100, 900, 64).astype(kind).reshape(1, 8, 8)
    raster = Raster.read(image(pixels, stored=12, photometric=photometric))
    raster.fill(np.ones((8, 8), bool))
    assert (raster.array == black).all()


def test_black_of_colours():
    raster = Raster.read(image(np.full((1, 4, 4, 3), 77, np.uint8), photometric="YBR_FULL"))
    raster.fill(np.ones((4, 4), bool))
    assert raster.array[0, 0, 0].tolist() == [0, 128, 128]
    dataset = image(np.zeros((1, 4, 4), np.uint8), photometric="PALETTE COLOR")
    for name, table in (("Red", [200, 9, 5, 90]), ("Green", [200, 9, 5, 90]), ("Blue", [200, 9, 90, 90])):
        dataset[f"{name}PaletteColorLookupTableDescriptor"] = _element(
            f"{name}PaletteColorLookupTableDescriptor", table
        )
        setattr(dataset, f"{name}PaletteColorLookupTableData", bytes(table))
    raster = Raster.read(dataset)
    raster.fill(np.ones((4, 4), bool))
    assert (raster.array == 1).all(), "the palette's darkest entry is its second"


def _element(keyword: str, table: list[int]):
    from pydicom.dataelem import DataElement

    return DataElement(keyword, "US", [len(table), 0, 8])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_cell_and_bit_place(data):
    kind = data.draw(st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4"]))
    bits = np.dtype(kind).itemsize * 8
    stored = data.draw(st.integers(2, bits))
    high = data.draw(st.integers(stored - 1, bits - 1))
    shape = tuple(data.draw(st.integers(1, 5)) for _ in range(3))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    cells = rng.integers(0, 256, (*shape, bits // 8), np.uint8).view(kind)[..., 0]
    low = (cells.astype(np.int64) >> (high + 1 - stored)) & ((1 << stored) - 1)
    expected = np.where(low >> (stored - 1), low - (1 << stored), low) if kind[0] == "i" else low
    dataset = image(cells, stored=stored, high=high, big=data.draw(st.booleans()))
    if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian and bits == 8:
        dataset[0x7FE00010].VR = "OB"
    raster = Raster.read(dataset)
    assert np.array_equal(raster.array[..., 0], expected)
    raster.clear_unused_bits()
    mask = rng.random(shape) < 0.4
    raster.fill(mask)
    dataset[0x7FE00010].value = raster.written().value
    again = Raster.read(dataset)
    assert np.array_equal(again.array[..., 0][~mask], expected[~mask])
    assert not again.clear_unused_bits(), "bits beside the value are left"


def test_overlay_in_unused_bits_is_cleared():
    pixels = np.arange(64, dtype=np.uint16).reshape(1, 8, 8)
    hidden = pixels.copy()
    hidden[0, 2:5, 2:5] |= 1 << 12
    dataset = image(hidden, stored=12)
    raster = Raster.read(dataset)
    assert raster.clear_unused_bits()
    assert raster.written().value == pixels.tobytes()
    assert not Raster.read(image(pixels, stored=12)).clear_unused_bits()


def test_sign_extension_is_no_overlay():
    pixels = np.arange(-32, 32, dtype=np.int16).reshape(1, 8, 8)
    assert not Raster.read(image(pixels, stored=12)).clear_unused_bits()
    assert not Raster.read(image(pixels & np.int16(0x0FFF), stored=12)).clear_unused_bits()
    mixed = pixels.copy()
    mixed[0, 0] &= 0x0FFF  # some extended, some not: that can be a drawing
    assert Raster.read(image(mixed, stored=12)).clear_unused_bits()


def test_bytes_behind_the_last_pixel():
    pixels = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    plain, hiding = image(pixels), image(pixels)
    plain.PixelData = pixels.tobytes() + bytes(6)
    hiding.PixelData = pixels.tobytes() + b"DOE^JANE"
    assert not Raster.read(plain).excess
    assert Raster.read(plain).written().value == plain.PixelData
    assert Raster.read(hiding).excess
    assert Raster.read(hiding).written().value == pixels.tobytes()


def test_frames_of_single_bits_share_bytes():
    bits = np.random.default_rng(0).integers(0, 2, (3, 5, 3)).astype(np.uint8)
    dataset = image(bits, stored=1)
    dataset.BitsAllocated, dataset.HighBit = 1, 0
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    dataset[0x7FE00010].value = packed + b"\0" * (len(packed) % 2)
    raster = Raster.read(dataset)
    assert np.array_equal(raster.array[..., 0], bits)
    mask = np.zeros((5, 3), bool)
    mask[1:3] = True
    raster.fill(mask, frames=range(1, 2))
    bits[1, 1:3] = 0
    dataset[0x7FE00010].value = raster.written().value
    assert np.array_equal(Raster.read(dataset).array[..., 0], bits)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PixelData": b"\0" * 10}, "truncated"),
        ({"BitsAllocated": 12}, "undecodable"),
        ({"Rows": 0}, "undecodable"),
        ({"BitsStored": 17}, "undecodable"),
        ({"PhotometricInterpretation": "YBR_FULL_422"}, "undecodable"),
    ],
)
def test_contradictions_are_refused(change, reason):
    dataset = image(np.zeros((1, 8, 8), np.uint16))
    for name, value in change.items():
        setattr(dataset, name, value)
    with pytest.raises(Rejected) as caught:
        Raster.read(dataset)
    assert caught.value.reason == reason


def test_damaged_stream_is_refused():
    dataset = pydicom_file("JPEG2000.dcm")
    dataset.PixelData = dataset.PixelData[:60] + b"\0" * 60 + dataset.PixelData[120:]
    with pytest.raises(Rejected, match="undecodable"):
        Raster.read(dataset)
