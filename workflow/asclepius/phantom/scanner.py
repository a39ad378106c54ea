"""Three CT scanners: field of view, slices, kernel, noise, calibration, and how they store what they measure."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from asclepius.phantom import nodules, vessels
from asclepius.phantom.anatomy import AIR, Chest
from asclepius.phantom.grid import Grid, Pose
from asclepius.phantom.nodules import Nodule

PADDING = -2000  # stored outside the reconstruction circle by scanners that pad


@dataclass(frozen=True)
class Scanner:
    """Args:
    field: side of the square slice, mm.
    thickness: of a slice and from slice to slice, mm.
    slices: lowest and highest number of slices.
    sharpness: of the kernel: blur in pixels if below 0, edge gain if above.
    noise: standard deviation in a patient of ordinary size, HU.
    offset: error of calibration, HU.
    signed: stores HU + 1024 as signed 16 bits and pads the corners; else HU + 1024 as unsigned 12 bits.
    descending: whether instance numbers count from the head down.
    prone: share of patients scanned lying on the belly.
    """

    manufacturer: str
    model: str
    kernel: str
    field: float
    thickness: float
    slices: tuple[int, int]
    sharpness: float
    noise: float
    offset: float
    signed: bool = False
    descending: bool = True
    prone: float = 0.0


SCANNERS = (
    Scanner("SIEMENS", "Emotion 16", "B31s", 384.0, 7.0, (24, 25), -0.5, 8.0, 0.0),
    Scanner("GE MEDICAL SYSTEMS", "LightSpeed VCT", "LUNG", 410.0, 6.0, (28, 29), 0.2, 13.0, 6.0, signed=True),
    Scanner("Philips", "Brilliance 64", "B", 440.0, 8.0, (21, 22), -0.4, 10.0, -9.0, descending=False, prone=0.12),
)


@dataclass(frozen=True, eq=False)
class Scan:
    """Args:
    hu: (z, y, x) int16, bottom slice first.
    mask: nodules, (z, y, x) bool.
    boxes: of each nodule, [x0, y0, z0, x1, y1, z1] in voxels, upper end exclusive.
    lung: how much of each voxel is lung tissue, 0 to 1.
    """

    hu: np.ndarray
    grid: Grid
    mask: np.ndarray
    boxes: list[list[int]]
    lung: np.ndarray


def position(rng: np.random.Generator, scanner: Scanner, matrix: int) -> tuple[Grid, Pose]:
    """Where the slices lie and how the patient lies in them."""
    count = int(rng.integers(scanner.slices[0], scanner.slices[1] + 1))
    pixel = scanner.field / matrix
    facing = -1 if rng.random() < scanner.prone else 1
    # Isocentre and table height differ from scanner to scanner and carry no meaning.
    centre = np.round(rng.normal((0, -20, -400), (6, 15, 120)), 1)
    first = centre[:2] - facing * (matrix - 1) / 2 * pixel
    origin = (*np.round(first, 3), round(float(centre[2] - (count - 1) / 2 * scanner.thickness), 3))
    shift = centre + rng.normal(0, (6, 6, 3))
    grid = Grid(
        tuple(float(value) for value in origin),
        (pixel, pixel, scanner.thickness),
        (count, matrix, matrix),
        facing,
    )
    return grid, Pose(tuple(float(value) for value in shift), float(rng.normal(0, 0.035)))


def scan(
    rng: np.random.Generator,
    scanner: Scanner,
    grid: Grid,
    pose: Pose,
    chest: Chest,
    tree: np.ndarray,
    disease: list[Nodule],
    scars: list[Nodule],
) -> Scan:
    """Measure a chest: partial volume, kernel, noise, calibration."""
    x, y, z = pose.to_anatomy(*grid.axes())
    hu, lung = chest.tissue(x, y, z, grid.spacing[0], grid.spacing[2], grid.facing)
    _add_table(hu, grid, chest, pose)
    nodules.infiltrate(hu, lung, disease, chest, x, y, z)
    vessels.paint(hu, lung, vessels.cover(tree, grid, pose))
    for scar in scars:
        nodules.paint(hu, scar, grid, pose)
    mask = np.zeros(grid.shape, dtype=bool)
    boxes = []
    for nodule in disease:
        fill, window = nodules.paint(hu, nodule, grid, pose)
        inside = fill >= min(0.5, 0.6 * fill.max(initial=1e-3))
        if inside.any():
            mask[window] |= inside
            boxes.append(_box(inside, window))
    _apply_kernel(hu, scanner.sharpness)
    hu += scanner.offset
    hu += _noise(rng, scanner, grid, chest)
    limit = (-1024, 3071)
    return Scan(np.rint(hu).clip(*limit).astype(np.int16), grid, mask, boxes, lung)


def _add_table(hu: np.ndarray, grid: Grid, chest: Chest, pose: Pose) -> None:
    """A curved carbon shell on foam, under the patient."""
    x, y, _ = grid.axes()
    depth = chest.outline()[1] + (0.5 * chest.breast if grid.facing < 0 else 0)
    sag = ((x - pose.shift[0]) / 210) ** 2 * 30
    below = grid.facing * (y[:, None] - pose.shift[1]) - depth - 8 + sag[None, :]
    shell = np.clip(1 - np.abs(below - 2) / grid.spacing[0], 0, 1)
    foam = np.clip(0.5 - np.abs(below - 12) / 18, 0, 1) * (np.abs(x - pose.shift[0]) < 200)
    table = AIR + 700 * shell + 120 * foam
    np.maximum(hu, table[None].astype(np.float32), out=hu)


def _apply_kernel(hu: np.ndarray, sharpness: float) -> None:
    """Blur for soft kernels; unsharp mask for sharp ones."""
    blurred = _blur(hu, abs(sharpness) if sharpness < 0 else 0.8)
    if sharpness < 0:
        hu[:] = blurred
    else:
        hu += np.float32(sharpness) * (hu - blurred)


def _noise(rng: np.random.Generator, scanner: Scanner, grid: Grid, chest: Chest) -> np.ndarray:
    """Noise of the kernel's texture: grains for soft kernels, fine speckle for sharp ones; more in large patients."""
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    grain = _blur(white, 0.9)
    noise = grain if scanner.sharpness < 0 else white - grain
    size = np.exp((sum(chest.outline()) - 285) / 120)
    dose = rng.uniform(0.85, 1.2)
    return noise * np.float32(scanner.noise * size * dose / noise[0].std())


def _blur(volume: np.ndarray, sigma: float) -> np.ndarray:
    """Within slices, sigma in pixels."""
    rows = gaussian_filter1d(volume, sigma, axis=2, mode="nearest", truncate=3)
    return gaussian_filter1d(rows, sigma, axis=1, mode="nearest", truncate=3)


def _box(inside: np.ndarray, window: tuple[slice, slice, slice]) -> list[int]:
    found = [np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis))) for axis in (2, 1, 0)]
    starts = [window[axis].start for axis in (2, 1, 0)]
    low = [int(start + at[0]) for start, at in zip(starts, found, strict=True)]
    high = [int(start + at[-1]) + 1 for start, at in zip(starts, found, strict=True)]
    return [*low, *high]


def outside_circle(matrix: int) -> np.ndarray:
    """(y, x) bool: the corners that a scanner does not reconstruct."""
    r = np.arange(matrix) - (matrix - 1) / 2
    return np.hypot(r[:, None], r[None, :]) > matrix / 2
