"""Slices of a DICOM series as one regular volume: ordering, repeats, gaps, uneven spacing, tilt."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asclepius.errors import Rejected
from asclepius.resample.geometry import Grid
from asclepius.resample.planes import Planes
from asclepius.resample.scan import Scan

FEWEST = 3  # two slices cannot show whether one is missing between them
SAME_ANGLE = 1e-3  # largest difference of direction cosines within a volume
WIDE = 1.5  # a gap beyond this many typical gaps misses slices
UNEVEN = 0.05  # largest error of a slice's place in an even series, in slice spacings
WIDEST = 2.0  # a gap beyond this many typical gaps is not interpolated in an uneven series
SIDEWAYS = 0.5  # largest shift across the stack, in pixels
STEEPEST = 45.0  # degrees; no gantry tilts further


@dataclass(eq=False)
class Slice:
    """One cross-section.

    Args:
        load: gives the pixels, (y, x, channel).
        shape: of the pixels.
        position: LPS of the first pixel's centre, mm (Image Position (Patient)); None if the header tells none.
        orientation: (2, 3) direction cosines of a row and of a column (Image Orientation (Patient)).
        spacing: (y, x) in mm; None if the header tells none.
    """

    load: Callable[[], np.ndarray]
    shape: tuple[int, int, int]
    position: np.ndarray | None
    orientation: np.ndarray | None
    spacing: tuple[float, float] | None

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the slice."""
        cross = np.cross(*self.orientation)
        return cross / np.linalg.norm(cross)


def flat(single: Slice) -> Scan:
    """A single slice or projection as a flat image."""
    return Scan(single.load()[None], *(2 * [flat_grid(single)]))


def flat_grid(single: Slice) -> Grid:
    """The grid of a single slice or projection."""
    shape = (1, *single.shape[:2])
    if single.position is None or single.orientation is None or single.spacing is None:
        grid = Grid.of_pixels(shape, flat=True, spacing=single.spacing)
    else:
        grid = Grid(shape, _affine(single, single.position, single.normal), flat=True)
    grid.check()
    return grid


@dataclass(eq=False)
class Arranged:
    """Args:
    slices: in order along their normal, without repeats.
    planes: where they lie, and the grid that they are put on.
    notes: what has to be repaired.
    """

    slices: list[Slice]
    planes: Planes
    notes: list[str]


def assemble(slices: list[Slice], missing_slices: int, fill: float, gantry_tilt: str = "correct") -> Scan:
    """Order slices by their position along the normal and put them on a regular grid.

    Args:
        slices: in any order.
        fill: value where a straightened slice does not reach.
        missing_slices, gantry_tilt: see `arrange`.

    Returns:
        Axes as acquired. Box voxels count z from the lowest position upward, slices filled into an even series
        included.

    Raises:
        Rejected: as `arrange`.
    """
    found = arrange(slices, missing_slices, gantry_tilt)
    waiting = dict(enumerate(found.slices))
    found.slices.clear()  # so that each goes as it is put
    pixels = found.planes.put(lambda number: waiting.pop(number).load(), fill)
    return Scan(pixels, found.planes.grid, found.planes.grid, found.notes, found.planes)


def arrange(slices: list[Slice], missing_slices: int, gantry_tilt: str) -> Arranged:
    """Where slices lie and belong; pixels are looked at only where two slices share a place.

    Args:
        slices: in any order.
        missing_slices: widest gap, in slices, that is filled by linear interpolation.
        gantry_tilt: "correct" or "refuse".

    Raises:
        Rejected: "wrong-shape" for too few slices or unequal sizes; "geometry" for slices without position, of several
            orientations, at one place with different pixels, sheared and to be refused, too uneven or missing.
    """
    count = len(slices)
    _check_alike(slices)
    normal = slices[0].normal
    places = np.array([single.position @ normal for single in slices])
    order = np.argsort(places, kind="stable")
    slices, places = [slices[i] for i in order], places[order]
    slices, places, repeats = _without_repeats(slices, places)
    if len(slices) < FEWEST:
        raise Rejected("wrong-shape", f"{len(slices)} slices are too few for a volume; at least {FEWEST} are needed")
    shifts, angle = _shifts(slices, places, gantry_tilt)
    rows = _spaced(places, missing_slices)
    first = slices[0]
    extent = np.ceil(np.ptp(shifts, axis=0) - 1e-6).astype(int)
    corner = first.position + (shifts.min(axis=0)[::-1] * first.spacing[::-1]) @ first.orientation
    shape = tuple(int(n) for n in first.shape[:2] + extent)
    grid = Grid((rows.count, *shape), _affine(first, corner, normal * rows.step))
    grid.check()
    planes = Planes(grid, first.shape[:2], rows.places, shifts - shifts.min(axis=0), rows.counted)
    notes = [f"{repeats} of {count} slices are repeats and were dropped"] if repeats else []
    if angle:
        notes.append(f"gantry tilt of {angle:.1f} degrees straightened")
    return Arranged(slices, planes, notes + rows.notes)


