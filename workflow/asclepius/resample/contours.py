"""RT Structure Sets as masks on an image's slices (PS3.3 A.19, C.8.8.5 and C.8.8.6)."""

from collections.abc import Sequence

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from asclepius.errors import Rejected
from asclepius.resample.classes import Classes, Painter
from asclepius.resample.planes import Planes
from asclepius.resample.scan import Scan

STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
CLOSED = frozenset(("CLOSED_PLANAR", "CLOSEDPLANAR_XOR"))
NEAR = 0.5 + 1e-3  # of the distance to the next slice; farther away a contour is on no slice
THICK = 0.1  # the same, for the points of one contour
CONTOUR_DATA = Tag("ContourData")


def read(dataset: Dataset, scan: Scan, wanted: dict[str, int]) -> Scan:
    """Regions on the image's slices: a pixel belongs to one if its centre lies inside an odd number of its contours.

    So a contour within another is a hole. Where regions overlap the higher number holds. Contours on several planes
    within one slice's reach are not added up: the nearest plane counts.

    Args:
        scan: the image.
        wanted: see `Classes`.

    Raises:
        Rejected: the contours do not lie in the image's planes, or there is none.
    """
    if not scan.grid.located:
        raise Rejected("geometry", "the image does not say where it lies in the patient")
    planes = scan.planes or Planes.of(scan.grid)
    classes = Classes(_names(dataset), wanted)
    painter = Painter((len(planes.places), *planes.shape))
    drawn = 0
    for item in dataset.get("ROIContourSequence") or []:
        number = classes.number(int(item.get("ReferencedROINumber") or 0))
        if number:
            for plane, polygons in _by_plane(item.get("ContourSequence") or [], planes).items():
                painter.add(plane, filled(polygons, planes.shape), number)
                drawn += 1
    if not drawn:
        raise Rejected("geometry", "the structure set has no closed contour on a slice of the image")
    return painter.scan(planes, classes)


def _names(dataset: Dataset) -> dict[int, list[str]]:
    """Region numbers and what they are called: the interpreted type, then the name."""
    kinds = {
        int(item.get("ReferencedROINumber") or 0): str(item.get("RTROIInterpretedType") or "")
        for item in dataset.get("RTROIObservationsSequence") or []
    }
    found = {}
    for item in dataset.get("StructureSetROISequence") or []:
        number = int(item.get("ROINumber") or 0)
        found[number] = [name for name in (kinds.get(number, ""), str(item.get("ROIName") or "")) if name]
    return found


def _by_plane(contours: Sequence[Dataset], planes: Planes) -> dict[int, list[np.ndarray]]:
    """Closed contours by slice, each (points, 2) as (x, y) in pixels of the slice."""
    to_grid = np.linalg.inv(planes.grid.affine)
    found: dict[int, dict[float, list[np.ndarray]]] = {}
    for contour in contours:
        points = _points(contour)
        if contour.get("ContourGeometricType") not in CLOSED or len(points) < 3:
            continue
        index = points @ to_grid[:3, :3].T + to_grid[:3, 3]
        plane, off = planes.nearest(float(index[:, 2].mean()))
        if np.ptp(index[:, 2]) > THICK * max(1.0, np.ptp(planes.places) / max(len(planes.places) - 1, 1)):
            raise Rejected("geometry", "contours of the structure set do not lie in the planes of the image")
        if off <= NEAR:
            flat = index[:, :2] - planes.shifts[plane, ::-1]
            above = float(index[:, 2].mean()) - planes.places[plane]
            found.setdefault(plane, {}).setdefault(round(above, 3), []).append(flat)
    return {plane: levels[min(levels, key=abs)] for plane, levels in found.items()}


def _points(contour: Dataset) -> np.ndarray:
    """(points, 3), LPS in mm."""
    element = contour.get_item(CONTOUR_DATA)
    if element is None or not element.value:
        return np.empty((0, 3))
    value = element.value
    if isinstance(element, RawDataElement):  # pydicom's decimal strings would take a hundred times as long
        value = value.strip(b" \0").split(b"\\")
    try:
        return np.array([float(number) for number in value]).reshape(-1, 3)
    except ValueError:
        raise Rejected("unreadable", "a contour of the structure set holds no points") from None


def filled(polygons: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres lie inside an odd number of polygons (even-odd rule); centres are whole numbers.

    A centre on a left or upper edge is inside, one on a right or lower edge is not: neighbours share no pixel.

    Args:
        polygons: (points, 2) each, as (x, y) in pixels; the last point joins the first.
        shape: (y, x).
    """
    height, width = shape
    crossings = np.zeros((height, width + 1), np.int32)
    for polygon in polygons:
        start, end = polygon, np.roll(polygon, -1, axis=0)
        low, high = (
            np.ceil(np.clip(f(start[:, 1], end[:, 1]), -1, height)).astype(int) for f in (np.minimum, np.maximum)
        )
        low = np.clip(low, 0, height)
        counts = np.maximum(np.minimum(high, height) - low, 0)
        edge = np.repeat(np.arange(len(polygon)), counts)
        row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + low[edge]
        part = (row - start[edge, 1]) / (end[edge, 1] - start[edge, 1])
        column = start[edge, 0] + part * (end[edge, 0] - start[edge, 0])
        np.add.at(crossings, (row, np.clip(np.ceil(column), 0, width).astype(int)), 1)
    return (np.cumsum(crossings[:, :width], axis=1) % 2).astype(bool)
