"""Changes of pixel values: gamma, contrast, brightness, noise, bias field. Each channel is an image of its own.

All follow the image's own mean, spread or range, so that they mean the same after any normalisation: what is done to
a x + b is a times what is done to x, plus b.
"""

import itertools
from functools import cache
from typing import Any

import numpy as np
from keras import ops

from asclepius.augment.fields import normal


def _axes(images: Any) -> tuple[int, ...]:
    return tuple(range(1, len(images.shape) - 1))


def each(values: Any, images: Any) -> Any:
    """(n,) as it meets (n, ..., channel)."""
    return ops.reshape(values, (-1,) + (1,) * (len(images.shape) - 1))


def spread(images: Any) -> Any:
    """Standard deviation of each image and channel, (n, 1, ..., channel)."""
    return ops.std(images, axis=_axes(images), keepdims=True)


def mean(images: Any) -> Any:
    """Mean of each image and channel, (n, 1, ..., channel)."""
    return ops.mean(images, axis=_axes(images), keepdims=True)


def lowest(images: Any) -> Any:
    """Least value of each image and channel, (n, 1, ..., channel)."""
    return ops.min(images, axis=_axes(images), keepdims=True)


def contrast(images: Any, factor: Any) -> Any:
    """Stretch each image about its own mean.

    Args:
        images: (n, ..., channel), float32.
        factor: (n,), 1 changes nothing.
    """
    factor, middle = each(factor, images), mean(images)
    return ops.where(factor == 1.0, images, middle + (images - middle) * factor)


def brightness(images: Any, offset: Any) -> Any:
    """Add to each image.

    Args:
        images: (n, ..., channel), float32.
        offset: (n,), in standard deviations of the image.
    """
    return images + each(offset, images) * spread(images)


def gamma(images: Any, exponent: Any) -> Any:
    """A power of values scaled to 0..1 and back; the least and the highest value stay.

    Args:
        images: (n, ..., channel), float32.
        exponent: (n,), 1 changes nothing, above 1 darkens.
    """
    low, high = lowest(images), ops.max(images, axis=_axes(images), keepdims=True)
    extent = ops.maximum(high - low, 1e-30)
    exponent = each(exponent, images)
    # exp and log run twice as fast as a power; 1e-30 keeps the logarithm of the least value finite.
    changed = low + ops.exp(exponent * ops.log(ops.maximum((images - low) / extent, 1e-30))) * extent
    return ops.where(exponent == 1.0, images, changed)


def noise(images: Any, deviation: Any, keys: Any) -> Any:
    """Add Gaussian noise.

    Args:
        images: (n, ..., channel), float32.
        deviation: (n,), in standard deviations of the image.
        keys: (n, 3, 2), uint32, of each image's random fields; the first is taken.
    """
    field = normal(keys[:, 0], tuple(images.shape[1:]))
    return images + field * (each(deviation, images) * spread(images))


def rician(images: Any, deviation: Any, keys: Any) -> Any:
    """The magnitude of images with Gaussian noise in two channels (Gudbjartsson & Patz 1995); their least value is 0.

    Args:
        images: (n, ..., channel), float32.
        deviation: (n,), of each channel's noise, in standard deviations of the image.
        keys: (n, 3, 2), uint32, of each image's random fields; the second and third are taken.
    """
    real, imaginary = (normal(keys[:, number], tuple(images.shape[1:])) for number in (1, 2))
    deviation, low = each(deviation, images), lowest(images)
    sigma = deviation * spread(images)
    magnitude = ops.sqrt(ops.square(images - low + real * sigma) + ops.square(imaginary * sigma))
    return ops.where(deviation == 0.0, images, low + magnitude)


def terms(d: int, order: int) -> list[tuple[int, ...]]:
    """Exponents of each axis in every product up to that order, without the constant."""
    return [powers for powers in itertools.product(range(order + 1), repeat=d) if 0 < sum(powers) <= order]


@cache
def _basis(shape: tuple[int, ...], order: int) -> np.ndarray:
    """(terms, pixels): products of powers of the coordinates, which run from -1 to 1."""
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    found = [np.prod([axis**power for axis, power in zip(axes, powers, strict=True)], axis=0)
             for powers in terms(len(shape), order)]  # fmt: skip
    return np.stack(found).reshape(len(found), -1).astype(np.float32)


def bias_field(images: Any, strength: Any, coefficients: Any, order: int) -> Any:
    """Multiply by a smooth gain, the exponential of a polynomial (Van Leemput et al. 1999); the least value is 0.

    Args:
        images: (n, ..., channel), float32.
        strength: (n,), natural logarithm of the gain where it is farthest from 1.
        coefficients: (n, terms), in any unit.
        order: of the polynomial.
    """
    shape = tuple(images.shape[1:-1])
    surface = ops.matmul(coefficients, _basis(shape, order))
    highest = ops.max(ops.abs(surface), axis=1, keepdims=True)
    gain = ops.exp(surface * (ops.reshape(strength, (-1, 1)) / ops.maximum(highest, 1e-30)))
    low = lowest(images)
    changed = low + (images - low) * ops.reshape(gain, (-1, *shape, 1))
    return ops.where(each(strength, images) == 0.0, images, changed)
