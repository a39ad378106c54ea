"""Differentiable augmentation for GANs on little data (DiffAugment: Zhao et al. 2020)."""

import keras
import numpy as np
from keras import ops

SHIFT = 0.125  # of each axis, at most
HOLE = 0.3
COLOUR = 0.4


def numbers(random: np.random.Generator, count: int, dimensions: int) -> np.ndarray:
    """What `augment` does to each image: (count, 3 + 2 dimensions) float32 in [0, 1)."""
    return random.random((count, 3 + 2 * dimensions), dtype=np.float32)


def augment(images: keras.KerasTensor, u: keras.KerasTensor) -> keras.KerasTensor:
    """Brightness, saturation, contrast, then translation and cutout, image by image; never a flip.

    Both real and drawn images pass through it on their way to the discriminator, and gradients pass through it to
    the generator, which therefore learns the images and not their alterations.

    Args:
        images: (n, *spatial, channel) in -1..1.
        u: of `numbers`.
    """
    d = len(images.shape) - 2
    single = (-1, *[1] * (d + 1))
    axes = tuple(range(1, d + 2))
    images = images + COLOUR * (ops.reshape(u[:, 0], single) - 0.5)
    grey = ops.mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * ops.reshape(2 * u[:, 1], single)
    mean = ops.mean(images, axis=axes, keepdims=True)
    images = mean + (images - mean) * (COLOUR * (ops.reshape(u[:, 2], single) - 0.5) + 1)
    hole = 1.0
    for axis in range(d):
        length = images.shape[axis + 1]
        images = _shifted(images, u[:, 3 + axis], axis + 1)
        centre = ops.floor(u[:, 3 + d + axis] * (length + 1))[:, None]
        inside = ops.abs(ops.arange(length, dtype="float32") + 0.5 - centre) <= HOLE * length / 2
        hole = hole * ops.reshape(
            ops.cast(inside, "float32"), [-1] + [length if a == axis else 1 for a in range(d + 1)]
        )
    return images * (1 - hole)


def _shifted(images: keras.KerasTensor, u: keras.KerasTensor, axis: int) -> keras.KerasTensor:
    """By whole pixels along one axis, zeros moving in; as a product of matrices, which is deterministic everywhere."""
    length = images.shape[axis]
    most = round(SHIFT * length)
    shift = ops.floor(u * (2 * most + 1)) - most
    place = ops.arange(length, dtype="float32")
    matrix = ops.cast(place[None, :, None] - place[None, None, :] == shift[:, None, None], images.dtype)
    moved = ops.moveaxis(images, axis, 1)
    flat = ops.reshape(moved, (-1, length, int(np.prod(moved.shape[2:]))))
    return ops.moveaxis(ops.reshape(ops.matmul(matrix, flat), (-1, *moved.shape[1:])), 1, axis)
