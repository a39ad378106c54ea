"""What acquisition does to an image: blur, coarse pixels, ghosts, motion, spikes.

All but the spike are linear along each axis, so that an image's blur, coarseness and ghosts are one matrix per axis,
and a batch of them a batched matrix product.
"""

from typing import Any

import numpy as np
from keras import ops

from asclepius.augment.intensity import each, spread


def along(images: Any, matrices: Any, axis: int) -> Any:
    """Apply a matrix to each image along one axis.

    Args:
        images: (n, ..., channel).
        matrices: (n, size, size).
        axis: 0 is the first after the batch.
    """
    n, *shape = images.shape
    before, size = int(np.prod(shape[:axis])), shape[axis]
    if axis == len(shape) - 2 and shape[-1] == 1:
        rows = ops.reshape(images, (n, before, size))
        return ops.reshape(ops.matmul(rows, ops.transpose(matrices, (0, 2, 1))), images.shape)
    rows = ops.reshape(images, (n, before, size, -1)) if before > 1 else ops.reshape(images, (n, size, -1))
    return ops.reshape(ops.matmul(matrices[:, None] if before > 1 else matrices, rows), images.shape)


def blurring(sigma: Any, size: int) -> Any:
    """Gaussian weights of every pixel for every other, (n, size, size); at the border those inside sum to 1.

    Args:
        sigma: (n,), pixels; 0 changes nothing.
    """
    distance = np.square(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float32)
    sigma = ops.reshape(sigma, (-1, 1, 1))
    weights = ops.exp(-0.5 * distance / ops.maximum(ops.square(sigma), 1e-4))
    return weights / ops.sum(weights, axis=2, keepdims=True)


def coarsening(factor: Any, size: int) -> Any:
    """Means over coarser pixels, then linear interpolation between them, (n, size, size).

    Args:
        factor: (n,), of the pixels' side; 1 changes nothing.
    """
    factor = ops.reshape(factor, (-1, 1, 1))
    number = np.arange(size, dtype=np.float32)
    start = number[:, None] * factor  # of each coarse pixel; those that begin beyond the image are never asked for
    shared = ops.minimum(start + factor, number[None] + 1) - ops.maximum(start, number[None])
    shared = ops.maximum(shared, 0.0)
    means = shared / ops.maximum(ops.sum(shared, axis=2, keepdims=True), 1e-6)
    last = ops.ceil(size / factor - 1e-3) - 1
    place = ops.clip((number[:, None] + 0.5) / factor - 0.5, 0.0, last)
    return ops.matmul(ops.maximum(1 - ops.abs(place - number[None]), 0.0), means)


def _filtering(lines: Any, size: int) -> Any:
    """Matrices (n, size, size) that weigh the lines of k-space, real part; `lines`: (n, size), from -size/2 on."""
    waves = np.arange(size) - size // 2
    cosines = np.cos(2 * np.pi * np.outer(waves, np.arange(size)) / size) / size
    kernel = ops.matmul(lines, cosines.astype(np.float32))
    return ops.take(kernel, np.subtract.outer(np.arange(size), np.arange(size)) % size, axis=1)


def ghosting(strength: Any, copies: Any, size: int) -> Any:
    """Every n-th line of k-space weaker, but not the middle one: n ghosts along the axis, (n, size, size).

    Args:
        strength: (n,), share that those lines lose; 0 changes nothing.
        copies: (n,), whole numbers.
    """
    waves = (np.arange(size) - size // 2).astype(np.float32)
    copies = ops.reshape(copies, (-1, 1))
    turns = waves / copies
    hit = (ops.abs(turns - ops.round(turns)) * copies < 0.5) & (waves != 0)
    return _filtering(1 - ops.cast(hit, "float32") * ops.reshape(strength, (-1, 1)), size)


def filtered(images: Any, matrices: list[list[Any]], used: Any) -> Any:
    """Apply the matrices of each axis, the first first.

    Args:
        images: (n, ..., channel), float32.
        matrices: for each axis those that act along it, (n, size, size).
        used: (n,), false where an image stays as it is, to the last bit.
    """
    changed = images
    for axis, own in enumerate(matrices):
        if own:
            whole = own[0]
            for one in own[1:]:
                whole = ops.matmul(one, whole)
            changed = along(changed, whole, axis)
    return ops.where(each(used, images), changed, images)


def motion(images: Any, shift: Any, since: Any, axis: int) -> Any:
    """The patient moves once, after the middle of k-space was read: its later lines come from the moved image.

    Lines are read in turn along the axis of phase encoding; of the image, the real part is taken.

    Args:
        images: (n, ..., channel), float32.
        shift: (n, d), pixels; 0 changes nothing.
        since: (n,), when it happens, from 0, the middle of k-space, to 1, its end.
        axis: of phase encoding; 0 is the first after the batch.
    """
    moved = images
    for number, size in enumerate(images.shape[1:-1]):
        place = np.arange(size, dtype=np.float32)[:, None] - ops.reshape(shift[:, number], (-1, 1, 1))
        place = ops.clip(place, 0.0, float(size - 1))
        moved = along(moved, ops.maximum(1 - ops.abs(place - np.arange(size, dtype=np.float32)), 0.0), number)
    size = images.shape[axis + 1]
    waves = (np.arange(size) - size // 2).astype(np.float32)
    late = ops.cast(waves > ops.reshape(since, (-1, 1)) * (size / 2), "float32")
    changed = images + along(moved - images, _filtering(late, size), axis)
    return ops.where(each(ops.any(shift != 0.0, axis=1), images), changed, images)


def spike(images: Any, strength: Any, waves: Any, phase: Any) -> Any:
    """One false point in k-space: stripes all over the image.

    Args:
        images: (n, ..., channel), float32.
        strength: (n,), of the stripes, in standard deviations of the image.
        waves: (n, d), whole numbers of waves along each axis.
        phase: (n,), radians.
    """
    shape = tuple(images.shape[1:-1])
    real, imaginary = ops.cos(each(phase, images)), ops.sin(each(phase, images))
    for axis, size in enumerate(shape):  # products of waves along each axis: few cosines instead of one per pixel
        view = [-1, *(1,) * len(shape), 1]
        view[axis + 1] = size
        angle = ops.reshape(
            waves[:, axis : axis + 1] * np.float32(2 * np.pi / size) * np.arange(size, dtype="f4"), view
        )
        c, s = ops.cos(angle), ops.sin(angle)
        real, imaginary = real * c - imaginary * s, real * s + imaginary * c
    return images + real * (each(strength, images) * spread(images))
