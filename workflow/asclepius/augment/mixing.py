"""Boxes cut out, and images of a batch mixed with one another, targets and weights included."""

from typing import Any

import numpy as np
from keras import ops
from scipy.special import betaincinv

from asclepius.augment.intensity import each, mean


def inside(lower: Any, upper: Any, shape: tuple[int, ...]) -> Any:
    """Which pixels lie in each image's box, (n, *shape, 1).

    Args:
        lower, upper: (n, d), pixels, the upper end exclusive.
        shape: (y, x) or (z, y, x).
    """
    found = True
    for axis, size in enumerate(shape):
        view = [-1, *(1,) * len(shape), 1]
        view[axis + 1] = size
        number = np.arange(size, dtype=np.int32)
        within = (number >= lower[:, axis : axis + 1]) & (number < upper[:, axis : axis + 1])
        found = found & ops.reshape(within, view)
    return found


def cutout(images: Any, lower: Any, upper: Any) -> Any:
    """A box of each image takes the image's mean (DeVries & Taylor 2017).

    Args:
        images: (n, ..., channel), float32.
        lower, upper: see `inside`; an empty box changes nothing.
    """
    return ops.where(inside(lower, upper, tuple(images.shape[1:-1])), mean(images), images)


def cutmix(images: Any, partners: Any, lower: Any, upper: Any) -> Any:
    """A box of each image comes from its partner (Yun et al. 2019).

    Args:
        partners: (n,), the place of each image's partner in the batch.
    """
    box = inside(lower, upper, tuple(images.shape[1:-1]))
    return ops.where(box, ops.take(images, partners, axis=0), images)


def mixup(images: Any, partners: Any, share: Any) -> Any:
    """Each image and its partner laid over each other (Zhang et al. 2018).

    Args:
        share: (n,), of the partner; 0 changes nothing.
    """
    share = each(share, images)
    return ops.where(share == 0.0, images, (1 - share) * images + share * ops.take(images, partners, axis=0))


def partners_share(u: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A partner's share from even numbers 0..1: the lesser part of a draw of beta(alpha, alpha), so at most a half.

    Both parts come up among the pairs of a batch anyway; so an image stays mostly itself.
    """
    drawn = betaincinv(alpha, alpha, u)
    return np.minimum(drawn, 1 - drawn)


def box(share: np.ndarray, u: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes inside the image.

    Args:
        share: (n, d), of each side.
        u: (n, d), 0..1, where.

    Returns:
        Lower and upper ends (n, d), int32, the upper ones exclusive.
    """
    sides = np.round(share * np.asarray(shape))
    lower = np.floor(u * (np.asarray(shape) - sides + 1))
    return lower.astype(np.int32), (lower + sides).astype(np.int32)


def mixed_targets(
    targets: np.ndarray, weights: np.ndarray, partners: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Targets and weights whose loss is that of the two parts, each with its own target and weight.

    Exact where the loss is linear in the target, as cross-entropy is; right too for several labels at once.

    Args:
        targets: (n, classes), 0..1.
        weights: (n,), of each example's loss.
        partners: (n,), place in the batch.
        share: (n,), of the partner.
    """
    own, other = (1 - share) * weights, share * weights[partners]
    total = own + other
    safe = np.where(total > 0, total, 1.0)
    soft = (own / safe)[:, None] * targets + (other / safe)[:, None] * targets[partners]
    changed = (share > 0) & (total > 0)
    return (
        np.where(changed[:, None], soft, targets).astype(np.float32),
        np.where(share > 0, total, weights).astype(np.float32),
    )
