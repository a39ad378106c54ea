import io
import struct
from collections import Counter

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from asclepius.deidentify.pictures import kinds
from asclepius.errors import Rejected

SECRET = "Gruenwald"
rng = np.random.default_rng(0)
GREY = rng.integers(0, 255, (40, 30), dtype=np.uint8) // 16
RGB = rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)


def told(**options):
    """Tags with a name in them."""
    extra = [
        (274, "H", 1, 6, True),
        (315, "s", 0, SECRET, True),
        (65000, "s", 0, SECRET, True),
        (34675, "s", 0, SECRET, True),
    ]
    return {"description": SECRET, "software": SECRET, "extratags": extra, "metadata": None} | options


def written(array, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **told(**options))
    return buffer.getvalue()


def by_pillow(array, compression, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "TIFF", compression=compression, description=SECRET, artist=SECRET, **options)
    return buffer.getvalue()


def strips(data):
    """Bytes of all strips and tiles, by tifffile."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return [
            data[at : at + count]
            for page in file.pages
            for at, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]


def cleaned(data):
    audit = Counter()
    out, suffix = kinds.clean(data, audit)
    assert suffix == ".tif"
    assert SECRET.encode() not in out
    return out, audit


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (GREY, {}),
        (GREY, {"byteorder": ">"}),
        (GREY, {"bigtiff": True}),
        (GREY, {"bigtiff": True, "byteorder": ">", "compression": "zlib", "tile": (16, 16)}),
        (GREY.astype(np.uint16), {"compression": "zlib", "rowsperstrip": 7}),
        (GREY.astype(np.float32), {"compression": "zlib", "predictor": False}),
        (RGB, {"photometric": "rgb", "tile": (16, 32)}),
        (np.moveaxis(RGB, 2, 0).copy(), {"photometric": "rgb", "planarconfig": "separate"}),
        (np.stack([GREY, GREY + 1, GREY]), {"photometric": "minisblack"}),
        (GREY, {"photometric": "miniswhite", "resolution": (72.5, 300)}),
        (GREY > 5, {}),
    ],
)
def test_strips_stay_byte_for_byte_and_tags_go(array, options):
    data = written(array, **options) + SECRET.encode()
    out, audit = cleaned(data)
    assert np.array_equal(tifffile.imread(io.BytesIO(out)), array)
    assert strips(out) == strips(data)
    with tifffile.TiffFile(io.BytesIO(out)) as file, tifffile.TiffFile(io.BytesIO(data)) as before:
        page = file.pages[0]
        assert page.tags["Orientation"].value == 6
        assert page.photometric == before.pages[0].photometric
        assert (file.is_bigtiff, file.byteorder) == (before.is_bigtiff, before.byteorder)
        if "resolution" in options:
            assert page.resolution == before.pages[0].resolution
    assert {"ImageDescription", "Artist", "ICCProfile", "other"} <= {tag for tag, _, _ in audit}
    if array.dtype != np.float32 and array.ndim == 2 and options.get("bigtiff") is None:  # Pillow reads few of those
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(out))), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg", "raw"])
@pytest.mark.parametrize(
    "array", [GREY, RGB, np.zeros((300, 500), np.uint8), rng.integers(0, 255, (200, 300), np.uint8)]
)
def test_compressions_of_libtiff(compression, array):
    data = by_pillow(array, compression)
    out, _ = cleaned(data + SECRET.encode())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(out))), np.asarray(Image.open(io.BytesIO(data))))
    if compression != "jpeg":
        assert strips(out) == strips(data)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_lzw"])
def test_black_and_white(compression):
    data = by_pillow(GREY > 5, compression)
    out, _ = cleaned(data)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(out))), GREY > 5)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colours_that_no_pixel_has_go(compression):
    colours = np.zeros((3, 256), np.uint16)
    colours[:, :16] = rng.integers(0, 65535, (3, 16))
    colours[0, 200:] = np.frombuffer((SECRET * 20)[:112].encode(), np.uint16)
    data = written(GREY, photometric="palette", colormap=colours, compression=compression)
    assert SECRET.encode() in data[len(data) // 4 :]
    out, _ = cleaned(data)
    before, after = (np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in (data, out))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "raw"])
def test_text_behind_the_pixels_of_a_strip_goes(compression):
    """The byte count of a strip says more than its pixels need."""
    data = bytearray(by_pillow(GREY, compression))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        page = file.pages[0]
        places, counts = page.tags["StripOffsets"], page.tags["StripByteCounts"]
        body = data[page.dataoffsets[-1] : page.dataoffsets[-1] + page.databytecounts[-1]] + SECRET.encode() * 2
        assert len(page.dataoffsets) == 1
    for tag, value in ((places, len(data)), (counts, len(body))):
        data[tag.offset + 2 : tag.offset + 12] = struct.pack("<HLL", 4, 1, value)
    out, audit = cleaned(bytes(data + body))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(out))), GREY)
    assert ("bytes behind the pixels", "TIFF strip", "X") in audit


def test_rows_behind_the_last_one_go():
    import zlib

    longer = np.concatenate([GREY.ravel(), np.frombuffer((SECRET * 9).encode(), np.uint8)])
    data = bytearray(written(GREY, compression="zlib"))
    body = zlib.compress(longer.tobytes())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tags = file.pages[0].tags
        for name, value in (("StripOffsets", len(data)), ("StripByteCounts", len(body))):
            data[tags[name].offset + 2 : tags[name].offset + 12] = struct.pack("<HLL", 4, 1, value)
    out, _ = cleaned(bytes(data) + body)
    assert np.array_equal(tifffile.imread(io.BytesIO(out)), GREY)
    assert zlib.decompress(strips(out)[0]) == GREY.tobytes()


def slide(first_label=False):
    """As Aperio writes: base, thumbnail, a level, label and macro; or as Ventana: the label first."""
    base, small = np.tile(RGB, (4, 4, 1)), RGB[:20, :20]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        options = {"photometric": "rgb", "metadata": None}
        label = [(RGB, {"description": "Aperio Image Library v10\nlabel 30x40", "subfiletype": 1})]
        if first_label:
            label = [(RGB, {"description": "Label Image"})]
        pages = [
            (base, {"description": f"Aperio |AppMag = 40|User = {SECRET}", "tile": (64, 64)}),
            (small, {"description": "Aperio thumbnail"}),
            (base[::2, ::2].copy(), {"tile": (64, 64), "description": "level"}),
            (RGB[:, :20].copy(), {"description": "Aperio\nmacro 20x40", "subfiletype": 9}),
        ]
        for array, further in [*label, *pages] if first_label else [*pages, *label]:
            file.write(array, **options, **further)
    return base, buffer.getvalue()


@pytest.mark.parametrize("first_label", [False, True])
def test_a_slide_loses_its_label_and_macro(first_label):
    base, data = slide(first_label)
    out, audit = cleaned(data)
    with tifffile.TiffFile(io.BytesIO(out)) as file:
        assert len(file.pages) == 1
        assert np.array_equal(file.pages[0].asarray(), base)
    assert audit["smaller pages, label, macro", "TIFF page", "X"] == 4
    assert RGB[:, :20].tobytes() not in out


def test_thumbnails_in_sub_directories_go():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, ome=True) as file:
        file.write(RGB, photometric="rgb", subifds=1, metadata={"Name": SECRET})
        file.write(RGB[::2, ::2].copy(), photometric="rgb", subfiletype=1)
    data = buffer.getvalue()
    out, audit = cleaned(data)
    assert RGB[::2, ::2].tobytes() in data
    assert RGB[::2, ::2].tobytes() not in out
    assert {"SubIFDs", "ImageDescription"} <= {tag for tag, _, _ in audit}


def test_pages_of_different_sizes_are_refused():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(GREY, metadata=None)
        file.write(GREY[:30], metadata=None)
    with pytest.raises(Rejected) as caught:
        kinds.clean(buffer.getvalue(), Counter())
    assert caught.value.reason == "wrong-shape"


def test_jpeg_tables_and_tiles_are_cleaned():
    buffer = io.BytesIO()
    Image.fromarray(np.tile(RGB, (3, 3, 1))).save(buffer, "JPEG", comment=SECRET, quality=80)
    stream = buffer.getvalue()
    tables = b"\xff\xd8\xff\xfe\0\x0b" + SECRET.encode() + b"\xff\xd9"
    entries = [(256, 4, 90), (257, 4, 120), (259, 3, 7), (262, 3, 6), (277, 3, 3), (278, 4, 120), (279, 4, len(stream))]
    size = 8 + 2 + 12 * (len(entries) + 4) + 4
    raw = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries) + 4)
    entries += [(258, 3, None), (273, 4, size + 6), (347, 7, None), (530, 3, None)]
    for tag, kind, value in sorted(entries):
        count, value = {258: (3, size), 347: (len(tables), size + 6 + len(stream)), 530: (2, 0x00020002)}.get(
            tag, (1, value)
        )
        raw += struct.pack("<HHLL", tag, kind, count, value)
    raw += bytes(4) + struct.pack("<HHH", 8, 8, 8) + stream + tables
    out, _ = cleaned(raw)
    before, after = (np.asarray(Image.open(io.BytesIO(data))) for data in (raw, out))
    assert np.array_equal(before, after)


def tiff_of(stream, compression, photometric):
    """A TIFF file around one strip of RGB."""
    values = {
        256: 30,
        257: 40,
        258: None,
        259: compression,
        262: photometric,
        273: None,
        277: 3,
        278: 40,
        279: len(stream),
    }
    size = 8 + 2 + 12 * len(values) + 4
    raw = b"II*\0\x08\0\0\0" + struct.pack("<H", len(values))
    for tag, value in values.items():
        count, value = {258: (3, size), 273: (1, size + 6)}.get(tag, (1, value))
        raw += struct.pack("<HHLL", tag, 3 if tag in (258, 259, 262, 277) else 4, count, value)
    return raw + bytes(4) + struct.pack("<HHH", 8, 8, 8) + stream


@pytest.mark.parametrize("whole", [False, True])
def test_jpeg_2000_tiles_lose_their_comments(whole):
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG2000", no_jp2=True, comment=SECRET, tile_size=(16, 16), plt=True)
    stream = buffer.getvalue()
    if whole:  # the last tile does not give its length
        at = stream.rindex(b"\xff\x90\0\x0a")
        stream = stream[: at + 6] + bytes(4) + stream[at + 10 :]
    assert SECRET.encode() in stream
    out, audit = cleaned(tiff_of(stream + SECRET.encode(), 33005, 2))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(strips(out)[0]))), RGB)
    assert {"COM", "PLT", "trailing bytes"} <= {tag for tag, _, _ in audit}


@given(data=st.data())
@settings(deadline=None)
def test_damaged_files_are_refused_or_clean(data):
    raw = bytearray(written(GREY, compression=data.draw(st.sampled_from([None, "zlib"]))))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        out, _ = kinds.clean(bytes(raw), Counter())
    except Rejected:
        return
    assert kinds.clean(out, Counter())[0] == out


TAGS = [
    254,
    256,
    258,
    259,
    262,
    266,
    277,
    278,
    282,
    284,
    296,
    317,
    338,
    339,
    1,
    270,
    305,
    330,
    700,
    33550,
    34665,
    50000,
]


@given(tag=st.sampled_from(TAGS), kind=st.integers(1, 18))
@settings(deadline=None, max_examples=150)
def test_no_tag_carries_text(tag, kind):
    """A tag of any type that says it holds forty bytes of text."""
    raw = bytearray(written(GREY))
    at = len(raw)
    widths = {1: 1, 2: 1, 6: 1, 7: 1, 3: 2, 8: 2, 5: 8, 10: 8, 12: 8, 16: 8, 17: 8, 18: 8}
    raw += (SECRET * 5)[:40].encode()
    with tifffile.TiffFile(io.BytesIO(bytes(raw))) as file:
        place = file.pages[0].tags["Software"].offset
    raw[place : place + 12] = struct.pack("<HHLL", tag, kind, 40 // widths.get(kind, 4), at)
    try:
        out, _ = kinds.clean(bytes(raw), Counter())
    except Rejected:
        return
    assert b"Gruen" not in out
    assert b"wald" not in out
    assert np.array_equal(tifffile.imread(io.BytesIO(out)), GREY)


@pytest.mark.parametrize("further", [{"description": "Label"}, {"subfiletype": 1}])
def test_a_label_or_thumbnail_of_the_same_size_goes(further):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(GREY, metadata=None)
        file.write(GREY + 1, metadata=None, **further)
        file.write(GREY + 2, metadata=None)
    out, audit = cleaned(buffer.getvalue())
    assert np.array_equal(tifffile.imread(io.BytesIO(out)), np.stack([GREY, GREY + 2]))
    assert audit["smaller pages, label, macro", "TIFF page", "X"] == 1


def test_a_tag_keeps_as_many_values_as_it_needs():
    extra = [(274, "H", 40, (6, 7) * 20, True)]  # Orientation: one number; more of them would be a bit each
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GREY, extratags=extra, metadata=None)
    out, _ = cleaned(buffer.getvalue())
    with tifffile.TiffFile(io.BytesIO(out)) as file:
        assert file.pages[0].tags["Orientation"].value == 6


def test_a_stack_with_one_directory_does_not_lose_its_planes_in_silence():
    stack, buffer = np.stack([GREY, GREY + 1]), io.BytesIO()
    tifffile.imwrite(buffer, stack, imagej=True)
    assert np.array_equal(tifffile.imread(io.BytesIO(kinds.clean(buffer.getvalue(), Counter())[0])), stack)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, stack, imagej=True, truncate=True)
    with pytest.raises(Rejected, match="ImageJ"):
        kinds.clean(buffer.getvalue(), Counter())
