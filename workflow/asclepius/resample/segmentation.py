"""DICOM Segmentation objects as masks on an image's slices (PS3.3 A.51 and C.8.20)."""

from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from asclepius.errors import Rejected
from asclepius.resample import frames
from asclepius.resample.classes import Classes, Painter
from asclepius.resample.dicom import decoded
from asclepius.resample.geometry import Grid
from asclepius.resample.planes import Planes
from asclepius.resample.scan import Scan

CLASSES = frozenset(("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"))
ON_PLANE = 0.1  # of the distance between slices
SAME_PIXEL = 0.01  # pixels


@dataclass(frozen=True, eq=False)
class Part:
    """One class on one frame: (y, x), true where it is; the rest as in `volume.Slice`."""

    pixels: np.ndarray
    position: np.ndarray | None
    orientation: np.ndarray | None
    spacing: tuple[float, float] | None


def read(dataset: Dataset, scan: Scan, wanted: dict[str, int]) -> Scan:
    """Segments on the image's slices where they lie on them, else on a grid of their own.

    A fractional segment holds where it is at least half. Where segments overlap the higher number holds.

    Args:
        scan: the image.
        wanted: see `Classes`.

    Raises:
        Rejected: not decodable, or nothing says where it lies.
    """
    stored = decoded(dataset)[..., 0]
    classes = Classes(_names(dataset), wanted)
    parts = [part for number, frame in enumerate(stored) for part in _parts(dataset, number, frame, classes)]
    if not parts:
        raise Rejected("wrong-shape", "the segmentation has none of the classes asked for")
    if all(part.position is None for _, part in parts):
        return _on_picture(parts, scan, classes)
    if any(part.position is None or part.orientation is None or part.spacing is None for _, part in parts):
        raise Rejected("geometry", "frames of the segmentation do not say where they lie")
    if not scan.grid.located:
        raise Rejected("geometry", "the image does not say where it lies in the patient")
    planes = scan.planes or Planes.of(scan.grid)
    if not all(_lies_on(part, planes) for _, part in parts):
        planes = _own(dataset, [part for _, part in parts])
    painter = Painter((len(planes.places), *planes.shape))
    for number, part in parts:
        plane, _ = planes.nearest(_z(part, planes))
        painter.add(plane, _on_slice(part, planes, plane), number)
    return painter.scan(planes, classes)


def _names(dataset: Dataset) -> dict[int, list[str]]:
    """Segment numbers and what they are called: the coded type, then the label."""
    found = {}
    for item in dataset.get("SegmentSequence") or []:
        codes = item.get("SegmentedPropertyTypeCodeSequence") or [Dataset()]
        names = [codes[0].get("CodeMeaning"), item.get("SegmentLabel")]
        found[int(item.get("SegmentNumber") or 0)] = [str(name) for name in names if name]
    return found


def _parts(dataset: Dataset, number: int, frame: np.ndarray, classes: Classes) -> list[tuple[int, Part]]:
    """(class number, where it is) of the segments of one frame."""
    where = frames.position(dataset, number), frames.orientation(dataset, number), frames.spacing(dataset, number)
    kind = str(dataset.get("SegmentationType") or "BINARY")
    if kind == "LABELMAP":
        background = dataset.get("PixelPaddingValue", 0)
        present = {int(value): frame == value for value in np.unique(frame) if value not in (0, background)}
    else:
        said = frames.attribute(dataset, number, "SegmentIdentificationSequence", "ReferencedSegmentNumber")
        half = int(dataset.get("MaximumFractionalValue") or 255) / 2 if kind == "FRACTIONAL" else 0.5
        present = {int(said or 0): frame >= half}
    return [(classes.number(old), Part(inside, *where)) for old, inside in present.items() if classes.number(old)]


def _z(part: Part, planes: Planes) -> float:
    """Where a frame lies along the normal, in voxels of the grid."""
    step = planes.grid.affine[:3, 2]
    return float((part.position - planes.grid.affine[:3, 3]) @ step / (step @ step))


def _lies_on(part: Part, planes: Planes) -> bool:
    step = planes.grid.affine[:3, 2]
    if np.abs(part.orientation @ step).max() > 1e-3 * np.linalg.norm(step):
        return False
    return planes.nearest(_z(part, planes))[1] < ON_PLANE


def _on_slice(part: Part, planes: Planes, plane: int) -> np.ndarray:
    """A frame at the pixels of a slice, by nearest neighbour."""
    axes = planes.grid.affine[:3, :2]
    scale = part.orientation / np.array(part.spacing[::-1])[:, None]
    turn, shift = scale @ axes, scale @ (planes.origins[plane] - part.position)
    same = part.pixels.shape == planes.shape and np.abs(turn - np.eye(2)).max() * max(planes.shape) < SAME_PIXEL
    if same and np.abs(shift).max() < SAME_PIXEL:
        return part.pixels
    y, x = np.indices(planes.shape)
    column, row = (np.rint(turn[i, 0] * x + turn[i, 1] * y + shift[i] - 1e-6).astype(int) for i in (0, 1))
    inside = (row >= 0) & (row < part.pixels.shape[0]) & (column >= 0) & (column < part.pixels.shape[1])
    out = np.zeros(planes.shape, bool)
    out[inside] = part.pixels[row[inside], column[inside]]
    return out


def _own(dataset: Dataset, parts: list[Part]) -> Planes:
    """The regular grid of the frames themselves; frames that hold nothing may be missing."""
    first = parts[0]
    alike = all(
        part.pixels.shape == first.pixels.shape
        and np.abs(part.orientation - first.orientation).max() < 1e-3
        and np.allclose(part.spacing, first.spacing, rtol=1e-3)
        and np.abs(first.orientation @ (part.position - first.position)).max() < 0.5 * min(first.spacing)
        for part in parts
    )
    if not alike:
        raise Rejected("geometry", "frames of the segmentation lie on no common grid")
    normal = np.cross(*first.orientation)
    places = np.unique(np.round([part.position @ normal for part in parts], 3))
    gaps = np.diff(places)
    measures = [
        frames.attribute(dataset, 0, "PixelMeasuresSequence", name)
        for name in ("SpacingBetweenSlices", "SliceThickness")
    ]
    step = float(gaps.min()) if len(gaps) else next((abs(float(value)) for value in measures if value), 1.0)
    index = (places - places[0]) / step
    if np.abs(index - np.rint(index)).max() > ON_PLANE:
        raise Rejected("geometry", "frames of the segmentation are unevenly spaced, and off the image's slices")
    affine = np.eye(4)
    affine[:3, :2] = (first.orientation * np.array(first.spacing[::-1])[:, None]).T
    affine[:3, 2] = normal * step
    affine[:3, 3] = first.position + normal * (places[0] - first.position @ normal)
    return Planes.of(Grid((int(np.rint(index[-1])) + 1, *first.pixels.shape), affine))


def _on_picture(parts: list[tuple[int, Part]], scan: Scan, classes: Classes) -> Scan:
    if not scan.grid.flat or any(part.pixels.shape != scan.grid.shape[1:] for _, part in parts):
        raise Rejected("geometry", "the segmentation does not say where it lies")
    painter = Painter(scan.grid.shape)
    for number, part in parts:
        painter.add(0, part.pixels, number)
    return painter.scan(Planes.of(scan.grid), classes)
