"""Flip, rotate, shift and zoom as one affine warp of a batch, in 2D and 3D, for images and masks."""

import itertools
import math
from typing import Any

import numpy as np
from keras import ops


def affine(
    flip: np.ndarray, angle: np.ndarray, shift: np.ndarray, zoom: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """The matrices that take an output pixel to where its value is read, about the centre of the image.

    Args:
        flip: (n, d), true where the axis is mirrored; axes (y, x) or (z, y, x).
        angle: (n,), degrees in the (y, x) plane, counter-clockwise as one looks at it (y points down).
        shift: (n, d), pixels by which the picture moves.
        zoom: (n,), above 1 the picture grows.
        shape: (y, x) or (z, y, x).

    Returns:
        (n, d, d + 1), float32: matrix and offset, in pixels.
    """
    d = len(shape)
    turn = np.radians(angle)
    matrix = np.zeros((len(angle), d, d))
    matrix[:, range(d), range(d)] = 1.0
    matrix[:, -2, -2] = matrix[:, -1, -1] = np.cos(turn)
    matrix[:, -2, -1], matrix[:, -1, -2] = -np.sin(turn), np.sin(turn)
    # Undo in reverse order: the picture is flipped, then zoomed and turned, then moved.
    matrix = np.where(flip, -1.0, 1.0)[:, :, None] * np.swapaxes(matrix, 1, 2) / zoom[:, None, None]
    nearest = np.round(matrix)
    matrix = np.where(np.abs(matrix - nearest) < 1e-12, nearest, matrix)  # quarter turns stay exact
    centre = (np.asarray(shape) - 1) / 2
    offset = centre - np.einsum("nij,nj->ni", matrix, centre + shift)
    return np.concatenate([matrix, offset[:, :, None]], axis=2).astype(np.float32)


def warp(images: Any, matrices: Any, order: int = 1) -> Any:
    """Read every image of a batch at the places its matrix names; beyond the border, the border's value.

    Args:
        images: (n, y, x, channel) or (n, z, y, x, channel).
        matrices: (n, d, d + 1) from `affine`.
        order: 1 interpolates linearly; 0 takes the nearest pixel (masks: no new values).

    Returns:
        Of the shape and type of `images`.
    """
    n, *shape, channels = images.shape
    d, pixels = len(shape), math.prod(shape)
    strides = [math.prod(shape[axis + 1 :]) for axis in range(d)]
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).reshape(d, pixels).astype(np.float32)

    flat = ops.reshape(images, (n * pixels, channels))
    start = ops.reshape(ops.arange(n, dtype="int32") * pixels, (n, 1))
    lower, weight = [], []
    for axis in range(d):
        # Sums of products, not a matrix product: XLA fuses them with what follows, and whole numbers stay exact.
        place = matrices[:, axis, d : d + 1]
        for other in range(d):
            place = place + matrices[:, axis, other : other + 1] * grid[other]
        place = ops.clip(place, 0.0, float(shape[axis] - 1))
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
