"""Slices of a DICOM series as one regular volume: ordering, repeats, gaps, tilt."""

import itertools
from dataclasses import dataclass

import numpy as np

from asclepius.errors import Rejected
from asclepius.resample.geometry import Grid
from asclepius.resample.scan import Scan

FEWEST = 3  # two slices cannot show whether one is missing between them
SAME_ANGLE = 1e-3  # largest difference of direction cosines within a volume
WIDE = 1.5  # a gap beyond this many typical gaps misses slices
UNEVEN = 0.1  # largest error of a slice's place, in slice spacings
SIDEWAYS = 0.5  # largest shift across the stack, in pixels


@dataclass(eq=False)
class Slice:
    """One cross-section.

    Args:
        pixels: (y, x, channel).
        position: LPS of the first pixel's centre, mm (Image Position (Patient)); None if the header tells none.
        orientation: (2, 3) direction cosines of a row and of a column (Image Orientation (Patient)).
        spacing: (y, x) in mm; None if the header tells none.
    """

    pixels: np.ndarray
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
    shape = (1, *single.pixels.shape[:2])
    if single.position is None or single.orientation is None or single.spacing is None:
        grid = Grid.of_pixels(shape, flat=True, spacing=single.spacing)
    else:
        grid = Grid(shape, _affine(single, single.normal), flat=True)
    grid.check()
    return Scan(single.pixels[None], grid, grid)


def assemble(slices: list[Slice], missing_slices: int) -> Scan:
    """Order slices by their position along the normal and stack them.

    Args:
        slices: in any order; emptied, so that pixels are held once.
        missing_slices: widest gap, in slices, that is filled by linear interpolation.

    Returns:
        Axes as acquired. Box voxels count z from the lowest position upward, filled slices included.

    Raises:
        Rejected: "wrong-shape" for too few slices or unequal sizes; "geometry" for slices without position, of several
            orientations, at one place with different pixels, sheared by a tilted gantry, unevenly spaced or missing.
    """
    count = len(slices)
    _check_alike(slices)
    normal = slices[0].normal
    order = np.argsort([single.position @ normal for single in slices], kind="stable")
    slices[:] = [slices[i] for i in order]
    places = np.array([single.position @ normal for single in slices])
    slices[:], places, repeats = _without_repeats(slices, places)
    if len(slices) < FEWEST:
        raise Rejected("wrong-shape", f"{len(slices)} slices are too few for a volume; at least {FEWEST} are needed")
    _check_straight(slices, places)
    absent = _absent(places, missing_slices)
    steps = len(places) - 1 + int(absent.sum())
    step = (places[-1] - places[0]) / steps
    index = np.concatenate([[0], np.cumsum(1 + absent)]).astype(int)
    error = np.abs(places - places[0] - index * step).max() / step
    if error > UNEVEN:
        raise Rejected(
            "geometry",
            f"uneven slice spacing: gaps from {np.diff(places).min():.2f} to {np.diff(places).max():.2f} mm; "
            "export one reconstruction with equal spacing",
        )
    grid = Grid((steps + 1, *slices[0].pixels.shape[:2]), _affine(slices[0], normal * step))
    grid.check()
    notes = [f"{repeats} of {count} slices are repeats and were dropped"] if repeats else []
    if absent.any():
        total = int(absent.sum())
        notes.append(f"{total} missing slice{'s' if total > 1 else ''} interpolated")
    return Scan(_stack(slices, index, steps + 1), grid, grid, notes)