def _check_alike(slices: list[Slice]) -> None:
    first = slices[0]
    unplaced = sum(s.position is None or s.orientation is None or s.spacing is None for s in slices)
    if unplaced:
        raise Rejected(
            "geometry",
            f"{unplaced} of {len(slices)} slices have no position, orientation or spacing in the header, "
            "so they cannot be ordered; export the original series",
        )
    shapes = {single.shape for single in slices}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(" x ".join(str(n) for n in shape[:2]) for shape in shapes))
        raise Rejected("wrong-shape", f"slices of different sizes or colours in one series ({sizes}); split the series")
    others = [single for single in slices if single.orientation is not first.orientation]
    if any(np.abs(single.orientation - first.orientation).max() > SAME_ANGLE for single in others):
        raise Rejected("geometry", "slices lie at different angles (a localiser or mixed series); split the series")
    if any(abs(a / b - 1) > 1e-3 for single in slices for a, b in zip(single.spacing, first.spacing, strict=True)):
        raise Rejected("geometry", "slices of different pixel spacing in one series; split the series")


def _without_repeats(slices: list[Slice], places: np.ndarray) -> tuple[list[Slice], np.ndarray, int]:
    gaps = np.diff(places)
    same = 0.01 * np.median(gaps[gaps > 1e-3]) if (gaps > 1e-3).any() else 1e-3
    kept = [0]
    for i in range(1, len(slices)):
        if places[i] - places[kept[-1]] > same:
            kept.append(i)
        elif not np.array_equal(slices[i].load(), slices[kept[-1]].load()):
            raise Rejected(
                "geometry",
                "different slices at one position (several phases or echoes in one series); split the series",
            )
    return [slices[i] for i in kept], places[kept], len(slices) - len(kept)


def _shifts(slices: list[Slice], places: np.ndarray, gantry_tilt: str) -> tuple[np.ndarray, float]:
    """How far each slice lies aside of the first, (slices, 2) in pixels (y, x), and the tilt in degrees, 0 for none.

    A linear drift is a tilted gantry; headers round, so less than half a pixel is none.
    """
    across = np.array([single.orientation @ (single.position - slices[0].position) for single in slices])
    spacing = np.array(slices[0].spacing)
    pixel = spacing.min()
    if np.abs(across).max() <= SIDEWAYS * pixel:
        return np.zeros_like(across), 0.0
    along = places - places[0]
    slope = across[-1] / along[-1]
    angle = float(np.degrees(np.arctan(np.linalg.norm(slope))))
    if np.abs(across - along[:, None] * slope).max() > SIDEWAYS * pixel or angle > STEEPEST:
        raise Rejected(
            "geometry",
            f"slices shifted sideways against each other by up to {np.abs(across).max():.1f} mm; split the series",
        )
    if gantry_tilt == "refuse":
        raise Rejected(
            "geometry",
            f"gantry tilt of {angle:.1f} degrees: the slices are sheared against each other; "
            "export a series corrected for tilt, or set resample.gantry_tilt: correct",
        )
    shifts = across[:, ::-1] / spacing
    shifts[:, np.abs(shifts).max(axis=0) < 1e-3] = 0  # rounded cosines, across the tilt
    return shifts, angle


@dataclass(frozen=True)
class _Rows:
    """Where slices lie on an even axis: `count` planes every `step` mm; the rest as in `Planes`."""

    count: int
    step: float
    places: np.ndarray
    counted: np.ndarray
    notes: list[str]


def _spaced(places: np.ndarray, missing_slices: int) -> _Rows:
    """An even axis for slices at `places` (mm, ascending)."""
    gaps = np.diff(places)
    typical = np.median(gaps)
    length = places[-1] - places[0]
    absent = np.where(gaps > WIDE * typical, np.rint(gaps / typical) - 1, 0).astype(int)
    index = np.concatenate([[0], np.cumsum(1 + absent)])
    step = length / index[-1]
    even = np.abs(places - places[0] - index * step).max() <= UNEVEN * step
    if even and (absent > 0).sum() * 3 <= len(gaps):
        if absent.max() > missing_slices:
            raise Rejected(
                "geometry",
                f"{absent.max()} slices missing in one gap, {missing_slices} may be (resample.missing_slices); "
                "export the whole series",
            )
        total = int(absent.sum())
        notes = [f"{total} missing slice{'s' if total > 1 else ''} interpolated"] if total else []
        return _Rows(int(index[-1]) + 1, step, index.astype(float), index.astype(float), notes)
    if gaps.max() > WIDEST * typical:
        raise Rejected(
            "geometry",
            f"uneven slice spacing: gaps from {gaps.min():.2f} to {gaps.max():.2f} mm, the widest more than "
            f"{WIDEST:g} times the usual {typical:.2f} mm; export one reconstruction with equal spacing",
        )
    steps = int(np.ceil(length / max(gaps.min(), gaps.max() / 2) - 1e-6))
    step = length / steps
    note = f"uneven slice spacing ({gaps.min():.2f} to {gaps.max():.2f} mm) interpolated to {step:.2f} mm"
    return _Rows(steps + 1, step, (places - places[0]) / step, np.arange(len(places), dtype=float), [note])


def _affine(first: Slice, corner: np.ndarray, step: np.ndarray) -> np.ndarray:
    row, column = first.orientation
    affine = np.eye(4)
    affine[:3, 0] = row * first.spacing[1]
    affine[:3, 1] = column * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = corner
    return affine
