"""A DICOM series as a volume, and a mask back on each of its images; by patient coordinates (PS3.3 C.7.6.2.1.1).

Slices may be tilted against their normal (gantry), unevenly spaced, in any order, or frames of one enhanced object.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset

from asclepius.deidentify.faces.deface import Defaced
from asclepius.deidentify.pixels.raster import Raster
from asclepius.errors import Rejected

_TURNED = 1e-2  # direction cosines of one volume agree better than this
_SAME = 1e-2  # mm between two slices at one place
_SEVERAL = "slices of several orientations or sizes in one series; separate them"
_EVEN = 0.02  # of the gap between slices: less unevenness or tilt needs no interpolation


@dataclass(frozen=True)
class Plane:
    """One frame in the patient: millimetres, axes left, back, head.

    Args:
        position: of the centre of the first pixel, (3,).
        axes: (2, 3), unit vectors along a row and down a column.
        spacing: (2,), between columns and between rows.
    """

    position: np.ndarray
    axes: np.ndarray
    spacing: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        return np.cross(*self.axes)

    @property
    def depth(self) -> float:
        """Along the normal, from the origin of the patient's axes."""
        return float(self.normal @ self.position)

    def grid(self, rows: int, columns: int) -> sitk.Image:
        """An empty volume of one slice at this place."""
        grid = sitk.Image([columns, rows, 1], sitk.sitkUInt8)
        grid.SetOrigin(self.position.tolist())
        grid.SetSpacing([*self.spacing.tolist(), 1.0])
        grid.SetDirection(np.stack([*self.axes, self.normal], axis=1).ravel().tolist())
        return grid


def planes(dataset: Dataset) -> list[Plane]:
    """Where each frame of an image lies.

    Raises:
        Rejected: face; the header does not say.
    """
    frames = int(dataset.get("NumberOfFrames") or 1)
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    try:
        return [_plane([own[number] if number < len(own) else None, shared, dataset]) for number in range(frames)]
    except (TypeError, ValueError, KeyError):
        raise Rejected(
            "face", "a head scan whose header does not say where its slices lie; deface it by hand"
        ) from None


def volume_of(datasets: Sequence[Dataset]) -> sitk.Image:
    """The images of one series as a volume of stored values.

    Frames at one place (time points, echoes) are represented by the first. Unevenly spaced or tilted slices are
    interpolated to even ones.

    Raises:
        Rejected: face (positions missing, several orientations), or undecodable.
    """
    found: list[tuple[Plane, np.ndarray]] = []
    for dataset in datasets:
        places = planes(dataset)
        for plane, pixels in zip(places, _frames(dataset), strict=True):
            if found and not (found[0][1].shape == pixels.shape and _parallel(found[0][0], plane)):
                raise Rejected("face", _SEVERAL)
            found.append((plane, pixels))
    if not found:
        raise Rejected("face", "a head scan without images")
    kept = [found[number] for number in _by_depth([plane for plane, _ in found])]
    return _stacked([plane for plane, _ in kept], [pixels for _, pixels in kept])


def slice_masks(defaced: Defaced, datasets: Sequence[Dataset]) -> Iterator[np.ndarray]:
    """For each image of the frame of reference what is to be blanked, bool (frame, y, x).

    Raises:
        Rejected: face; a header does not say where the image lies.
    """
    for dataset in datasets:
        grids = [plane.grid(int(dataset.Rows), int(dataset.Columns)) for plane in planes(dataset)]
        yield np.concatenate([sitk.GetArrayFromImage(defaced.on(grid)) for grid in grids]) > 0


