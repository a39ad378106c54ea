import io
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from asclepius.deidentify.identifiers import Identifiers
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


def chunk(kind, body):
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def grey_png(*chunks, rows=b"\0\1\2" * 2, colour=0, behind=b""):
    """A picture of two by two pixels, assembled by hand."""
    head = struct.pack(">LLBBBBB", 2, 2, 8, colour, 0, 0, 0)
    body = b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows) + behind)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


@given(data=st.data())
@settings(deadline=None)
def test_no_place_of_a_png_carries_text(data):
    kinds_of_chunk = [b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"iCCP", b"tIME", b"sPLT", b"hIST", b"bKGD", b"gruE", b"vpAg"]
    kinds_of_chunk += [b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs", b"PLTE", b"tRNS"]
    kind = data.draw(st.sampled_from(kinds_of_chunk))
    body = data.draw(st.binary(max_size=20)) + SECRET.encode() + data.draw(st.binary(max_size=20))
    picture = grey_png(chunk(kind, body), chunk(kind, body), behind=SECRET.encode()) + SECRET.encode()
    out, _ = kinds.clean(picture, Counter())
    assert SECRET.encode() not in out
    assert np.asarray(Image.open(io.BytesIO(out))).tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize("interlaced", [0, 1])
def test_png_rows_behind_the_last_one_go(interlaced):
    head = struct.pack(">LLBBBBB", 3, 3, 8, 0, 0, 0, interlaced)
    rows = b"\0\1\2\3" * 3 if not interlaced else b"\0\1\0\2\0\3\4\0\5\0\6\0\7\x08\x09"
    out = []
    for hidden in (b"", SECRET.encode() * 40):
        body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows + hidden)) + chunk(b"IEND", b"")
        out.append(kinds.clean(b"\x89PNG\r\n\x1a\n" + body, Counter())[0])
    one, other = (np.asarray(Image.open(io.BytesIO(data))) for data in out)
    assert np.array_equal(one, other)
    at = out[1].index(b"IDAT")
    assert SECRET.encode() not in zlib.decompressobj().decompress(out[1][at + 4 :])


def test_colours_that_no_pixel_has_go():
    palette = b"\1\2\3" + SECRET[:6].encode() + b"\7\7\7" + SECRET.encode() * 5
    picture = grey_png(
        chunk(b"PLTE", palette), chunk(b"tRNS", b"\xff" + b"Gr" + b"\x80uenwald"), rows=b"\0\0\3\0\0\3", colour=3
    )
    out, _ = kinds.clean(picture, Counter())
    assert SECRET[:4].encode() not in out
    assert b"uenw" not in out
    before, after = (np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")) for data in (picture, out))
    assert np.array_equal(before, after)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"gAMA", b"\0\0\xb1\x8fGruenwald"),
        (b"cHRM", b"Gruenwald".ljust(32, b"\0")),
        (b"pHYs", b"Gruenwa\1\1"),
        (b"sRGB", b"\0Gruenwald"),
        (b"sBIT", b"\x08Gruenwald"),
        (b"tRNS", b"\0\1Gruenwald"),
        (b"PLTE", b"Gruenwald"),
    ],
)
def test_chunks_about_colour_hold_only_what_the_standard_says(kind, body):
    out, _ = kinds.clean(grey_png(chunk(kind, body)), Counter())
    assert kind not in out
    sound = grey_png(chunk(b"gAMA", b"\0\0\xb1\x8f"), chunk(b"pHYs", b"\0\0\x0b\x13\0\0\x0b\x13\1"))
    assert kinds.clean(sound, Counter())[0] == sound


def test_png_with_an_unknown_critical_chunk_is_refused():
    with pytest.raises(Rejected, match="no standard"):
        kinds.clean(grey_png(chunk(b"CgBI", b"\0\0\0\0")), Counter())


def segments(data):
    """Places in front of each marker of a JPEG header."""
    at, out = 2, [2]
    while data[at + 1] != 0xDA:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        out.append(at)
    return out


@given(data=st.data())
@settings(deadline=None)
def test_no_place_of_a_jpeg_carries_text(data):
    picture = saved(pixels("RGB"), "JPEG", progressive=data.draw(st.booleans()))
    at = data.draw(st.sampled_from(segments(picture)))
    marker = data.draw(st.sampled_from([*range(0xE0, 0xF0), 0xFE, 0xF0, 0x02]))
    lead = data.draw(
        st.sampled_from([b"", b"JFIF\0", b"JFXX\0\x13", b"Adobe\0d", b"Exif\0\0MM\0*", b"MPF\0", b"ICC_PROFILE\0"])
    )
    body = lead + SECRET.encode() * 3
    loose = data.draw(st.sampled_from([b"", b"Gruenwald between segments"])) if at > 2 else b""
    segment = loose + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    planted = picture[:at] + segment + picture[at:] + SECRET.encode()
    out, _ = kinds.clean(planted, Counter())
    assert SECRET.encode() not in out
    assert b"Gru" not in out[:700]
    if not (marker == 0xEE and lead[:5] == b"Adobe"):  # which changes how colours are read, in both
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(out))), np.asarray(Image.open(io.BytesIO(picture))))


