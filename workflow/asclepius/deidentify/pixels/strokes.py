"""Text burned into pixels, found by its strokes: thin, sharp, of one shade, standing in rows.

Every other step works on pieces that stand out from what surrounds them at some threshold, at several scales, bright
or dark, in rows or columns; a small network weighs what is measured of each row (`tests/deidentify/pixels_fit.py`
fits it on text drawn over anatomy). It is tuned to find rather than to spare: what looks like a line of text counts.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources

import numpy as np

from asclepius.deidentify.pixels import glyphs
from asclepius.deidentify.pixels.boxes import Box, merged
from asclepius.deidentify.pixels.lines import TRAITS, integral, rows

THRESHOLDS = (12, 20, 32, 50, 80, 130)
INPUTS = (*TRAITS, "scale", "threshold")
_SURE, _NEAR = 4.5, 3.0  # log odds of a line by itself, and of one that fits a sure line beside it
# Log odds of a line that certainly goes on as far as there is anything like letters, and of that; gap in heights.
_CERTAIN, _FAINT, _GAP = 7.0, -2.0, 2.0
_ROUNDS = 8
_ALIKE = 0.35  # logarithm of the ratio of two heights in a line
_FEWEST_LETTERS = 1.8
# Pixels of each scale: a letter. High ones of thin strokes are found at full size; coarser, whole words look like one.
_HIGHEST = (72, 36, 24, 20)
_NEVER_TOO_HIGH = 40  # pixels: a letter; in larger images also an eighth of the side
_SMALLEST = 24  # pixels: an image's side at the coarsest scale
_COARSE = 1500  # pixels: sides from which letters may be higher than 90


@dataclass
class Candidates:
    """Rows of pieces of an image, one element per row.

    Args:
        frame: (row, (y0, x0, y1, x1)), pixels of the image.
        inputs: (row, input) for the network, see INPUTS.
        height: of the letters, pixels.
        turned: letters stand one above the other.
    """

    frame: np.ndarray
    inputs: np.ndarray
    height: np.ndarray
    turned: np.ndarray


def find_text(image: np.ndarray) -> list[Box]:
    """Frames of all text in an image, a little wider than the text.

    Args:
        image: uint8, (y, x) or (y, x, 3).

    Raises:
        ValueError: another type or shape.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(f"uint8 of shape (y, x) or (y, x, 3) is needed, not {image.dtype} of shape {image.shape}")
    found = [part for plane in _planes(image) for part in [candidates(plane)] if len(part.frame)]
    if not found:
        return []
    frame, height, turned, odds = (
        np.concatenate(parts)
        for parts in zip(
            *((part.frame, part.height, part.turned, log_odds(part.inputs)) for part in found), strict=True
        )
    )
    chosen = _continued(_with_context(frame, height, turned, odds), frame, height, turned, odds)
    boxes = []
    for (y0, x0, y1, x1), high, upright in zip(frame[chosen], height[chosen], ~turned[chosen], strict=True):
        along, across = 2 + int(high), 2 + int(min(0.3 * high, 6 + 0.1 * high))
        dx, dy = (along, across) if upright else (across, along)
        boxes.append(Box(max(x0 - dx, 0), max(y0 - dy, 0), min(x1 + dx, image.shape[1]), min(y1 + dy, image.shape[0])))
    return merged(Box(*map(int, box)) for box in boxes)


