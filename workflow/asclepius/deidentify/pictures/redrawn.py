"""Formats with metadata in many corners (BMP, GIF, WebP, odd TIFF files): pixels are read and written anew."""

from collections import Counter
from io import BytesIO

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from asclepius.deidentify.pictures import exif, png
from asclepius.deidentify.pictures.pieces import Pieces
from asclepius.errors import Rejected

_KEPT_TIFF = frozenset({"uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64", "bool"})
_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})  # those that PNG holds exactly
# Not among them: formats that start another program (EPS), and those that are told by their name alone.
_FORMATS = ("BMP", "DIB", "GIF", "PPM", "WEBP", "JPEG2000", "AVIF", "PCX", "SGI")
_TIFF_MODES = {"RGB": "rgb", "RGBA": "rgb", "CMYK": "separated"}
_ORIENTATION = 0x0112


def tiff(data: bytes, numbers: list[int]) -> bytes:
    """Pages of a TIFF file, decoded and written uncompressed.

    Raises:
        Rejected: they cannot be decoded, or read differently after writing.
    """
    try:
        with tifffile.TiffFile(BytesIO(data)) as file:
            pages = [file.pages[number] for number in numbers]
            up = int(getattr(pages[0].tags.get("Orientation"), "value", 1) or 1)
            arrays, options = [], {}
            for number, page in zip(numbers, pages, strict=True):
                array, options = _pixels(data, number, page)
                arrays.append(array)
    except Rejected:
        raise
    except Exception:  # tifffile raises nearly anything for a damaged file
        raise Rejected("undecodable", "the picture is damaged, cut short or of an unsupported compression") from None
    if (
        not arrays[0].size
        or arrays[0].dtype.name not in _KEPT_TIFF
        or any(array.shape != arrays[0].shape for array in arrays)
    ):
        raise Rejected("undecodable", "a TIFF file with pages or pixels of a kind that is not supported")
    extra = [(274, "H", 1, up, True)] if 2 <= up <= 8 else []
    array = np.stack(arrays) if len(arrays) > 1 else arrays[0]
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
    return buffer.getvalue()


def values(data: bytes, number: int) -> frozenset[int]:
    """All pixel values of one page of a TIFF file.

    Raises:
        Rejected: it cannot be decoded.
    """
    try:
        with tifffile.TiffFile(BytesIO(data)) as file:
            array, _ = _pixels(data, number, file.pages[number])
    except Exception:  # as above
        raise Rejected("undecodable", "the picture is damaged, cut short or of an unsupported compression") from None
    return frozenset(np.unique(array).tolist())


def _pixels(data: bytes, number: int, page: tifffile.TiffPage) -> tuple[np.ndarray, dict[str, object]]:
    """A page's pixels and how they are to be written."""
    try:
        options = {
            "photometric": "rgb" if page.photometric.name == "YCBCR" else page.photometric.name.lower(),
            "planarconfig": page.planarconfig.name.lower() if page.samplesperpixel > 1 else None,
            "colormap": page.colormap,
            "extrasamples": [sample.name.lower() for sample in page.extrasamples] or None,
        }
        return page.asarray(), {name: value for name, value in options.items() if value is not None}
    except ValueError:  # a compression that tifffile has no decoder for
        with Image.open(BytesIO(data), formats=["TIFF"]) as image:
            image.seek(number)
            array, mode = np.asarray(image), image.mode
            palette = image.getpalette("RGB") if mode == "P" else None
    if array.shape[:2] != page.shape[:2]:
        raise Rejected("undecodable", "a TIFF file with a compression that is not supported")
    if palette:
        colours = np.zeros((256, 3), np.uint16)
        colours[: len(palette) // 3] = np.reshape(palette, (-1, 3))
        return array, {"photometric": "palette", "colormap": colours.T * 257}
    # Pillow turns white-is-zero into black-is-zero.
    return array, {"photometric": _TIFF_MODES.get(mode, "minisblack")}


def clean(data: bytes, audit: Counter[tuple[str, str, str]]) -> Pieces:
    """BMP, GIF, PGM, WebP, JPEG 2000 and whatever else Pillow reads, as PNG.

    Raises:
        Rejected: no picture, an animation, or pixels that PNG does not hold.
    """
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise Rejected("wrong-shape", "an animation; give one file per picture")
            image.load()
            kind, mode, transparency = image.format, image.mode, image.info.get("transparency")
            up = image.getexif().get(_ORIENTATION, 1)
            plain = Image.frombytes(mode, image.size, image.tobytes())
            if mode == "P":
                plain.putpalette(image.getpalette("RGBA"), "RGBA")
    except UnidentifiedImageError:
        raise Rejected("unreadable", "not a picture in a known format") from None
    except Rejected:
        raise
    except Exception:  # Pillow raises nearly anything for a damaged file
        raise Rejected(*_damaged(data)) from None
    if mode == "I":
        array = np.asarray(plain)
        if array.min() >= 0 and array.max() < 1 << 16:
            plain, mode = Image.fromarray(array.astype(np.uint16)), "I;16"
    if mode not in _MODES:
        raise Rejected("undecodable", f"a {kind} picture with {mode} pixels; convert it to PNG or TIFF")
    options = {"transparency": transparency} if transparency is not None else {}
    if isinstance(up, int) and 2 <= up <= 8:
        options["exif"] = exif.block(up)
    buffer = BytesIO()
    plain.save(buffer, "PNG", **options)
    out = png.clean(buffer.getvalue(), Counter())
    with Image.open(BytesIO(out.join())) as written:
        if not np.array_equal(_seen(written), _seen(plain)):
            raise Rejected("undecodable", f"the {kind} picture's pixels changed when written as PNG")
    audit["metadata", f"{kind} file", "X"] += 1
    return out


def _seen(image: Image.Image) -> np.ndarray:
    """Colours as they appear; RGBA has 8 bits, too few for "I;16"."""
    return np.asarray(image if image.mode == "I;16" else image.convert("RGBA"))


def _damaged(data: bytes) -> tuple[str, str]:
    """A picture's file that Pillow gave up on: BMP says how long it should be."""
    if data[:2] == b"BM" and int.from_bytes(data[2:6], "little") > len(data):
        return "truncated", "the BMP file ends too early"
    return "undecodable", "the picture is damaged, cut short or too large"