@pytest.mark.parametrize(
    ("marker", "body", "kept"),
    [
        (0xE0, b"JFIF\0\1\1\0Grue\0\0", b"JFIF\0\1\1\0\0\1\0\1\0\0"),
        (0xE0, b"JFIF\0wa\1\0H\0H\0\0", b"JFIF\0\1\1\1\0H\0H\0\0"),
        (0xEE, b"Adobe\0dGrue\1nwald", b"Adobe\0d\0\0\0\0\1"),
    ],
)
def test_the_segments_that_stay_hold_only_numbers(marker, body, kept):
    picture = saved(pixels("RGB"), "JPEG")
    bare = picture[:2] + picture[20:]  # without Pillow's own JFIF segment
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    out, _ = kinds.clean(bare[:2] + segment + segment.replace(b"ald", b"eld") + bare[2:], Counter())
    assert out == bare[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(kept) + 2) + kept + bare[2:]


def test_text_behind_the_tables_of_a_jpeg_goes():
    picture = saved(pixels("L"), "JPEG")
    at = next(at for at in segments(picture) if picture[at + 1] == 0xDB)
    length = int.from_bytes(picture[at + 2 : at + 4], "big")
    longer = (
        picture[at : at + 2] + (length + 9).to_bytes(2, "big") + picture[at + 4 : at + 2 + length] + SECRET.encode()
    )
    out, _ = kinds.clean(picture[:at] + longer + picture[at + 2 + length :], Counter())
    assert out == kinds.clean(picture, Counter())[0]


def test_restart_markers_and_thumbnails_of_phones():
    """Multi-picture format: a second picture behind the first one's end marker."""
    first, second = (saved(pixels("RGB", seed), "JPEG", restart_marker_blocks=1) for seed in (0, 1))
    out, _ = kinds.clean(first + second, Counter())
    assert out == kinds.clean(first, Counter())[0]
    assert out.count(b"\xff\xd9") == 1


def test_jpeg_kinds_without_a_reader_are_refused():
    picture = bytearray(saved(pixels("L"), "JPEG"))
    picture[picture.index(b"\xff\xc0") + 1] = 0xF7  # JPEG-LS
    with pytest.raises(Rejected, match="not supported"):
        kinds.clean(bytes(picture), Counter())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_dicom_in_disguise_is_caught(suffix):
    preamble = {".png": b"\x89PNG\r\n\x1a\n", ".jpg": b"\xff\xd8\xff", ".tif": b"II*\0\x08\0\0\0"}[suffix]
    with pytest.raises(Rejected, match="DICOM"):
        kinds.clean(preamble.ljust(128, b"\0") + b"DICM" + bytes(200), Counter())


@pytest.mark.parametrize(
    "data", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"PK\3\4" * 50, b"%PDF-1.4" * 20]
)
def test_other_files_in_disguise_are_refused(data):
    with pytest.raises(Rejected) as caught:
        kinds.clean(data, Counter())
    assert caught.value.reason == "unreadable"


def test_identifiers_are_searched_around_the_pixels():
    identifiers = Identifiers()
    identifiers.add_name("Gruenwald^Zoe")
    picture = saved(pixels("RGB"), "JPEG")
    kinds.clean(picture, Counter(), identifiers)
    at = picture.rindex(b"\xff\xd9")
    with pytest.raises(Rejected, match="identity"):  # among the coded pixels: no cleaning can tell
        kinds.clean(picture[:at] + b"gruenwald" + picture[at:], Counter(), identifiers)


def test_orientation_of_webp_survives():
    out, _ = kinds.clean(saved(pixels("RGB"), "WEBP", exif=exif(6), lossless=True), Counter())
    assert SECRET.encode() not in out
    assert Image.open(io.BytesIO(out)).getexif().get(0x0112) == 6


def test_jpeg_2000_becomes_png():
    data = saved(pixels("RGB"), "JPEG2000", comment=SECRET, irreversible=False)
    assert_clean(data + SECRET.encode(), "PNG")


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
    for form in ("GIF", "PNG", "WEBP"):
        with pytest.raises(Rejected, match="animation"):
            kinds.clean(saved(frames[0], form, save_all=True, append_images=frames[1:]), Counter())


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("covid_chest_xray", "*.jp*g"), ("brain_tumor_mri_2d", "*.jpg"), ("mednist_subset", "*.jpeg"), ("bccd", "*.jpg")],
)
def test_real_pictures(real_data, name, pattern):
    for path in sorted((real_data / name).rglob(pattern))[::20][:20]:
        data = path.read_bytes()
        out, _ = kinds.clean(data, Counter())
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(out))), np.asarray(Image.open(io.BytesIO(data)))), path
