"""Formats with metadata in many corners (TIFF, BMP, GIF and others): pixels are read and written anew."""

from collections import Counter
from io import BytesIO

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from asclepius.errors import Rejected

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_KEPT_TIFF = frozenset({"uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64", "bool"})
_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})  # those that PNG holds exactly


def tiff(data: bytes, audit: Counter[tuple[str, str, str]]) -> bytes:
    """The first picture, or all pages if they are alike, as an uncompressed TIFF with no tag but the needed ones.

    Raises:
        Rejected: it cannot be decoded, or reads differently after writing.
    """
    try:
        with tifffile.TiffFile(BytesIO(data)) as file:
            series = file.series[0]
            page = series.keyframe
            tags = {tag.name: tag.value for tag in page.tags}
            options = {
                "photometric": page.photometric.name.lower(),
                "planarconfig": page.planarconfig.name.lower() if page.samplesperpixel > 1 else None,
                "colormap": page.colormap,
                "extrasamples": [sample.name.lower() for sample in page.extrasamples] or None,
            }
            pages = [_pixels(data, i, file.pages[i]) for i in range(len(series.pages))]
    except Rejected:
        raise
    except Exception:  # tifffile raises nearly anything for a damaged file
        raise Rejected(*_damaged(data)) from None
    if options["photometric"] == "ycbcr":  # JPEG inside TIFF is decoded to RGB
        options["photometric"] = "rgb"
    options = {name: value for name, value in options.items() if value is not None}
    up = int(tags.get("Orientation", 1) or 1)
    if pages[0].dtype.name not in _KEPT_TIFF or any(page.shape != pages[0].shape for page in pages):
        raise Rejected("undecodable", "a TIFF file with pages or pixels of a kind that is not supported")
    extra = [(274, "H", 1, up, True)] if up != 1 else []
    array = np.stack(pages) if len(pages) > 1 else pages[0]
    buffer = BytesIO()
    try:
        tifffile.imwrite(
            buffer, array, metadata=None, software=False, datetime=None, description=None, extratags=extra, **options
        )
        same = np.array_equal(tifffile.imread(BytesIO(buffer.getvalue())).reshape(array.shape), array, equal_nan=True)
    except Exception:  # as above
        raise Rejected("undecodable", "the TIFF file's pixels cannot be written anew") from None
    if not same:
        raise Rejected("undecodable", "the TIFF file's pixels changed when written anew")
    for name in sorted(set(tags) & _TELLING):
        audit[name, "TIFF tag", "X"] += 1
    return buffer.getvalue()


_TELLING_TEXT = """
ImageDescription DocumentName PageName Make Model Software DateTime Artist HostComputer Copyright XMP
IPTCNewsPhoto Photoshop ImageJMetadata ExifTag GPSTag InterColorProfile OME UserComment ImageID
"""
_TELLING = frozenset(_TELLING_TEXT.split())


def _pixels(data: bytes, number: int, page: tifffile.TiffPage) -> np.ndarray:
    try:
        return page.asarray()
    except ValueError:  # a compression that tifffile has no decoder for
        with Image.open(BytesIO(data)) as image:
            image.seek(number)
            array = np.asarray(image)
    if array.shape[:2] != page.shape[:2]:
        raise Rejected("undecodable", "a TIFF file with a compression that is not supported")
    return array


def other(data: bytes, audit: Counter[tuple[str, str, str]]) -> bytes:
    """BMP, GIF, PGM and whatever else Pillow reads without loss, as PNG.

    Raises:
        Rejected: no picture, an animation, or pixels that PNG does not hold.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise Rejected("wrong-shape", "an animation; give one file per picture")
            image.load()
            kind, mode, transparency = image.format, image.mode, image.info.get("transparency")
            plain = Image.frombytes(mode, image.size, image.tobytes())
            if mode == "P":
                plain.putpalette(image.getpalette("RGBA"), "RGBA")
    except UnidentifiedImageError:
        raise Rejected("unreadable", "not a picture in a known format") from None
    except Rejected:
        raise
    except Exception:  # Pillow raises nearly anything for a damaged file
        raise Rejected(*_damaged(data)) from None
    if mode not in _MODES:
        raise Rejected("undecodable", f"a {kind} picture with {mode} pixels; convert it to PNG or TIFF")
    buffer = BytesIO()
    plain.save(buffer, "PNG", **({"transparency": transparency} if transparency is not None else {}))
    with Image.open(BytesIO(buffer.getvalue())) as written:
        if not np.array_equal(np.asarray(written.convert("RGBA")), np.asarray(plain.convert("RGBA"))):
            raise Rejected("undecodable", f"the {kind} picture's pixels changed when written as PNG")
    audit["metadata", f"{kind} file", "X"] += 1
    return buffer.getvalue()


def _damaged(data: bytes) -> tuple[str, str]:
    """A picture's file that a library gave up on: BMP and TIFF say how long they should be."""
    if data[:2] == b"BM" and int.from_bytes(data[2:6], "little") > len(data):
        return "truncated", "the BMP file ends too early"
    return "undecodable", "the picture is damaged or cut short"
