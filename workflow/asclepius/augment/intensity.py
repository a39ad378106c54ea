"""Changes of pixel values: contrast and noise."""

from typing import Any

from keras import ops


def contrast(images: Any, factor: Any) -> Any:
    """Stretch each image about its own mean.

    Args:
        images: (n, ..., channel), normalised; each channel keeps its mean.
        factor: (n,), 1 changes nothing.
    """
    axes = tuple(range(1, len(images.shape) - 1))
    mean = ops.mean(images, axis=axes, keepdims=True)
    factor = ops.reshape(factor, (-1,) + (1,) * (len(images.shape) - 1))
    return ops.where(factor == 1.0, images, mean + (images - mean) * factor)


def noise(images: Any, deviation: Any, field: Any) -> Any:
    """Add Gaussian noise.

    Args:
        images: (n, ..., channel), normalised.
        deviation: (n,), standard deviation for each image, in normalised units.
        field: standard normal numbers of the shape of `images`.
    """
    return images + field * ops.reshape(deviation, (-1,) + (1,) * (len(images.shape) - 1))
