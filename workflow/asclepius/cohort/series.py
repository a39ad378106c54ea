"""From DICOM files to volumes: which slices belong together, and in what order."""

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from asclepius.cohort import stacks
from asclepius.cohort.header import Header
from asclepius.errors import Rejected

LOCALISER = re.compile(
    r"(?<![a-z])(locali[sz]ers?|loc|scout|survey|topograms?|surview|scanogram|(3|three|tri)[ -]?plane)(?![a-z])",
    re.IGNORECASE,
)


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

    Slices of one orientation, matrix and pixel size form a volume. Where several lie at one place, or two stacks stand
    between each other, the elements that tell them apart (acquisition, time point, echo, kind of image ...) do so.
    """
    headers = list(headers)
    found = Sorted([], [])
    cut = sum(not header.complete for header in headers)
    if cut:
        sentence = f"{cut} of the {len(headers)} files of the series are cut short; copy it again"
        return Sorted([], [(headers, Rejected("truncated", sentence))])
    found.volumes += [[header] for header in headers if header.frames > 1]
    groups = stacks.alike([header for header in headers if header.frames == 1])
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
        parts = stacks.separate(group)
        if parts is None:
            sentence = "several slices at one place and nothing in the header tells them apart"
            found.rejected.append((group, Rejected("geometry", sentence)))
        else:
            found.volumes += parts
    found.volumes.sort(key=lambda slices: (-len(slices), slices[0].path))
    return found


def common_folder(headers: list[Header]) -> str:
    """The deepest folder that holds all files; "" for the top."""
    return posixpath.commonpath([posixpath.dirname(header.path) for header in headers])
