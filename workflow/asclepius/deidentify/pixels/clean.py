"""One image without text: blanked where devices write, outside ultrasound regions, and where text is seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset
from scipy import ndimage

from asclepius.deidentify.pixels.boxes import Box, merged, painted
from asclepius.deidentify.pixels.display import views
from asclepius.deidentify.pixels.policy import boxes_by_device
from asclepius.deidentify.pixels.raster import Raster, Written
from asclepius.deidentify.pixels.reading import read_words
from asclepius.deidentify.pixels.strokes import find_text
from asclepius.errors import Rejected

ALL = -1  # frames
_ROUNDS = 3
_MOST = 0.4  # of the picture: more is not text, or nothing remains
_LEAST_REGION = 0.2  # of the image: ultrasound regions smaller than this do not tell where the picture is
_SINGLE = 8  # frames up to which each is looked at; longer films by chunks of as many
_AROUND = (151, 25)  # pixels: squares whose mean takes the place of what is blanked, while searching
_READ = 4  # frames of a film that are read by the slower reader


@dataclass(frozen=True)
class Cleaned:
    """An image after blanking.

    Args:
        written: what takes the place of its pixels.
        boxes: frame (ALL: every one) and box of what was blanked.
        methods: any of regions, device, text, words, unused-bits, trailing-bytes.
    """

    written: Written
    boxes: list[tuple[int, Box]]
    methods: tuple[str, ...]


def clean(dataset: Dataset, *, devices: Path | None = None, look: bool = True) -> Cleaned | None:
    """Blank text in an image's pixels.

    Args:
        dataset: as `pydicom.dcmread` gives it.
        devices: a table of devices besides our own, see `policy.boxes_by_device`.
        look: search the pixels; else only unused bits and bytes behind the pixels are cleared.

    Returns:
        None if nothing had to change.

    Raises:
        Rejected: undecodable or truncated; burned-in-text: text remains after three rounds, or would take too much.
        StudyError: the table of devices cannot be read.
    """
    raster = Raster.read(dataset)
    methods = []
    if raster.excess:
        methods.append("trailing-bytes")
    if raster.clear_unused_bits():
        methods.append("unused-bits")
    boxes: list[tuple[int, Box]] = []
    if look:
        boxes, used = _blank(raster, dataset, devices)
        methods += used
    return Cleaned(raster.written(), boxes, tuple(methods)) if methods else None


def outside_regions(dataset: Dataset, shape: tuple[int, int]) -> list[Box]:
    """What lies around the ultrasound picture (Sequence of Ultrasound Regions, PS3.3 C.8.5.5).

    Args:
        dataset: of the image.
        shape: (y, x).
    """
    picture = np.zeros(shape, bool)
    for region in dataset.get("SequenceOfUltrasoundRegions") or []:
        try:
            x0, y0 = int(region.RegionLocationMinX0), int(region.RegionLocationMinY0)
            x1, y1 = int(region.RegionLocationMaxX1) + 1, int(region.RegionLocationMaxY1) + 1
        except (AttributeError, TypeError, ValueError):
            continue
        picture[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    if picture.mean() < _LEAST_REGION:
        return []
    return _frames_of(~picture)


def _blank(raster: Raster, dataset: Dataset, devices: Path | None) -> tuple[list[tuple[int, Box]], list[str]]:
    shape = raster.shape[1:3]
    outside, device = outside_regions(dataset, shape), boxes_by_device(_signature(dataset, shape), devices)
    methods = [name for name, found in (("regions", outside), ("device", device)) if painted(found, shape).any()]
    known = painted([*outside, *device], shape)
    raster.fill(known)
    boxes = [(ALL, box) for box in merged([*outside, *device])]
    blanked = np.zeros(shape, bool)  # in any frame, by what was seen
    hidden: list[tuple[range | None, np.ndarray]] = [(None, known)]
    for number in range(_ROUNDS + 1):
        text, words = _seen(raster, dataset, hidden, read=number == 0)
        if not text:
            return boxes, methods
        if number == _ROUNDS:
            raise Rejected("burned-in-text", "text is left in the pixels after three rounds of blanking; look at it")
        for frames, found in text:
            mask = painted(found, shape)
            raster.fill(mask, frames=frames)
            blanked |= mask
            hidden.append((frames, mask))
            numbers = [ALL] if frames is None else list(frames)
            boxes += [(frame, box) for frame in numbers for box in found]
        methods += [name for name in ("text", *(["words"] if words else [])) if name not in methods]
        if blanked[~known].sum() > _MOST * (~known).sum():
            raise Rejected("burned-in-text", "text seems to cover most of the picture; look at it, blank it by hand")
    return boxes, methods


def _seen(
    raster: Raster, dataset: Dataset, hidden: list[tuple[range | None, np.ndarray]], *, read: bool
) -> tuple[list[tuple[range | None, list[Box]]], bool]:
    """Frames and boxes of text; None: every frame. And whether the reader found any.

    Where `hidden` (frames, mask) says that something is blanked surroundings stand in, lest edges look like strokes.
    """
    by_chunk: list[tuple[range, list[Box]]] = []
    words_found = False
    chunks = -(-raster.shape[0] // _chunk(raster))
    for number, (frames, pictures) in enumerate(_pictures(raster, dataset)):
        blanked = np.logical_or.reduce([mask for of, mask in hidden if of is None or of == frames])
        pictures = [bridged(picture, blanked) for picture in pictures]
        found = [box for picture in pictures for box in find_text(picture)]
        if read and number % max(chunks // _READ, 1) == 0:
            words = read_words(pictures[0])
            words_found |= bool(words)
            found += words
        if found:
            by_chunk.append((frames, merged(found)))
    # What is seen twice is there all the time, seen or not; what is seen once may be a passing shadow elsewhere.
    out: list[tuple[range | None, list[Box]]] = []
    always = []
    for place, (frames, found) in enumerate(by_chunk):
        others = [box for other, (_, boxes) in enumerate(by_chunk) if other != place for box in boxes]
        twice = [box for box in found if chunks == 1 or any(box.meets(other) for other in others)]
        always += twice
        once = [box for box in found if box not in twice]
        if once:
            out.append((frames, once))
    if always:
        out.append((None, merged(always)))
    return out, words_found


def bridged(picture: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """A picture whose hidden pixels are the mean of the seen ones around them.

    Args:
        picture: uint8, (y, x) or (y, x, 3).
        hidden: bool, (y, x).
    """
    if not hidden.any() or hidden.all():
        return picture
    out, seen = picture.copy(), (~hidden).astype(np.float32)
    shares = [(size, ndimage.uniform_filter(seen, size, mode="nearest")[hidden]) for size in _AROUND]
    for plane in [out] if out.ndim == 2 else np.moveaxis(out, -1, 0):
        values = np.full(int(hidden.sum()), plane[~hidden].mean(), np.float32)
        for size, share in shares:  # the nearest surroundings come last and win
            mean = ndimage.uniform_filter(plane * seen, size, mode="nearest")[hidden] / np.maximum(share, 1e-6)
            values = np.where(share > 0.02, mean, values)
        plane[hidden] = values.clip(0, 255).round()
    return out


def _chunk(raster: Raster) -> int:
    return 1 if raster.shape[0] <= _SINGLE else _SINGLE


def _pictures(raster: Raster, dataset: Dataset) -> Iterator[tuple[range, list[np.ndarray]]]:
    """Frames, and the pictures that stand for them: each its own; in long films the first, maximum and minimum."""
    size, held, begin = _chunk(raster), [], 0
    for number, frame in enumerate(raster):
        held.append(frame)
        if len(held) == size or number == raster.shape[0] - 1:
            stands = [held[0]] if len(held) == 1 else [held[0], np.max(held, axis=0), np.min(held, axis=0)]
            if len(held) > 1 and raster.photometric == "PALETTE COLOR":
                stands = held  # indices have no order
            yield range(begin, number + 1), [view for one in stands for view in views(one, raster, dataset)]
            held, begin = [], number + 1


def _signature(dataset: Dataset, shape: tuple[int, int]) -> dict[str, str | int]:
    versions = dataset.get("SoftwareVersions") or ""
    return {
        "manufacturer": str(dataset.get("Manufacturer") or ""),
        "model": str(dataset.get("ManufacturerModelName") or ""),
        "modality": str(dataset.get("Modality") or ""),
        "rows": shape[0],
        "columns": shape[1],
        "software": versions if isinstance(versions, str) else " ".join(map(str, versions)),
    }


def _frames_of(mask: np.ndarray) -> list[Box]:
    """Boxes that fill a mask made of a few rectangles: runs of equal rows, each in its runs of columns."""
    change = np.flatnonzero((mask[1:] != mask[:-1]).any(axis=1)) + 1
    out = []
    for y0, y1 in zip([0, *change], [*change, len(mask)], strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask[y0], [0]]).astype(int)))
        out += [Box(int(x0), int(y0), int(x1), int(y1)) for x0, x1 in edges.reshape(-1, 2)]
    return out
