"""From DICOM files to volumes: which slices belong together, and in what order."""

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from asclepius.cohort.header import Header
from asclepius.errors import Rejected

TURNED = 1e-2  # direction cosines of one volume agree better than this
SAME_PLACE = 1e-3  # mm
LOCALISER = re.compile(r"\b(locali[sz]er|scout|survey|topogram|surview)\b", re.IGNORECASE)


@dataclass
class Sorted:
    """Args:
    volumes: each a list of headers in reading order: along the normal, or by instance number without positions.
    rejected: headers left out together, and why.
    """

    volumes: list[list[Header]]
    rejected: list[tuple[list[Header], Rejected]]


def is_localiser(header: Header) -> bool:
    """A planning image: value 3 of Image Type (PS3.3 C.8.2.1.1.1), or what operators call it."""
    return "LOCALIZER" in header.image_type.upper() or bool(LOCALISER.search(header.description))


def without_copies(headers: list[Header], content: Callable[[str], bytes]) -> tuple[list[Header], list[Header]]:
    """(first of each instance, further copies of it) among the files of one patient.

    An instance is its UID and place; a complete file goes before one cut short. Careless anonymisers give one UID
    to many images: files without a position are copies only if their bytes agree.

    Args:
        content: reads a file by its path.
    """
    kept: list[Header] = []
    copies: list[Header] = []
    first: dict[tuple, list[Header]] = {}
    for header in sorted(headers, key=lambda header: (not header.complete, header.path)):
        key = (header.instance_uid, header.series, header.number, header.position, header.rows, header.columns)
        same = first.setdefault(key, []) if header.instance_uid else []
        if same and (header.position or _digest(header, content) in {_digest(one, content) for one in same}):
            copies.append(header)
        else:
            kept.append(header)
            same.append(header)
    return sorted(kept, key=lambda header: header.path), copies


def _digest(header: Header, content: Callable[[str], bytes]) -> bytes:
    return hashlib.sha256(content(header.path)).digest()


def volumes(headers: Iterable[Header]) -> Sorted:
    """The volumes of one series of one patient.

    Slices of one orientation and matrix form a volume. Where several lie at one place, the first element that tells
    them apart (acquisition, time point, echo, diffusion weight, trigger time) separates them.
    """
    headers = list(headers)
    found = Sorted([], [])
    cut = sum(not header.complete for header in headers)
    if cut:
        sentence = f"{cut} of the {len(headers)} files of the series are cut short; copy it again"
        return Sorted([], [(headers, Rejected("truncated", sentence))])
    found.volumes += [[header] for header in headers if header.frames > 1]
    groups = _alike([header for header in headers if header.frames == 1])
    for group in groups:
        if len(group) == 1:
            alone = len(headers) == 1
            reason = "geometry" if alone else "excluded"
            sentence = (
                "a series of one slice, no volume; set cohort.unit to image or slice, or exclude it"
                if alone
                else "a lone slice of another orientation or size beside the volume of its series"
            )
            found.rejected.append((group, Rejected(reason, sentence)))
            continue
        parts = _separate(group)
        if parts is None:
            sentence = "several slices at one place and nothing in the header tells them apart"
            found.rejected.append((group, Rejected("geometry", sentence)))
        else:
            found.volumes += parts
    found.volumes.sort(key=lambda slices: (-len(slices), slices[0].path))
    return found


def _alike(headers: list[Header]) -> list[list[Header]]:
    """Groups of one matrix size and one orientation, within `TURNED` of the group's first slice."""
    groups: list[list[Header]] = []
    for header in headers:
        for group in groups:
            if _same_frame(group[0], header):
                group.append(header)
                break
        else:
            groups.append([header])
    return groups


def _same_frame(one: Header, other: Header) -> bool:
    if (one.rows, one.columns) != (other.rows, other.columns) or (one.orientation is None) != (
        other.orientation is None
    ):
        return False
    if one.orientation is None:
        return True
    return max(abs(a - b) for a, b in zip(one.orientation, other.orientation, strict=True)) < TURNED


def place(header: Header) -> float | None:
    """Distance along the normal of the slice, mm, from the origin of the patient's axes; None without a position."""
    if header.orientation is None or header.position is None:
        return None
    normal = np.cross(header.orientation[:3], header.orientation[3:])
    return float(normal @ np.asarray(header.position))


def ordered(headers: list[Header]) -> list[Header]:
    """Slices along the normal; by instance number, then path, if any lacks its position."""
    places = {header.path: place(header) for header in headers}
    if any(value is None for value in places.values()):
        return sorted(headers, key=lambda header: (header.number, header.path))
    return sorted(headers, key=lambda header: (places[header.path], header.number, header.path))


def _repeats(headers: list[Header]) -> bool:
    places = [place(header) for header in ordered(headers)]
    if any(value is None for value in places):
        return False
    return bool((np.diff(places) < SAME_PLACE).any())


def _separate(headers: list[Header]) -> list[list[Header]] | None:
    """Volumes of one slice per place; None if no element of the header separates them."""
    if not _repeats(headers):
        return [ordered(headers)]
    for element in range(len(headers[0].separators)):

        def value(header: Header, element: int = element) -> str:
            return header.separators[element] or ""

        parts = [list(part) for _, part in groupby(sorted(headers, key=value), key=value)]
        if len(parts) > 1 and all(len(part) > 1 and not _repeats(part) for part in parts):
            return [ordered(part) for part in parts]
    return None


def common_folder(headers: list[Header]) -> str:
    """The deepest folder that holds all files; "" for the top."""
    return posixpath.commonpath([posixpath.dirname(header.path) for header in headers])
