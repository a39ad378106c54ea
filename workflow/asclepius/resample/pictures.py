"""PNG, JPEG, TIFF and other pictures to flat scans."""

import io
import warnings

import numpy as np
import tifffile
from PIL import Image, ImageOps, UnidentifiedImageError

from asclepius.errors import Rejected
from asclepius.resample.geometry import Grid
from asclepius.resample.scan import Scan

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION = 0x0112  # EXIF; from 5 on rows and columns change places
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296  # TIFF tags; units 2 inch, 3 cm
MEASURED = (2.5, 2.6e6)  # dots per inch: pixels of 10 mm to 10 nm
# Dots per inch of screens, printers and film scanners' dialogues.
HABITS = (72, 75, 90, 96, 100, 120, 144, 150, 180, 200, 220, 240, 250, 300, 350, 360, 400, 600, 720, 800, 1200, 2400)
BITS = 258  # TIFF tag, bits per sample
PHOTOMETRIC = 262  # TIFF tag; 0 means that the lowest value is white


def read(data: bytes) -> Scan:
    """A picture as it is meant to be seen: turned as EXIF says, palette resolved, transparency over black.

    Grey stays one channel, in 8 or 16 bits or floats. The spacing is known where PNG or TIFF tell a resolution that
    was measured: one of those that programs write by habit for screens and print says nothing.

    Raises:
        Rejected: "empty", "truncated", "unreadable", "undecodable" or "wrong-shape" (several pages).
    """
    notes: list[str] = []
    pixels = _open(data, notes, colours=True)
    grid = Grid.of_pixels((1, *pixels.shape[:2]), flat=True, spacing=_spacing(data))
    return Scan(pixels[None], grid, grid, notes)


def read_mask(data: bytes) -> Scan:
    """A picture whose values are class numbers: a palette's indices, not its colours."""
    pixels = _open(data, [], colours=False).max(axis=-1, keepdims=True)
    grid = Grid.of_pixels((1, *pixels.shape[:2]), flat=True)
    return Scan(pixels[None], grid, grid)


def read_grid(data: bytes) -> Grid:
    """The grid of a picture, its pixels left undecoded where Pillow knows its kind.

    Raises:
        Rejected: as `read`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
            size = image.size if _is_turned(image) else image.size[::-1]
            return Grid.of_pixels((1, *size), flat=True, spacing=_spacing(data))
    except Exception:  # damaged, or a kind that another library reads
        return read(data).grid


def _spacing(data: bytes) -> tuple[float, float] | None:
    """(y, x) in mm, if the header tells a resolution that is not one of habit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
            if image.format == "TIFF":
                inch = {2: 1.0, 3: 2.54}[image.tag_v2.get(RESOLUTION_UNIT, 2)]
                x, y = (float(image.tag_v2[tag]) * inch for tag in (X_RESOLUTION, Y_RESOLUTION))
            elif image.format == "PNG":
                x, y = image.info["dpi"]  # there only if the unit is the metre
            else:  # JPEG's density is written by habit
                return None
            turned = _is_turned(image)
    except (KeyError, ValueError, TypeError, ZeroDivisionError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    if not all(
        MEASURED[0] < dots < MEASURED[1] and min(abs(dots - habit) for habit in HABITS) > 0.5 for dots in (x, y)
    ):
        return None
    return (25.4 / x, 25.4 / y) if turned else (25.4 / y, 25.4 / x)


def _is_turned(image: Image.Image) -> bool:
    """Whether rows and columns change places to show the picture as it is meant."""
    return image.getexif().get(ORIENTATION, 1) >= 5


def _open(data: bytes, notes: list[str], colours: bool) -> np.ndarray:
    """(y, x, channel)."""
    if not data:
        raise Rejected("empty", "the file is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data))
            if getattr(image, "n_frames", 1) > 1:
                raise Rejected(
                    "wrong-shape", f"{image.n_frames} pages or frames in one file; export one image per file"
                )
            inverted = image.mode.startswith("I;16") and image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == 0
            image.load()
            if _is_deep_colour(image, data):  # Pillow halves its bits without a word
                if image.format == "TIFF" and colours:
                    return _tiff(data)
                notes.append("16-bit colour read as 8-bit")
            if inverted:
                return 65535 - _array(ImageOps.exif_transpose(image))
            return _array(_plain(ImageOps.exif_transpose(image), colours))
        except UnidentifiedImageError:
            if data[:4] in TIFF:
                return _tiff(data)
            raise Rejected("unreadable", "not a picture of a known format") from None
        except Image.DecompressionBombError:
            raise Rejected("wrong-shape", "more than 178 million pixels; export a smaller picture") from None
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            if "truncated" in str(error).lower():
                raise Rejected("truncated", "the picture's data end early; copy it again") from None
            raise Rejected(
                "undecodable", f"the picture's data are damaged ({type(error).__name__}); export it again"
            ) from None


def _is_deep_colour(image: Image.Image, data: bytes) -> bool:
    if image.mode not in ("RGB", "RGBA"):
        return False
    return (image.format == "PNG" and data[24] == 16) or (
        image.format == "TIFF" and max(image.tag_v2.get(BITS, (8,))) == 16
    )


def _plain(image: Image.Image, colours: bool) -> Image.Image:
    """A mode without palette, transparency or exotic colours."""
    if image.mode in ("L", "RGB", "F", "I") or image.mode.startswith("I;16"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "P" and not colours:
        return image
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        flattened = Image.alpha_composite(black, image.convert("RGBA"))
        return flattened.convert("L" if image.mode in ("LA", "La") else "RGB")
    return image.convert("RGB")


def _array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array[..., None] if array.ndim == 2 else array


def _tiff(data: bytes) -> np.ndarray:
    """TIFF that Pillow does not know, such as 16-bit colour."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            if len(file.pages) > 1:
                raise Rejected("wrong-shape", f"{len(file.pages)} pages in one file; export one image per file")
            page = file.pages[0]
            array, axes = page.asarray(), page.axes
    except Rejected:
        raise
    except Exception as error:  # tifffile raises anything on damaged files
        raise Rejected(
            "undecodable", f"this kind of TIFF cannot be read ({type(error).__name__}); export it as PNG"
        ) from None
    if "S" in axes:
        array = np.moveaxis(array, axes.index("S"), -1)
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4):
        raise Rejected("wrong-shape", f"a TIFF of axes {axes} is neither grey nor colour; export it as PNG")
    if array.shape[-1] == 4:
        top = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1.0
        array = (array[..., :3] * (array[..., 3:] / top)).astype(array.dtype)
    return array
