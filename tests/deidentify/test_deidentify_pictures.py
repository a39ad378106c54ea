import io
from collections import Counter

import numpy as np
import pytest
import tifffile
from deidentify_cases import SHARED
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from asclepius.deidentify.pictures import kinds
from asclepius.errors import Rejected

SECRET = "Gruenwald"


def pixels(mode, seed=0):
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 255, (24, 20, len(mode) if mode in ("RGB", "RGBA", "LA") else 1), dtype=np.uint8).squeeze()
    if mode == "I;16":
        return Image.fromarray(array.astype(np.uint16) * 200)
    if mode == "P":
        return Image.fromarray(array).quantize(16)
    return Image.fromarray(array > 90) if mode == "1" else Image.fromarray(array, mode if mode == "L" else None)


def exif(orientation):
    block = Image.Exif()
    block[0x010E] = block[0x013B] = SECRET
    block[0x0112] = orientation
    return block


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def assert_clean(data, form):
    out, suffix = kinds.clean(data, Counter())
    assert SECRET.encode() not in out
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(out))
    assert np.array_equal(np.asarray(before), np.asarray(after))
    assert (before.size, after.format) == (after.size, form)
    return after, suffix


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_png(mode, orientation):
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", SECRET)
    text.add_itxt("Comment", SECRET, zip=True)
    data = saved(pixels(mode), "PNG", pnginfo=text, exif=exif(orientation), icc_profile=SECRET.encode())
    after, suffix = assert_clean(data + SECRET.encode(), "PNG")
    assert suffix == ".png"
    assert not after.text
    assert after.getexif().get(0x0112, 1) == orientation
    assert set(after.getexif()) <= {0x0112}


def test_png_hides_nothing_behind_the_pixel_stream():
    data = saved(pixels("L"), "PNG")
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    import zlib

    body = data[at + 4 : at + 4 + length] + SECRET.encode()
    chunk = len(body).to_bytes(4, "big") + b"IDAT" + body + zlib.crc32(b"IDAT" + body).to_bytes(4, "big")
    assert_clean(data[: at - 4] + chunk + data[at + 8 + length :], "PNG")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("orientation", [1, 3])
def test_jpeg(mode, progressive, orientation):
    data = saved(
        pixels(mode),
        "JPEG",
        exif=exif(orientation),
        comment=SECRET,
        progressive=progressive,
        icc_profile=b"x" + SECRET.encode(),
    )
    after, suffix = assert_clean(data + SECRET.encode(), "JPEG")
    assert suffix == ".jpg"
    assert after.getexif().get(0x0112, 1) == orientation
    assert "comment" not in after.info


def test_jpeg_cmyk_keeps_the_segment_that_says_how_colours_are_coded():
    data = saved(
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 4), dtype=np.uint8), "CMYK"), "JPEG"
    )
    assert_clean(data, "JPEG")


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.arange(600, dtype=np.uint8).reshape(20, 30), {}),
        (np.arange(600, dtype=np.uint16).reshape(20, 30), {"compression": "zlib"}),
        (np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30), {}),
        (np.arange(1800, dtype=np.uint8).reshape(20, 30, 3), {"photometric": "rgb"}),
        (np.arange(1800, dtype=np.uint16).reshape(3, 20, 30), {"photometric": "minisblack"}),
        (np.arange(600, dtype=np.uint8).reshape(20, 30), {"photometric": "miniswhite"}),
    ],
)
def test_tiff(array, options):
    buffer = io.BytesIO()
    extra = [(274, "H", 1, 6, True), (315, "s", 0, SECRET, True), (65000, "s", 0, SECRET, True)]
    tifffile.imwrite(buffer, array, description=SECRET, software=SECRET, extratags=extra, metadata=None, **options)
    out, suffix = kinds.clean(buffer.getvalue() + SECRET.encode(), Counter())
    assert suffix == ".tif"
    assert SECRET.encode() not in out
    assert np.array_equal(tifffile.imread(io.BytesIO(out)), array)
    with tifffile.TiffFile(io.BytesIO(out)) as file:
        assert file.pages[0].tags["Orientation"].value == 6
        assert file.pages[0].photometric.name.lower() == options.get("photometric", "minisblack")


def test_tiff_with_a_compression_that_only_pillow_decodes():
    data = saved(pixels("RGB"), "TIFF", compression="tiff_lzw", description=SECRET)
    assert_clean(data, "TIFF")


@pytest.mark.parametrize("form", ["BMP", "GIF", "PPM"])
def test_other_formats_become_png(form):
    options = {"comment": SECRET} if form == "GIF" else {}
    assert_clean(saved(pixels("P" if form == "GIF" else "RGB"), form, **options), "PNG")


@given(data=st.data())
def test_a_cut_picture_is_never_released(data):
    form = data.draw(st.sampled_from(["PNG", "JPEG", "BMP"]))
    whole = saved(pixels("RGB"), form)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(Rejected) as caught:
        kinds.clean(cut, Counter())
    assert caught.value.reason in ("empty", "truncated", "undecodable", "unreadable")


def test_an_animation_is_refused():
    frames = [pixels("P", seed) for seed in range(3)]
    with pytest.raises(Rejected, match="animation"):
        kinds.clean(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), Counter())


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("covid_chest_xray", "*.jp*g"), ("brain_tumor_mri_2d", "*.jpg"), ("mednist_subset", "*.jpeg"), ("bccd", "*.jpg")],
)
def test_real_pictures(name, pattern):
    folder = SHARED / "data" / name
    if not folder.exists():
        pytest.skip(f"{folder} is not there")
    for path in sorted(folder.rglob(pattern))[::20][:20]:
        data = path.read_bytes()
        out, _ = kinds.clean(data, Counter())
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(out))), np.asarray(Image.open(io.BytesIO(data)))), path
