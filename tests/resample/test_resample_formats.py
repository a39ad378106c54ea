"""Pictures, NIfTI values and rows of .npz arrays."""

import gzip
import io

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from asclepius.errors import Rejected, StudyError
from asclepius.resample import arrays, nifti, pictures

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def encoded(array, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(data: bytes) -> np.ndarray:
    return pictures.read(data).pixels[0]


def test_16_bit_png_keeps_its_values():
    deep = GREY.astype(np.uint16) * 257
    found = picture(encoded(deep))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found[..., 0], deep)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    np.testing.assert_array_equal(picture(encoded(GREY, exif=exif.tobytes()))[..., 0], np.rot90(GREY, -1))


def test_a_palette_gives_colours_and_a_mask_its_indices():
    image = Image.fromarray(GREY % 3, mode="L").convert("P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 9])
    data = encoded(image)
    np.testing.assert_array_equal(picture(data)[0, 1], np.array([[0, 0, 0], [255, 0, 0], [0, 0, 9]])[(GREY % 3)[0, 1]])
    np.testing.assert_array_equal(pictures.read_mask(data).pixels[0, ..., 0], GREY % 3)


def test_transparency_is_laid_on_black():
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 200, [[255, 0], [128, 255]]
    np.testing.assert_allclose(picture(encoded(rgba))[..., 0], [[200, 0], [100, 200]], atol=1)


def test_16_bit_colour_tiff_is_read_in_full():
    deep = np.arange(72, dtype=np.uint16).reshape(4, 6, 3) * 900
    stream = io.BytesIO()
    tifffile.imwrite(stream, deep, photometric="rgb")
    np.testing.assert_array_equal(picture(stream.getvalue()), deep)


def test_white_is_zero_reads_like_black_is_zero():
    stream = io.BytesIO()
    tifffile.imwrite(stream, GREY.astype(np.uint16), photometric="miniswhite")
    np.testing.assert_array_equal(picture(stream.getvalue())[..., 0], 65535 - GREY.astype(np.uint16))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not a picture", "unreadable"),
        (encoded(np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8))[:2000], "truncated"),
        (encoded(np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8), "JPEG")[:900], "truncated"),
        (encoded(Image.fromarray(GREY), "TIFF", save_all=True, append_images=[Image.fromarray(GREY)]), "wrong-shape"),
    ],
)
def test_pictures_that_cannot_be_used_say_why(data, reason):
    with pytest.raises(Rejected) as caught:
        pictures.read(data)
    assert caught.value.reason == reason


def volume(dtype=np.int16, **header) -> nibabel.Nifti1Image:
    image = nibabel.Nifti1Image(np.arange(24, dtype=dtype).reshape(2, 3, 4), np.diag([-1.0, -1.0, 2.0, 1.0]))
    for name, value in header.items():
        image.header[name] = value
    return image


@pytest.mark.parametrize("version", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_nifti_1_and_2_plain_and_compressed(version):
    image = version(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([-1.0, -1.0, 2.0, 1.0]))
    for data in (image.to_bytes(), gzip.compress(image.to_bytes())):
        scan = nifti.read(data)
        np.testing.assert_array_equal(scan.pixels[..., 0], np.arange(24).reshape(2, 3, 4).T)
        np.testing.assert_allclose(scan.grid.affine, np.diag([1, 1, 2, 1]))


def test_scale_and_units_of_nifti_hold():
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    image = nibabel.Nifti1Image(stored, np.diag([-0.001, -0.001, 0.002, 1.0]))
    image.header.set_xyzt_units("meter")
    image.header.set_slope_inter(0.5, 3)
    data = bytearray(image.to_bytes())
    header = nibabel.Nifti1Header(bytes(data[:348]))
    header["scl_slope"], header["scl_inter"] = 0.5, 3.0
    data[:348] = header.binaryblock
    data[352:] = stored.tobytes(order="F")
    scan = nifti.read(bytes(data))
    np.testing.assert_allclose(scan.pixels[..., 0], stored.T * 0.5 + 3)
    assert scan.grid.spacing == pytest.approx((2, 1, 1))


def test_several_volumes_in_one_nifti_are_refused():
    series = nibabel.Nifti1Image(np.zeros((2, 3, 4, 5), np.int16), np.eye(4))
    with pytest.raises(Rejected, match="wrong-shape: 2 x 3 x 4 x 5 voxels"):
        nifti.read(series.to_bytes())
    single = nibabel.Nifti1Image(np.zeros((2, 3, 4, 1), np.int16), np.eye(4))
    assert nifti.read(single.to_bytes()).pixels.shape == (4, 3, 2, 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"something else" * 50, "unreadable"),
        (volume().to_bytes()[:-4], "truncated"),
        (gzip.compress(volume().to_bytes())[:-20], "truncated"),
    ],
)
def test_nifti_that_cannot_be_used_says_why(data, reason):
    with pytest.raises(Rejected) as caught:
        nifti.read(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_rows_of_npz_come_one_by_one(tmp_path, save):
    images = np.random.default_rng(1).integers(0, 255, (9, 5, 6), np.uint8)
    save(tmp_path / "set.npz", train_images=images, other=np.zeros(3))
    rows = arrays.Rows(tmp_path / "set.npz", "train_images")
    for row in (0, 3, 4, 8):
        np.testing.assert_array_equal(rows.read(row), images[row])
    with pytest.raises(StudyError, match="beyond its end"):
        rows.read(9)


@pytest.mark.parametrize(
    ("shape", "sides", "expected"),
    [
        ((5, 6), 2, (1, 5, 6, 1)),
        ((5, 6, 3), 2, (1, 5, 6, 3)),
        ((4, 5, 6), 3, (4, 5, 6, 1)),
        ((4, 5, 3), 3, (4, 5, 3, 1)),
        ((4, 5, 6, 3), 3, (4, 5, 6, 3)),
    ],
)
def test_shapes_of_rows(shape, sides, expected):
    assert arrays.scan(np.zeros(shape, np.uint8), sides).pixels.shape == expected


def test_a_row_of_another_dimension_is_refused():
    with pytest.raises(Rejected, match="wrong-shape: a row of 4 x 5 x 6 values"):
        arrays.scan(np.zeros((4, 5, 6), np.uint8), 2)


def test_an_npz_that_is_not_whole_is_refused(tmp_path):
    (tmp_path / "set.npz").write_bytes(b"half")
    with pytest.raises(StudyError, match="not a whole"):
        arrays.Rows(tmp_path / "set.npz", "train_images")
    np.savez(tmp_path / "set.npz", a=np.zeros((2, 2)))
    with pytest.raises(StudyError, match="no array 'b'"):
        arrays.Rows(tmp_path / "set.npz", "b")