def _check_alike(slices: list[Slice]) -> None:
    first = slices[0]
    unplaced = sum(s.position is None or s.orientation is None or s.spacing is None for s in slices)
    if unplaced:
        raise Rejected(
            "geometry",
            f"{unplaced} of {len(slices)} slices have no position, orientation or spacing in the header, "
            "so they cannot be ordered; export the original series",
        )
    shapes = {single.pixels.shape for single in slices}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(" x ".join(str(n) for n in shape[:2]) for shape in shapes))
        raise Rejected("wrong-shape", f"slices of different sizes or colours in one series ({sizes}); split the series")
    if any(np.abs(single.orientation - first.orientation).max() > SAME_ANGLE for single in slices):
        raise Rejected("geometry", "slices lie at different angles (a localiser or mixed series); split the series")
    if any(not np.allclose(single.spacing, first.spacing, rtol=1e-3, atol=0) for single in slices):
        raise Rejected("geometry", "slices of different pixel spacing in one series; split the series")


def _without_repeats(slices: list[Slice], places: np.ndarray) -> tuple[list[Slice], np.ndarray, int]:
    gaps = np.diff(places)
    same = 0.01 * np.median(gaps[gaps > 1e-3]) if (gaps > 1e-3).any() else 1e-3
    kept = [0]
    for i in range(1, len(slices)):
        if places[i] - places[kept[-1]] > same:
            kept.append(i)
        elif not np.array_equal(slices[i].pixels, slices[kept[-1]].pixels):
            raise Rejected(
                "geometry",
                "different slices at one position (several phases or echoes in one series); split the series",
            )
    return [slices[i] for i in kept], places[kept], len(slices) - len(kept)


def _check_straight(slices: list[Slice], places: np.ndarray) -> None:
    """Every slice must lie straight above the first; a linear drift is a tilted gantry."""
    across = np.array([single.orientation @ (single.position - slices[0].position) for single in slices])
    pixel = min(slices[0].spacing)
    if np.abs(across).max() <= SIDEWAYS * pixel:
        return
    along = places - places[0]
    slope = across[-1] / along[-1]
    if np.abs(across - along[:, None] * slope).max() <= SIDEWAYS * pixel:
        angle = np.degrees(np.arctan(np.linalg.norm(slope)))
        raise Rejected(
            "geometry",
            f"gantry tilt of {angle:.1f} degrees: the slices are sheared against each other; "
            "export a series corrected for tilt",
        )
    raise Rejected(
        "geometry",
        f"slices shifted sideways against each other by up to {np.abs(across).max():.1f} mm; split the series",
    )


def _absent(places: np.ndarray, missing_slices: int) -> np.ndarray:
    """How many slices are missing after each slice but the last."""
    gaps = np.diff(places)
    typical = np.median(gaps)
    absent = np.where(gaps > WIDE * typical, np.rint(gaps / typical) - 1, 0).astype(int)
    if (absent > 0).sum() * 3 > len(gaps):
        raise Rejected(
            "geometry",
            f"uneven slice spacing: gaps from {gaps.min():.2f} to {gaps.max():.2f} mm; "
            "export one reconstruction with equal spacing",
        )
    if absent.max() > missing_slices:
        raise Rejected(
            "geometry",
            f"{absent.max()} slices missing in one gap, {missing_slices} may be (resample.missing_slices); "
            "export the whole series",
        )
    return absent


def _stack(slices: list[Slice], index: np.ndarray, count: int) -> np.ndarray:
    kind = np.result_type(*(single.pixels.dtype for single in slices))
    stack = np.empty((count, *slices[0].pixels.shape), dtype=kind)
    for place, single in zip(index, slices, strict=True):
        stack[place] = single.pixels
        single.pixels = np.empty(0)
    slices.clear()
    for low, high in itertools.pairwise(index):
        for between in range(low + 1, high):
            weight = (between - low) / (high - low)
            mixed = stack[low] * np.float32(1 - weight) + stack[high] * np.float32(weight)
            stack[between] = np.rint(mixed) if kind.kind in "iu" else mixed
    return stack


def _affine(first: Slice, step: np.ndarray) -> np.ndarray:
    row, column = first.orientation
    affine = np.eye(4)
    affine[:3, 0] = row * first.spacing[1]
    affine[:3, 1] = column * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    return affine
