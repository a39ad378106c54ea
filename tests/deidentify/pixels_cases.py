"""Pictures with text drawn into them: fonts of several kinds over simulated and given backgrounds."""

import string
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

_NAMES = ["DOE^JANE", "Müller, Anna", "SMITH JOHN A", "O'Brien Mary", "García López", "NGUYEN THI", "Kowalski J."]
_WORDS = ["ID", "DOB", "MRN:", "Acc#", "Study", "General Hospital", "Pat.", "PORTABLE", "Ref. Dr."]
_TURNS = {0: 0, 90: 1, 180: 2, 270: 3}


@dataclass
class Line:
    """One line of text: where it lies, and how it was drawn."""

    text: str
    height: int  # of a capital letter, pixels
    contrast: float  # share of the range of 255
    legible: bool  # the text stands out of its surroundings' spread
    style: str
    turn: int
    ink: np.ndarray  # bool, (y, x) of the whole image


@dataclass
class Picture:
    """uint8, (y, x) or (y, x, 3), and the lines in it."""

    image: np.ndarray
    lines: list[Line] = field(default_factory=list)


def words(rng: np.random.Generator) -> str:
    """A line such as devices write: a name, a date, a number."""
    day = f"{rng.integers(1, 29):02}{rng.integers(1, 13):02}{rng.integers(1920, 2020)}"
    day = [day, f"{day[:2]}/{day[2:4]}/{day[4:]}", f"{day[4:]}-{day[2:4]}-{day[:2]}", f"{day[:2]}.{day[2:4]}.{day[4:]}"]
    number = "".join(rng.choice(list(string.digits), rng.integers(6, 11)))
    parts = [str(rng.choice(_NAMES)), str(rng.choice(day)), number, f"{rng.choice(_WORDS)} {number}"]
    return str(rng.choice(parts)) if rng.random() < 0.7 else f"{rng.choice(parts[:1])} {rng.choice(parts[1:3])}"


@cache
def _fonts() -> list[str]:
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return [
        str(folder / f"{name}.ttf")
        for name in ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "STIXGeneral", "STIXGeneralBol",
                     "cmss10", "cmtt10")
    ]  # fmt: skip


FITTED_STYLES = ("default", "bitmap", "strokes", *(f"font-{i}" for i in range(6)))
HELD_OUT_STYLES = ("font-6", "font-7")  # a sans serif and a typewriter's
STYLES = (*FITTED_STYLES, *HELD_OUT_STYLES)

# Letters as polylines on a grid of 4 x 6, as plotters and old consoles draw them (baseline at 6).
_POLYLINES = {
    "A": "06,20,46 14,34", "B": "06,00,30,41,42,33,03 33,44,45,36,06", "C": "41,30,10,01,05,16,36,45",
    "D": "06,00,30,41,45,36,06", "E": "40,00,06,46 03,33", "F": "40,00,06 03,33", "G": "41,30,10,01,05,16,36,45,43,23",
    "H": "00,06 40,46 03,43", "I": "20,26", "J": "40,45,36,16,05", "K": "00,06 40,03,46", "L": "00,06,46",
    "M": "06,00,23,40,46", "N": "06,00,46,40", "O": "10,30,41,45,36,16,05,01,10", "P": "06,00,30,41,42,33,03",
    "R": "06,00,30,41,42,33,03 23,46", "S": "41,30,10,01,02,13,33,44,45,36,16,05", "T": "00,40 20,26",
    "U": "00,05,16,36,45,40", "V": "00,26,40", "W": "00,16,23,36,40", "X": "00,46 40,06", "Y": "00,23,40 23,26",
    "Z": "00,40,06,46", "0": "10,30,41,45,36,16,05,01,10", "1": "11,20,26 16,36", "2": "01,10,30,41,42,06,46",
    "3": "01,10,30,41,42,33,13 33,44,45,36,16,05", "4": "36,30,04,44", "5": "40,00,03,33,44,45,36,06",
    "6": "41,30,10,01,05,16,36,45,44,33,13,04", "7": "00,40,16",
    "9": "05,16,36,45,41,30,10,01,02,13,33,42", "/": "06,40", "-": "13,33", ".": "25,26", ",": "25,17", "'": "20,22",
    "8": "13,02,01,10,30,41,42,33,13,04,05,16,36,45,44,33", ":": "22,23 25,26", "^": "02,20,42",
    "#": "11,16 31,36 03,43 04,44",
}  # fmt: skip


