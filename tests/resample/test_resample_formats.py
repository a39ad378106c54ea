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
from asclepius.resample.scan import Scan, class_numbers

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
        (gzip.compress(volume().to_bytes(), mtime=0)[:-20], "truncated"),
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


@pytest.mark.parametrize(
    ("kind", "options", "spacing"),
    [
        ("PNG", {"dpi": (254.0 * 100, 254.0 * 50)}, (2e-3, 1e-3)),  # a microscope
        ("TIFF", {"dpi": (181.43, 181.43)}, (0.14, 0.14)),  # a radiograph
        ("TIFF", {"resolution": 71.4286, "resolution_unit": "cm"}, (0.14, 0.14)),
        ("PNG", {"dpi": (96, 96)}, None),
        ("PNG", {"dpi": (300, 300)}, None),
        ("TIFF", {"dpi": (72, 72)}, None),
        ("TIFF", {"resolution": 90.7, "resolution_unit": 1}, None),
        ("TIFF", {}, None),
        ("JPEG", {"dpi": (181, 181)}, None),
    ],
)
def test_spacing_comes_from_measured_resolutions_alone(kind, options, spacing):
    data = encoded(GREY, kind, **options)
    for grid in (pictures.read(data).grid, pictures.read_grid(data)):
        assert grid.scaled == (spacing is not None)
        if spacing:
            assert grid.spacing[1:] == pytest.approx(spacing, rel=1e-3)


def test_headers_tell_the_size_of_a_picture_as_it_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (encoded(GREY, exif=exif.tobytes()), encoded(GREY)):
        assert pictures.read_grid(data).shape == pictures.read(data).grid.shape


def header(image: nibabel.Nifti1Image, **fields) -> bytes:
    """The file with fields of its header changed as they stand."""
    data = bytearray(image.to_bytes())
    size = 348 if isinstance(image, nibabel.Nifti1Image) and not isinstance(image, nibabel.Nifti2Image) else 540
    kind = nibabel.Nifti1Header if size == 348 else nibabel.Nifti2Header
    head = kind(bytes(data[:size]), check=False)
    for name, value in fields.items():
        head[name] = value
    data[:size] = head.binaryblock
    return bytes(data)


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_a_slope_that_says_nothing_leaves_the_values(slope):
    scan = nifti.read(header(volume(), scl_slope=slope, scl_inter=5.0))
    np.testing.assert_array_equal(scan.pixels[..., 0], np.arange(24).reshape(2, 3, 4).T)
    assert scan.pixels.dtype == np.int16


def test_an_intercept_that_is_no_number_is_a_damaged_header():
    with pytest.raises(Rejected, match="unreadable: the NIfTI header is damaged"):
        nifti.read(header(volume(), scl_slope=1.0, scl_inter=np.nan))


def test_whole_slopes_keep_whole_numbers():
    scan = nifti.read(header(volume(np.uint8), scl_slope=2.0, scl_inter=-1024.0))
    np.testing.assert_array_equal(scan.pixels[..., 0], np.arange(24).reshape(2, 3, 4).T * 2 - 1024)
    assert scan.pixels.dtype == np.int16


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("mm", 1), ("micron", 0.001), ("unknown", 1)])
def test_units_become_millimetres(unit, factor):
    image = volume()
    image.header.set_xyzt_units(unit)
    assert nifti.read(image.to_bytes()).grid.spacing == pytest.approx((2 * factor, factor, factor))
    assert nifti.read_grid(gzip.compress(image.to_bytes())).spacing == pytest.approx((2 * factor, factor, factor))


def forms(sform=None, qform=None) -> nibabel.Nifti1Image:
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), None)
    for affine, put in ((sform, image.set_sform), (qform, image.set_qform)):
        put(affine, 0 if affine is None else 1)
    return image


def test_the_sform_holds_where_the_forms_differ_and_the_index_says_by_how_much():
    plain, moved = np.diag([2.0, 2.0, 2.0, 1.0]), np.diag([2.0, 2.0, 2.0, 1.0])
    moved[:3, 3] = (3, 0, 4)
    scan = nifti.read(forms(moved, plain).to_bytes())
    np.testing.assert_allclose(scan.grid.affine[:3, 3], (-3, 0, 4))
    assert scan.notes == ["sform and qform differ by up to 5.0 mm; the sform holds"]
    assert nifti.read(forms(plain, plain).to_bytes()).notes == []


