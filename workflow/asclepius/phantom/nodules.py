"""Nodules: lobed balls in the lungs, solid, part-solid or ground-glass."""

from dataclasses import dataclass, replace

import numpy as np

from asclepius.phantom.anatomy import AIR, Chest
from asclepius.phantom.grid import Grid, Pose

SUBSLICES = 4  # positions per slice over which a nodule is averaged
LOBES = 5
SPREAD_HU = 500.0  # of thickened septa and trapped air around a nodule, standard deviation at its edge
REACH = 1.3  # the farthest point of a lobed surface, in radii


@dataclass(frozen=True, eq=False)
class Nodule:
    """Args:
    centre: (x, y, z) in the chest, mm.
    diameter: mean, mm.
    hu: of its tissue; the rim of a part-solid nodule.
    core: radius of the solid centre as a share of the whole; 0 without.
    lobes: directions and phases of its surface, (LOBES, 4).
    spread: reach of the reticulation around it, mm; 0 without.
    """

    centre: np.ndarray
    diameter: float
    hu: float
    core: float
    lobes: np.ndarray
    spread: float = 0.0

    def grown(self, factor: float) -> "Nodule":
        """The same nodule at a later visit."""
        return replace(self, diameter=self.diameter * factor)


def draw(rng: np.random.Generator, chest: Chest, difficulty: float) -> list[Nodule]:
    """One to three nodules; difficulty makes them smaller and fainter, and what surrounds them narrower."""
    found: list[Nodule] = []
    for _ in range(rng.choice([1, 2, 3], p=[0.2, 0.4, 0.4])):
        diameter = rng.uniform(18, 33) * difficulty**-0.4
        kind = rng.random()
        if kind < 0.8:
            hu, core = rng.uniform(40, 130), 0.0
        elif kind < 0.92:
            hu, core = rng.uniform(-560, -400), rng.uniform(0.5, 0.75)
        else:
            hu, core = rng.uniform(-640, -480), 0.0
        hu = chest.lung_hu + (hu - chest.lung_hu) * min(1.0, difficulty**-0.5)
        spread = rng.uniform(26, 50) * difficulty**-0.5 if rng.random() < 0.85 else 0.0
        others = np.array([nodule.centre for nodule in found]).reshape(-1, 3)
        centre = _place(rng, chest, diameter / 2, others)
        lobes = rng.normal(size=(LOBES, 4))
        found.append(Nodule(centre, float(diameter), float(hu), float(core), lobes, float(spread)))
    return found


def granulomas(rng: np.random.Generator, chest: Chest) -> list[Nodule]:
    """Small healed scars, calcified in part, that anyone may have: not the disease."""
    return [
        Nodule(_place(rng, chest, 3.0, np.empty((0, 3))), rng.uniform(4, 6.5), rng.uniform(100, 350), 0.0,
               rng.normal(size=(LOBES, 4)))
        for _ in range(rng.poisson(0.7))
    ]  # fmt: skip


def _place(rng: np.random.Generator, chest: Chest, radius: float, others: np.ndarray) -> np.ndarray:
    """A point inside the lungs; most nodules keep clear of the border, one in eight touches it."""
    margin = 0.4 * radius if rng.random() < 0.12 else 1.05 * radius + 2
    while True:
        points = rng.uniform((-1, -1, -1), (1, 1, 1), (256, 3)) * (*chest.cage, 62)
        good = chest.lung_distance(*points.T) < -margin
        for other in others:
            good &= np.linalg.norm(points - other, axis=1) > 45
        if good.any():
            return points[np.argmax(good)]
        margin *= 0.9
        others = others[:-1]


def infiltrate(
    hu: np.ndarray,
    lung: np.ndarray,
    disease: list[Nodule],
    chest: Chest,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
) -> None:
    """Reticulation around nodules, as lymphangitic spread draws it: a net of dense septa and trapped air, in place.

    Args:
        hu, lung: (z, y, x) float32.
        x, y, z: positions in the chest that broadcast to (z, y, x), mm.
    """
    weight = np.zeros_like(hu)
    for nodule in disease:
        if nodule.spread:
            cx, cy, cz = nodule.centre.astype(np.float32)
            square = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2
            np.maximum(weight, np.exp(-square / np.float32(nodule.spread**2)), out=weight)
    if weight.any():
        net = np.maximum(hu + np.float32(SPREAD_HU) * chest.field(2, x, y, z) * weight, AIR + 15)
        hu += (net - hu) * lung


def paint(hu: np.ndarray, nodule: Nodule, grid: Grid, pose: Pose) -> tuple[np.ndarray, tuple[slice, slice, slice]]:
    """Put a nodule into a volume, in place.

    Args:
        hu: (z, y, x) float32.

    Returns:
        How much of each voxel it fills (0 to 1) in a window of the volume, and that window.
    """
    centre = pose.to_scanner(nodule.centre)
    radius = nodule.diameter / 2
    edge, thickness = grid.spacing[0], grid.spacing[2]
    axes = grid.axes()
    reach = (REACH * radius + edge, REACH * radius + edge, REACH * radius + thickness)
    window = tuple(
        slice(int(near[0]), int(near[-1]) + 1) if len(near) else slice(0, 0)
        for near in (np.flatnonzero(np.abs(axes[i] - centre[i]) <= reach[i]) for i in (2, 1, 0))
    )
    offsets = ((np.arange(SUBSLICES) + 0.5) / SUBSLICES - 0.5) * thickness
    x = (axes[0][window[2]] - centre[0])[None, None, None, :]
    y = (axes[1][window[1]] - centre[1])[None, None, :, None]
    z = (axes[2][window[0], None] + offsets - centre[2])[:, :, None, None]
    distance = np.sqrt(x**2 + y**2 + z**2) + 1e-6
    wave = sum(np.sin(3 * (a * x + b * y + c * z) / distance + p) for a, b, c, p in nodule.lobes)
    surface = radius * (1 + np.clip(0.06 * wave, -0.25, 0.25))
    fill = np.clip(0.5 + (surface - distance) / edge, 0, 1)
    value = np.full(fill.shape, nodule.hu)
    if nodule.core:
        value += (40 - nodule.hu) * np.clip(0.5 + (nodule.core * surface - distance) / edge, 0, 1)
    here = hu[window]
    mean = fill.mean(axis=1)
    weighted = (value * fill).mean(axis=1) / np.maximum(mean, 1e-6)
    # A nodule replaces lung and vessels; what is denser than it (a wall it touches) stays.
    here += (np.maximum(weighted, here) - here) * mean
    return mean.astype(np.float32), window
