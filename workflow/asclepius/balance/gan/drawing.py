"""Drawing images of a class until enough of them are no copies."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asclepius.balance.gan.memorisation import Guard

TIMES = 4  # as many images as wanted are drawn in all, at most


@dataclass(frozen=True)
class Space:
    """Args:
    name: "pixels" or "features".
    points: of stored images (n, *shape): (n, d).
    """

    name: str
    points: Callable[[np.ndarray], np.ndarray]
    guard: Guard


@dataclass(frozen=True)
class Drawn:
    """Args:
    images: (n, *shape) of the store's type, those kept.
    points: of those, by the space's name.
    drawn: how many there were before any was dropped.
    distance: of every drawn image to its nearest training image, by space.
    dropped: of each image dropped: its nearest training row, and "pixels", "features" or both.
    """

    images: np.ndarray
    points: dict[str, np.ndarray]
    drawn: int
    distance: dict[str, np.ndarray]
    dropped: list[tuple[int, list[str]]]


def draw(source: Callable[[int, int], np.ndarray], label: int, wanted: int, spaces: list[Space]) -> Drawn:
    """Draw images of a class, drop those too close to a training image in any space, and draw again for them.

    Args:
        source: images start, start + 1, ... of the class, as many as asked for.
        wanted: how many to keep; fewer come back if too many had to be dropped.
    """
    images, points, distances, dropped = [], {s.name: [] for s in spaces}, {s.name: [] for s in spaces}, []
    kept = start = 0
    while kept < wanted and start < TIMES * wanted:
        count = min(wanted - kept, TIMES * wanted - start)
        found = source(start, count)
        start += count
        close, near = {}, {}
        here = {}
        for space in spaces:
            here[space.name] = space.points(found)
            near[space.name] = space.guard.nearest(here[space.name])
            distances[space.name].append(near[space.name].distance)
            close[space.name] = near[space.name].distance <= space.guard.limit(label)
        bad = np.any(list(close.values()), axis=0)
        for i in np.flatnonzero(bad):
            where = [name for name in close if close[name][i]]
            dropped.append((int(near[where[0]].row[i]), where))
        images.append(found[~bad])
        for name in points:
            points[name].append(here[name][~bad])
        kept += int((~bad).sum())
    return Drawn(
        np.concatenate(images),
        {name: np.concatenate(parts) for name, parts in points.items()},
        start,
        {name: np.concatenate(parts) for name, parts in distances.items()},
        dropped,
    )
