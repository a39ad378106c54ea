"""Slices of one series or object to stacks: what lies on common axes, and which of several each slice belongs to."""

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Protocol, TypeVar

import numpy as np

TURNED = 1e-2  # direction cosines of one volume agree better than this
SAME_PLACE = 1e-3  # mm
EVEN = 0.1  # gaps of an even stack differ from the usual one by less than this share of it


class Placed(Protocol):
    """A slice, of a file or of a multi-frame object: see `Header`."""

    path: str
    number: float
    rows: int
    columns: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    separators: tuple[str | None, ...]


P = TypeVar("P", bound=Placed)


def alike(headers: list[P]) -> list[list[P]]:
    """Groups of one matrix, pixel size and orientation, within `TURNED` of the group's first slice."""
    groups: list[list[P]] = []
    for header in headers:
        for group in groups:
            if _same_frame(group[0], header):
                group.append(header)
                break
        else:
            groups.append([header])
    return groups


def _same_frame(one: Placed, other: Placed) -> bool:
    if (one.rows, one.columns) != (other.rows, other.columns):
        return False
    return _close(one.orientation, other.orientation, TURNED) and _close(
        one.spacing, other.spacing, 1e-3 * max(one.spacing or (1.0,))
    )


def _close(one: tuple[float, ...] | None, other: tuple[float, ...] | None, least: float) -> bool:
    if one is None or other is None:
        return one is other
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) < least


def place(header: Placed) -> float | None:
    """Distance along the normal of the slice, mm, from the origin of the patient's axes; None without a position."""
    if header.orientation is None or header.position is None:
        return None
    normal = np.cross(header.orientation[:3], header.orientation[3:])
    return float(normal @ np.asarray(header.position))


def ordered(headers: list[P]) -> list[P]:
    """Slices along the normal; by instance number, then path, if any lacks its position."""
    places = {header.path: place(header) for header in headers}
    if any(value is None for value in places.values()):
        return sorted(headers, key=lambda header: (header.number, header.path))
    return sorted(headers, key=lambda header: (places[header.path], header.number, header.path))


def _places(headers: list[Placed]) -> np.ndarray | None:
    """Ascending places along the normal, mm; None if any is unknown."""
    places = [place(header) for header in headers]
    return None if any(value is None for value in places) else np.sort(np.array(places, dtype=float))


def _repeats(headers: list[Placed]) -> bool:
    places = _places(headers)
    return places is not None and bool((np.diff(places) < SAME_PLACE).any())


def separate(headers: list[P]) -> list[list[P]] | None:
    """Volumes of one slice per place; None if no element of the header separates them."""
    if not _repeats(headers):
        return _untangled(headers)
    for parts in _partitions(headers):
        found = [separate(part) for part in parts] if min(map(len, parts)) > 1 else [None]
        if None not in found:
            return [volume for volumes in found for volume in volumes]
    return None


def _untangled(headers: list[P]) -> list[list[P]]:
    """Stacks that stand between each other, each of them even, one by one; or all slices as one volume.

    Stacks that follow upon each other (a head in two thicknesses) are one volume.
    """
    places = _places(headers)
    if places is None or _even(places):
        return [ordered(headers)]
    for parts in _partitions(headers):
        stacks = [_places(part) for part in parts]
        if min(map(len, parts)) > 2 and all(map(_even, stacks)):
            spans = sorted((stack[0], stack[-1]) for stack in stacks)
            if all(above[0] < below[1] for below, above in pairwise(spans)):
                return [ordered(part) for part in parts]
    return [ordered(headers)]


def _even(places: np.ndarray) -> bool:
    gaps = np.diff(places)
    return bool(np.abs(gaps - np.median(gaps)).max() <= EVEN * np.median(gaps)) if len(gaps) else True


def _partitions(headers: list[P]) -> Iterator[list[list[P]]]:
    """The slices by each element that has several values, one element after the other."""
    for element in range(len(headers[0].separators)):

        def value(header: P, element: int = element) -> str:
            return header.separators[element] or ""

        parts = [list(part) for _, part in groupby(sorted(headers, key=value), key=value)]
        if len(parts) > 1:
            yield parts