def ink(text: str, height: int, style: str) -> np.ndarray:
    """Cover of each pixel by a line of text, 0 to 1, (y, x), cut to its edges; capitals are `height` pixels high."""
    if style == "strokes":
        step, wide = height / 6, max(1, round(height / 14))
        text = "".join(letter for letter in text.upper() if letter in _POLYLINES or letter == " ")
        image = Image.new("L", (int((len(text) + 1) * step * 6) + 8, int(step * 9) + 8))
        draw = ImageDraw.Draw(image)
        for place, letter in enumerate(text):
            for line in _POLYLINES.get(letter, "").split():
                points = [(4 + (place * 6 + int(p[0])) * step, 4 + int(p[1]) * step) for p in line.split(",")]
                draw.line(points, fill=255, width=wide)
    elif style == "bitmap":  # one font of 8 pixels, enlarged without smoothing
        font = ImageFont.load_default_imagefont()
        image = Image.new("L", (len(text) * 8 + 8, 20))
        ImageDraw.Draw(image).text((2, 2), text.encode("latin-1", "replace"), font=font, fill=255)
        scale = max(1, round(height / 8))
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    else:
        path = None if style == "default" else _fonts()[int(style[-1])]
        size = max(round(height / 0.72), 5)
        font = ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
        image = Image.new("L", (len(text) * size + 20, size * 3))
        ImageDraw.Draw(image).text((5, size // 2), text, font=font, fill=255)
    cover = np.asarray(image, np.float32) / 255
    rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
    return cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def background(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """uint8, (y, x): flat, gradient, noise, speckle (ultrasound), flow (on it), ribs (x-ray), head (CT)."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / np.array(shape)[:, None, None]
    if kind == "flat":
        out = np.full(shape, rng.choice([0, 0, 20, 128, 255]), float)
    elif kind == "gradient":
        out = 255 * (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) + rng.uniform(60, 200)
    elif kind == "noise":
        out = rng.normal(rng.uniform(40, 160), rng.uniform(2, 12) if rng.random() < 0.6 else rng.uniform(12, 45), shape)
    elif kind == "speckle":
        field_ = [ndimage.gaussian_filter(rng.normal(size=shape), (1.2, 2.5)) for _ in range(2)]
        sector = (np.hypot(x - 0.5, y) < 0.9) & (np.abs(x - 0.5) < 0.15 + 0.5 * y)
        echo = ndimage.gaussian_filter(rng.normal(size=shape), 30)
        out = np.hypot(*field_) * 330 * (0.4 + np.clip(echo / echo.std() * 0.25 + 0.3, 0, 1)) * sector
    elif kind == "flow":
        out = background("speckle", shape, rng) * 0.5
        wide = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(2, 6, 2))
        level = rng.uniform(0.8, 2) * wide.std()
        shown = (wide > level) & (np.abs(x - 0.5) < 0.35) & (np.abs(y - 0.5) < 0.3)
        out = np.where(shown, rng.uniform(80, 200) + 60 * (wide - level) / wide.std(), out)
    elif kind == "ribs":
        out = 90 + 90 * np.exp(-(((x - 0.5) / 0.12) ** 2)) + 40 * y
        for centre in np.arange(0.1, 1, 0.11):
            out += 25 / (1 + np.exp((np.abs(y - centre - 0.25 * (x - 0.5) ** 2 * 4) - 0.018) * 250))
        out = ndimage.gaussian_filter(out, 1) + rng.normal(0, 3, shape)
    elif kind == "head":
        radius = np.hypot((x - 0.5) / 0.36, (y - 0.5) / 0.44)
        out = 105.0 * (radius < 1) + 150 * ((radius > 0.93) & (radius < 1))
        out += 25 * ndimage.gaussian_filter(rng.normal(size=shape), 6) / 0.05 * (radius < 0.9) * 0.3
        out = ndimage.gaussian_filter(out, 0.7) + rng.normal(0, 5, shape) * (radius < 1)
    else:
        raise ValueError(kind)
    return out.clip(0, 255).astype(np.uint8)


BACKGROUNDS = ("flat", "gradient", "noise", "speckle", "flow", "ribs", "head")


def write(
    picture: Picture,
    text: str,
    rng: np.random.Generator,
    *,
    height: int,
    contrast: float = 1.0,
    style: str = "default",
    turn: int = 0,
    finish: str = "plain",
    colour: tuple[float, float, float] | None = None,
    at: tuple[int, int] | None = None,
) -> Line | None:
    """Draw a line of text; None where no free place is found.

    Args:
        height: of capitals, pixels.
        contrast: between text and the mean of what it stands on, share of 255; the side with room is taken.
        finish: plain, outline (of the opposite shade), shadow, box (behind it) or blurred (as after interpolation).
        colour: share of each channel, for pictures with three.
        at: y, x of its upper left corner; None: anywhere free.
    """
    cover = np.rot90(ink(text, height, style), _TURNS[turn])
    h, w = cover.shape
    image = picture.image
    taken = np.zeros(image.shape[:2], bool)
    for line in picture.lines:
        taken |= ndimage.binary_dilation(line.ink, iterations=3)
    margin = 4
    for _ in range(30):
        if h + 2 * margin >= image.shape[0] or w + 2 * margin >= image.shape[1]:
            return None
        y, x = at or (
            rng.integers(margin, image.shape[0] - h - margin),
            rng.integers(margin, image.shape[1] - w - margin),
        )
        room = np.s_[y - margin : y + h + margin, x - margin : x + w + margin]
        if not taken[room].any():
            break
    else:
        return None
    below = image[room].astype(np.float32).reshape(-1, 1 if image.ndim == 2 else 3).mean(1)
    mean, spread = float(below.mean()), float(below.std())
    step = 255 * contrast
    up = mean + step <= 262 if mean - step < -7 or rng.random() < 0.7 else False
    if contrast == 1:
        up = mean < 128 if rng.random() < 0.9 or finish == "plain" else mean >= 128
    value = np.clip(mean + step if up else mean - step, 0, 255)
    inner = np.s_[y : y + h, x : x + w]
    patch = image[inner].astype(np.float32)
    ground = 0 if up else 255
    if finish == "box":
        outer = image[room].astype(np.float32)
        outer[:] = np.clip(value - step if up else value + step, 0, 255)
        image[room] = outer.astype(np.uint8)
        patch, spread = image[inner].astype(np.float32), 0.0
    elif finish in ("outline", "shadow"):
        wide = np.pad(cover, margin)
        around = ndimage.maximum_filter(wide, 3) if finish == "outline" else np.roll(wide, (1, 1), (0, 1))
        around = around if image.ndim == 2 else around[..., None]
        outer = image[room].astype(np.float32)
        image[room] = (outer * (1 - around) + ground * around).astype(np.uint8)
        patch = image[inner].astype(np.float32)
    elif finish == "blurred":
        cover = ndimage.gaussian_filter(cover, 0.6)
    alpha = cover if image.ndim == 2 else cover[..., None]
    shade = value if colour is None or image.ndim == 2 else value * np.array(colour, np.float32)
    image[inner] = (patch * (1 - alpha) + shade * alpha).round().astype(np.uint8)
    mask = np.zeros(image.shape[:2], bool)
    mask[inner] = cover > 0.3
    actual = abs(value - mean) / 255
    line = Line(text, height, round(actual, 3), abs(value - mean) > 3 * spread, f"{style} {finish}", turn, mask)
    picture.lines.append(line)
    return line


def covered(line: Line, boxes: list) -> float:
    """Share of a line's ink that lies within boxes."""
    left = line.ink.copy()
    for box in boxes:
        left[box.y0 : box.y1, box.x0 : box.x1] = False
    return 1 - left.sum() / line.ink.sum()