def candidates(plane: np.ndarray) -> Candidates:
    """Rows of pieces at all scales, shades and directions; plane: uint8, (y, x)."""
    parts = []
    for scale, small in enumerate(_scales(plane)):
        highest = min(_HIGHEST[scale], max(min(plane.shape) // 8, _NEVER_TOO_HIGH) >> scale)
        gradient = glyphs.steps(small)
        for shade in (small, 255 - small):
            strokes = glyphs.contrast(shade)
            sums = cache(partial(integral, strokes))
            for threshold in THRESHOLDS:
                pieces = glyphs.pieces(shade, strokes, gradient, threshold)
                for turned in (False, True):
                    lines = rows(*((pieces.turned(), _across(sums)) if turned else (pieces, sums)), highest)
                    kept = np.exp(lines.traits[:, 1]) >= _FEWEST_LETTERS
                    frame = lines.frame[kept] << scale
                    traits = lines.traits[kept]
                    extra = np.broadcast_to([min(scale, 2), np.log(threshold)], (len(traits), 2))
                    parts.append(
                        (
                            frame[:, [1, 0, 3, 2]] if turned else frame,
                            np.hstack([traits, extra]),
                            lines.height[kept] * 2**scale,
                            np.full(len(traits), turned),
                        )
                    )
    return Candidates(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _across(sums: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
    return lambda: sums().T


def log_odds(inputs: np.ndarray) -> np.ndarray:
    """How likely each row is text, by the fitted network."""
    values = inputs
    layers = _network()
    for number, (weights, bias) in enumerate(layers):
        values = values @ weights + bias
        if number < len(layers) - 1:
            values = np.maximum(values, 0)
    return values[:, 0]


@cache
def _network() -> list[tuple[np.ndarray, np.ndarray]]:
    text = resources.files(__package__).joinpath("strokes.json").read_text()
    return [(np.array(layer["weights"]), np.array(layer["bias"])) for layer in json.loads(text)["layers"]]


def _planes(image: np.ndarray) -> Iterator[np.ndarray]:
    """Brightest and darkest channel and the colour between them; one plane if all channels are the same."""
    if image.ndim == 2:
        yield image
        return
    high, low = image.max(axis=2), image.min(axis=2)
    yield high
    if (high != low).any():
        yield low
        yield high - low


def _scales(plane: np.ndarray) -> Iterator[np.ndarray]:
    """The plane, and by halves smaller ones for thicker strokes."""
    for _ in range(4 if min(plane.shape) >= _COARSE else 3):
        yield plane
        y, x = plane.shape[0] // 2, plane.shape[1] // 2
        if min(y, x) < _SMALLEST:
            return
        even, odd = (plane[row : 2 * y : 2, : 2 * x].astype(np.uint16) for row in (0, 1))
        rows_of_two = even + odd
        plane = ((rows_of_two[:, ::2] + rows_of_two[:, 1::2] + 2) >> 2).astype(np.uint8)


def _with_context(frame: np.ndarray, height: np.ndarray, turned: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Sure lines, and likely ones of their height that continue them or stand above or below."""
    sure = odds > _SURE
    chosen = sure.copy()
    likely = np.flatnonzero((odds > _NEAR) & ~sure)
    if not len(likely) or not sure.any():
        return chosen
    # Many rows stand for the same line: distinct ones are enough.
    of = np.unique(np.column_stack([frame[sure], height[sure].round().astype(int), turned[sure]]), axis=0)
    for row in likely:
        same = of[(of[:, 5] == turned[row]) & (np.abs(np.log(of[:, 4] / height[row])) < _ALIKE)]
        if turned[row]:
            same = same[:, [1, 0, 3, 2, 4, 5]]
        y0, x0, y1, x1 = frame[row][[1, 0, 3, 2]] if turned[row] else frame[row]
        overlap = np.minimum(y1, same[:, 2]) - np.maximum(y0, same[:, 0])
        beside = np.maximum(same[:, 1] - x1, x0 - same[:, 3])
        above = np.maximum(same[:, 0] - y1, y0 - same[:, 2])
        chosen[row] = bool(
            (
                ((overlap > 0.6 * height[row]) & (beside < 12 * height[row]))
                | ((above < 1.5 * height[row]) & (beside < 0))
            ).any()
        )
    return chosen


def _continued(
    chosen: np.ndarray, frame: np.ndarray, height: np.ndarray, turned: np.ndarray, odds: np.ndarray
) -> np.ndarray:
    """What was chosen, and faint rows that go on where a certain line seems to end: anatomy swallows single letters."""
    grown = chosen & (odds > _CERTAIN)
    along = np.where(turned[:, None], frame[:, [1, 0, 3, 2]], frame)
    for _ in range(_ROUNDS):
        left = np.flatnonzero((odds > _FAINT) & ~grown)
        lines = np.unique(np.column_stack([along[grown], height[grown].round().astype(int), turned[grown]]), axis=0)
        more = np.zeros(len(left), bool)
        y0, x0, y1, x1 = along[left].T
        for top, first, bottom, last, high, sideways in lines:
            overlap = np.minimum(bottom, y1) - np.maximum(top, y0)
            beside = np.maximum(first - x1, x0 - last)
            more |= (
                (turned[left] == sideways)
                & (np.abs(np.log(height[left] / high)) < _ALIKE)
                & (overlap > 0.6 * high)
                & (beside < _GAP * high)
            )
        if not more.any():
            break
        grown[left[more]] = True
    return chosen | grown
