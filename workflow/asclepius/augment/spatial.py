"""Flip, rotation, shift, zoom, scale, shear, crop and elastic displacement as one warp of a batch, in 2D and 3D."""

import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from keras import ops


@dataclass
class Pose:
    """How each picture of a batch is moved: flipped, scaled, sheared and turned about its centre, then shifted.

    Args:
        flip: (n, d), true where the axis is mirrored; axes (y, x) or (z, y, x).
        scale: (n, d), above 1 the picture grows.
        shear: (n, d, d), degrees, of the first axis along the second; the diagonal does not count.
        angle: (n, 1) in 2D, (n, 3) about z, y and x in 3D, degrees, counter-clockwise as one looks at (y, x), y down.
        shift: (n, d), pixels by which the picture moves.
        source: (n, d), pixels from the image's centre to what comes to lie there.
    """

    flip: np.ndarray
    scale: np.ndarray
    shear: np.ndarray
    angle: np.ndarray
    shift: np.ndarray
    source: np.ndarray

    @classmethod
    def still(cls, n: int, d: int) -> "Pose":
        """That changes nothing."""
        zeros = np.zeros((n, d))
        turns = np.zeros((n, 1 if d == 2 else 3))
        return cls(np.zeros((n, d), bool), np.ones((n, d)), np.zeros((n, d, d)), turns, zeros.copy(), zeros.copy())

    def matrices(self, shape: tuple[int, ...], spacing: tuple[float, ...] | None = None) -> np.ndarray:
        """What takes an output pixel to the place its value is read from.

        Args:
            shape: (y, x) or (z, y, x).
            spacing: of pixels, in the same order, in any unit; angles are true in it. None: all alike.

        Returns:
            (n, d, d + 1), float32: matrix and offset, in pixels.
        """
        d = len(shape)
        moved = np.tan(np.radians(self.shear)) * (1 - np.eye(d)) + np.eye(d)
        moved = moved * (self.scale * np.where(self.flip, -1.0, 1.0))[:, None, :]
        for turn, (a, b) in zip(self.angle.T, [(d - 2, d - 1), (0, 2), (0, 1)], strict=False):
            moved = _rotation(np.radians(turn), a, b, d) @ moved
        sides = np.ones(d) if spacing is None else np.asarray(spacing, float)
        matrix = np.linalg.inv(moved) * sides / sides[:, None]
        nearest = np.round(matrix)
        matrix = np.where(np.abs(matrix - nearest) < 1e-12, nearest, matrix)  # quarter turns stay exact
        centre = (np.asarray(shape) - 1) / 2
        offset = centre + self.source - np.einsum("nij,nj->ni", matrix, centre + self.shift)
        return np.concatenate([matrix, offset[:, :, None]], axis=2).astype(np.float32)


def _rotation(turn: np.ndarray, a: int, b: int, d: int) -> np.ndarray:
    matrix = np.tile(np.eye(d), (len(turn), 1, 1))
    matrix[:, a, a] = matrix[:, b, b] = np.cos(turn)
    matrix[:, a, b], matrix[:, b, a] = -np.sin(turn), np.sin(turn)
    return matrix


@cache
def _spline(size: int, points: int) -> np.ndarray:
    """(size, points + 2): cubic B-splines of points spread from the first pixel to the last, and one beyond each."""
    place = np.arange(size)[:, None] * (points - 1) / max(size - 1, 1)
    distance = np.abs(place - np.arange(-1, points + 1))
    near = 2 / 3 - distance**2 + distance**3 / 2
    return np.where(distance < 1, near, np.maximum(2 - distance, 0) ** 3 / 6).astype(np.float32)


def displacement(control: Any, shape: tuple[int, ...]) -> Any:
    """A smooth field from its control points (Rueckert et al. 1999).

    Args:
        control: (n, d, points + 2, ...), pixels.
        shape: (y, x) or (z, y, x).

    Returns:
        (n, d, pixels).
    """
    n, d, knots = control.shape[0], len(shape), control.shape[2]
    field = control
    for size in shape:  # the first axis is spread and goes to the end: after the last, their order is as before
        field = ops.reshape(field, (n * d, knots, -1))
        field = ops.matmul(ops.transpose(field, (0, 2, 1)), _spline(size, knots - 2).T)
    return ops.reshape(field, (n, d, math.prod(shape)))


def places(shape: tuple[int, ...], matrices: Any, control: Any = None) -> list[Any]:
    """Where each output pixel's value is read, (n, pixels) for each axis, in pixels; beyond the border, at the border.

    Args:
        shape: (y, x) or (z, y, x).
        matrices: (n, d, d + 1) from `Pose.matrices`.
        control: (n, d, points + 2, ...), pixels; see `displacement`.
    """
    d = len(shape)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).reshape(d, -1).astype(np.float32)
    field = None if control is None else displacement(control, shape)
    found = []
    for axis in range(d):
        # Sums of products, not a matrix product: XLA fuses them with what follows, and whole numbers stay exact.
        place = matrices[:, axis, d : d + 1]
        for other in range(d):
            place = place + matrices[:, axis, other : other + 1] * grid[other]
        if field is not None:
            place = place + field[:, axis]
        found.append(ops.clip(place, 0.0, float(shape[axis] - 1)))
    return found


def warp(images: Any, matrices: Any, control: Any = None, order: int = 1) -> Any:
    """Read every image of a batch at `places`.

    Args:
        images: (n, y, x, channel) or (n, z, y, x, channel).
        matrices, control: see `places`.
        order: 1 interpolates linearly; 0 takes the nearest pixel (masks: no new values).

    Returns:
        Of the shape and type of `images`.
    """
    n, *shape, channels = images.shape
    d, pixels = len(shape), math.prod(shape)
    strides = [math.prod(shape[axis + 1 :]) for axis in range(d)]
    flat = ops.reshape(images, (n * pixels, channels))
    start = ops.reshape(ops.arange(n, dtype="int32") * pixels, (n, 1))
    lower, weight = [], []
    for place in places(tuple(shape), matrices, control):
        base = ops.floor(place if order else place + 0.5)
        lower.append(ops.cast(base, "int32"))
        weight.append(place - base)

    def read(corner: tuple[int, ...]) -> Any:
        index = start
        for axis, step in enumerate(corner):
            at = ops.minimum(lower[axis] + step, shape[axis] - 1)
            index = index + at * strides[axis]
        return ops.take(flat, index, axis=0)

    if order == 0:
        return ops.reshape(read((0,) * d), images.shape)
    total = 0.0
    for corner in itertools.product((0, 1), repeat=d):
        share = 1.0
        for axis, step in enumerate(corner):
            share = share * (weight[axis] if step else 1.0 - weight[axis])
        total = total + read(corner) * ops.expand_dims(share, -1)
    return ops.reshape(total, images.shape)