def series_mask(defaced: Defaced, frames: Sequence[tuple[Plane, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """What is blanked of one series, slice by slice as they lie along their normal, and where they lie.

    Args:
        frames: place, rows and columns of each frame, in any order; those at one place count once.

    Returns:
        Mask, bool (z, y, x), and the affine from indices (x, y, z) to millimetres, axes left, back, head: of uneven
        slices the mean distance, of tilted ones their shift.

    Raises:
        Rejected: face; several orientations or sizes, which no grid holds.
    """
    first, rows, columns = frames[0]
    if not all(one[1:] == (rows, columns) and _parallel(first, one[0]) for one in frames):
        raise Rejected("face", _SEVERAL)
    kept = [frames[number][0] for number in _by_depth([plane for plane, _, _ in frames])]
    mask = np.concatenate([sitk.GetArrayFromImage(defaced.on(plane.grid(rows, columns))) for plane in kept]) > 0
    last, first = kept[-1], kept[0]
    step = (last.position - first.position) / (len(kept) - 1) if len(kept) > 1 else first.normal
    affine = np.eye(4)
    affine[:3] = np.column_stack([*(first.axes * first.spacing[:, None]), step, first.position])
    return mask, affine


def _frames(dataset: Dataset) -> Iterator[np.ndarray]:
    for pixels in Raster.read(dataset):
        yield pixels.mean(axis=-1) if pixels.shape[-1] > 1 else pixels[..., 0]


def _first(dataset: Dataset, keyword: str) -> Dataset | None:
    items = dataset.get(keyword) if dataset is not None else None
    return items[0] if items else None


def _plane(levels: Sequence[Dataset | None]) -> Plane:
    def value(group: str, keyword: str) -> list[float]:
        for level in levels:
            for holder in (_first(level, group), level):
                if holder is not None and holder.get(keyword) is not None:
                    return [float(number) for number in holder.get(keyword)]
        raise KeyError(keyword)

    axes = np.reshape(value("PlaneOrientationSequence", "ImageOrientationPatient"), (2, 3))
    position = np.reshape(value("PlanePositionSequence", "ImagePositionPatient"), 3)
    between_rows, between_columns = value("PixelMeasuresSequence", "PixelSpacing")
    lengths = np.linalg.norm(axes, axis=1)
    numbers = np.concatenate([axes.ravel(), position, [between_rows, between_columns]])
    if not np.isfinite(numbers).all() or min(between_rows, between_columns) <= 0 or abs(lengths - 1).max() > _TURNED:
        raise ValueError("impossible geometry")
    right = axes[0] / lengths[0]
    down = axes[1] - (axes[1] @ right) * right
    if np.linalg.norm(down) < 1 - _TURNED:
        raise ValueError("rows and columns are not at right angles")
    return Plane(position, np.stack([right, down / np.linalg.norm(down)]), np.array([between_columns, between_rows]))


def _parallel(one: Plane, other: Plane) -> bool:
    """Of one volume: alike but for their positions."""
    return np.abs(one.axes - other.axes).max() < _TURNED and np.allclose(one.spacing, other.spacing, rtol=1e-2)


def _by_depth(places: Sequence[Plane]) -> list[int]:
    """Numbers of the planes along their normal, of those at one place the first."""
    depths = np.array([float(places[0].normal @ plane.position) for plane in places])
    order = np.argsort(depths, kind="stable")
    apart = np.diff(depths[order], prepend=-np.inf) > _SAME
    return order[apart].tolist()


def _stacked(places: list[Plane], pixels: list[np.ndarray]) -> sitk.Image:
    first = places[0]
    depths = np.array([float(first.normal @ plane.position) for plane in places])
    # Pixels by which each slice is shifted in its own plane, (slice, 2): x and y.
    shifts = np.array([first.axes @ (plane.position - first.position) for plane in places]) / first.spacing
    gaps = np.diff(depths)
    step = float(np.median(gaps)) if len(gaps) else 1.0
    uneven = len(gaps) and (np.abs(gaps - step).max() > _EVEN * step or np.abs(shifts).max() > 0.5)
    if not uneven:
        stack = np.stack(pixels)
    else:
        even = np.arange(depths[0], depths[-1] + step / 2, step)
        stack = np.stack([_between(depth, depths, shifts, pixels) for depth in even])
    image = sitk.GetImageFromArray(stack)
    image.SetOrigin(first.position.tolist())
    image.SetSpacing([*first.spacing.tolist(), step])
    image.SetDirection(np.stack([*first.axes, first.normal], axis=1).ravel().tolist())
    return image


def _between(depth: float, depths: np.ndarray, shifts: np.ndarray, pixels: list[np.ndarray]) -> np.ndarray:
    """The slice at a depth, linear between its neighbours, each moved back to the first slice's corner."""
    above = int(np.clip(np.searchsorted(depths, depth), 1, len(depths) - 1))
    weight = float(np.clip((depths[above] - depth) / (depths[above] - depths[above - 1]), 0, 1))
    one, other = (_moved(pixels[k], shifts[k]) for k in (above - 1, above))
    return weight * one + (1 - weight) * other


def _moved(pixels: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Whole pixels suffice: the mask is grown by more."""
    rows, columns = pixels.shape
    x, y = np.rint(shift).astype(int)
    out = np.full((rows, columns), pixels.min(), np.float32)
    to = (slice(max(y, 0), rows + min(y, 0)), slice(max(x, 0), columns + min(x, 0)))
    of = (slice(max(-y, 0), rows + min(-y, 0)), slice(max(-x, 0), columns + min(-x, 0)))
    out[to] = pixels[of]
    return out
