"""What happens to each image in an epoch: a table of random numbers, one row per image."""

from dataclasses import dataclass

import numpy as np

from asclepius.augment.settings import AugmentSettings
from asclepius.augment.spatial import affine
from asclepius.errors import StudyError

AXES = ("z", "y", "x")
_UNIFORMS = 11  # numbers drawn per image: changed, 3 flips, angle, 3 shifts, zoom, contrast, noise
_PARAMETERS, _NOISE = 1, 2  # streams


def generator(stream: int, *key: int) -> np.random.Generator:
    """A counter-based generator (Philox, Salmon et al. 2011): the key alone decides what comes, no call before it."""
    words = np.random.SeedSequence((stream, *key)).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


@dataclass(frozen=True)
class Parameters:
    """Args:
    matrices: (n, d, d + 1), see `spatial.affine`.
    contrast: (n,), factor.
    noise: (n,), standard deviation.
    """

    matrices: np.ndarray
    contrast: np.ndarray
    noise: np.ndarray


def draw(settings: AugmentSettings, shape: tuple[int, ...], count: int, seed: int, epoch: int) -> Parameters:
    """The parameters of all images of an epoch; row i depends on (seed, epoch, i) only, never on batch or order.

    Args:
        shape: (y, x) or (z, y, x), pixels.
        count: of images.

    Raises:
        StudyError: a flip along an axis the image has not.
    """
    axes = AXES[-len(shape) :]
    unknown = set(settings.flip) - set(axes)
    if unknown:
        raise StudyError(
            f"augment.flip: {sorted(unknown)[0]!r} is no axis of a {len(shape)}D image; choose of {', '.join(axes)}"
        )
    u = generator(_PARAMETERS, seed, epoch).random((count, _UNIFORMS))
    changed = u[:, 0] < settings.probability
    spread = np.where(changed[:, None], 2 * u - 1, 0.0)  # -1..1, and nothing where unchanged
    d = len(shape)
    flip = (u[:, 1 : 1 + d] < 0.5) & np.isin(axes, settings.flip) & changed[:, None]
    return Parameters(
        matrices=affine(
            flip=flip,
            angle=settings.rotate * spread[:, 4],
            shift=settings.shift * spread[:, 5 : 5 + d] * np.asarray(shape),
            zoom=1 + settings.zoom * spread[:, 8],
            shape=shape,
        ),
        contrast=(1 + settings.contrast * spread[:, 9]).astype(np.float32),
        noise=np.where(changed, settings.noise * u[:, 10], 0.0).astype(np.float32),
    )


def noise_field(shape: tuple[int, ...], seed: int, epoch: int, step: int) -> np.ndarray:
    """Standard normal numbers for one batch, float32, decided by (seed, epoch, step)."""
    return generator(_NOISE, seed, epoch, step).standard_normal(shape, dtype=np.float32)