def test_the_qform_stands_in_for_an_sform_that_is_no_grid():
    sheared = np.diag([2.0, 2.0, 2.0, 1.0])
    sheared[0, 1] = 1.0
    for wrong in (sheared, np.diag([0.0, 0, 0, 1])):
        image = forms(np.eye(4), np.diag([2.0, 2.0, 3.0, 1.0]))
        data = header(image, **{f"srow_{name}": row for name, row in zip("xyz", wrong, strict=False)})
        scan = nifti.read(data)
        assert scan.grid.spacing == pytest.approx((3, 2, 2))
        assert scan.notes == ["the sform is sheared or empty; the qform holds"]
    with pytest.raises(Rejected, match="off a right angle"):
        nifti.read(forms(sheared).to_bytes())


def test_volumes_of_one_file_become_channels_if_the_study_says_so():
    values = np.arange(48, dtype=np.int16).reshape(2, 3, 4, 2)
    image = nibabel.Nifti1Image(values, np.eye(4))
    np.testing.assert_array_equal(nifti.read(image.to_bytes(), 2).pixels, values.transpose(2, 1, 0, 3))
    for channels in (1, 3):
        with pytest.raises(Rejected, match="one image or volume per file is needed"):
            nifti.read(image.to_bytes(), channels)
    vector = nibabel.Nifti1Image(values[:, :, :, None], np.eye(4))
    assert nifti.read(vector.to_bytes(), 2).pixels.shape == (4, 3, 2, 2)


def test_files_of_one_visit_become_channels_on_the_grid_of_the_first():
    values = np.zeros((16, 16, 16), np.float32)
    values[4:12, 4:12, 4:12] = 100
    first = nibabel.Nifti1Image(values, np.eye(4))
    half = np.diag([2.0, 2.0, 2.0, 1.0])
    half[:3, 3] = 0.5
    coarse = nibabel.Nifti1Image(values[::2, ::2, ::2], half)
    scan = nifti.read_channels([first.to_bytes(), first.to_bytes(), coarse.to_bytes()])
    assert scan.pixels.shape == (16, 16, 16, 3)
    assert scan.notes == ["channel 3 resampled to the grid of the first"]
    np.testing.assert_array_equal(scan.pixels[..., 0], scan.pixels[..., 1])
    assert scan.pixels[8, 8, 8, 2] == 100
    assert scan.pixels[1, 1, 1, 2] == 0
    with pytest.raises(Rejected, match="empty: channel 2 of 2: the file is empty"):
        nifti.read_channels([first.to_bytes(), b""])


def test_colour_and_complex_nifti():
    colours = np.zeros((2, 3, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["R"], colours["B"] = 9, np.arange(24).reshape(2, 3, 4)
    found = nifti.read(nibabel.Nifti1Image(colours, np.eye(4)).to_bytes()).pixels
    assert found.shape == (4, 3, 2, 3)
    np.testing.assert_array_equal(found[..., 2], np.arange(24).reshape(2, 3, 4).T)
    with pytest.raises(Rejected, match="complex values; export the magnitude"):
        nifti.read(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.complex64), np.eye(4)).to_bytes())


def test_big_endian_nifti():
    image = nibabel.Nifti1Image(
        np.arange(24, dtype=">i2").reshape(2, 3, 4), np.eye(4), nibabel.Nifti1Header(endianness=">")
    )
    scan = nifti.read(image.to_bytes())
    np.testing.assert_array_equal(scan.pixels[..., 0], np.arange(24).reshape(2, 3, 4).T)
    assert scan.pixels.dtype.isnative


@pytest.mark.parametrize("kind", [np.float32, np.int32, np.uint8])
def test_class_numbers_of_any_type(kind):
    values = np.array([0, 1, 2, 254], dtype=np.float64).reshape(1, 1, 4, 1)
    values = (values - 1e-4 * (kind is np.float32) * (values > 0)).astype(kind)
    found = class_numbers(Scan(values, None, None))
    assert found.pixels.ravel().tolist() == [0, 1, 2, 254]
    assert found.notes == []


def test_class_numbers_beyond_a_byte_are_said_to_be_lost():
    found = class_numbers(Scan(np.array([0, -3, 7, 900]).reshape(1, 1, 4, 1), None, None))
    assert found.pixels.ravel().tolist() == [0, 0, 7, 255]
    assert found.notes == ["mask classes above 255 (up to 900) counted as 255"]
