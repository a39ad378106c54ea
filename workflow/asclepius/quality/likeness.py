"""Whether an image looks like the others of its kind, or would if it were turned."""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np

_REFERENCES = 1000  # images that stand for a group
_COMPONENTS = 40
_BINS = 16
_NEIGHBOURS = 0.1  # share of the references: an image is strange if it is far from so many
_FEWEST = 10
_RESEMBLES = 0.05  # quantile of the group: what fits less is no turned image but something else
_CHUNK = 8192


def better_turned(miniatures: np.ndarray) -> np.ndarray:
    """By how much an image resembles its group more after a quarter turn or a reflection than as it is.

    The group is represented by the median of its miniatures. An image that, turned, resembles it less than
    nearly all others do as they are is not turned but something else.

    Args:
        miniatures: uint8 (image, plane, y, x) of one kind.

    Returns:
        Difference of correlations (image,); below 0 where the image fits best as it is.
    """
    middle = np.median(miniatures[_evenly(len(miniatures))], axis=0)
    templates = _unit(np.stack(list(turned(middle))))
    fit = np.concatenate([_unit(part) @ templates.T for part in _parts(miniatures)])
    others = fit[:, 1:].max(axis=1)
    return np.where(others >= np.quantile(fit[:, 0], _RESEMBLES), others - fit[:, 0], -1.0)


def strangeness(miniatures: np.ndarray) -> np.ndarray:
    """Distance of each image from its near tenth of the group, by layout and shades: (image,).

    A distance to neighbours, not to the middle: a kind may hold several views. As many images of another kind as a
    tenth of the group find each other and look usual.

    Args:
        miniatures: uint8 (image, plane, y, x) of one kind.
    """
    rows = _evenly(len(miniatures))
    references = _traits(miniatures[rows])
    centre = references.mean(axis=0)
    basis = np.linalg.svd(references - centre, full_matrices=False)[2][:_COMPONENTS].T
    known = (references - centre) @ basis
    near = min(max(_FEWEST, round(_NEIGHBOURS * len(rows))), len(rows) - 1)
    found = []
    for part in _parts(miniatures):
        here = (_traits(part) - centre) @ basis
        squared = (here**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * here @ known.T
        found.append(np.sqrt(np.maximum(np.partition(squared, near, axis=1)[:, near], 0)))
    return np.concatenate(found)


def turned(planes: np.ndarray) -> Iterator[np.ndarray]:
    """The planes of an image in all 8 (a volume: 48) orientations along its axes, as it is first.

    Args:
        planes: (plane, y, x), see `views.miniature`.
    """
    if len(planes) == 1:
        for mirrored in (planes, planes[:, :, ::-1]):
            for quarter in range(4):
                yield np.rot90(mirrored, quarter, axes=(1, 2))
        return
    for axes in permutations(range(3)):
        for steps in product((1, -1), repeat=3):
            seen = []
            for across in range(3):
                rows, columns = (axis for axis in range(3) if axis != across)
                plane = planes[axes[across]]
                plane = plane if axes[rows] < axes[columns] else plane.T
                seen.append(plane[:: steps[rows], :: steps[columns]])
            yield np.stack(seen)


def _traits(miniatures: np.ndarray) -> np.ndarray:
    """Layout and shades of images, both of length 1: (image, trait)."""
    flat = miniatures.reshape(len(miniatures), -1)
    shade = flat // (256 // _BINS)
    counts = np.stack([(shade == level).mean(axis=1) for level in range(_BINS)], axis=1)
    return np.hstack([_unit(miniatures), np.sqrt(counts, dtype=np.float32)])


def _unit(miniatures: np.ndarray) -> np.ndarray:
    flat = miniatures.reshape(len(miniatures), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1.0)


def _evenly(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, _REFERENCES)).round().astype(int))


def _parts(miniatures: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(miniatures), _CHUNK):
        yield miniatures[start : start + _CHUNK]
