"""A file's elements in runs: what stands together unchanged in the files of a series is compared as one."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

from asclepius.deidentify.dicom.syntax import PIXELS, Buffer, Coding, Place, walk

_MOST = 48  # runs of a file; beyond them the cuts of earlier series cost more than they save


class Run:
    """Consecutive elements of the outermost level.

    Args:
        raw: their bytes.
        tags: of each, in the order of the file.
        ends: where each ends in `raw`.
    """

    def __init__(self, raw: bytes, tags: tuple[int, ...], ends: tuple[int, ...]):
        self.raw, self.tags, self.ends = raw, tags, ends

    @classmethod
    def of(cls, data: Buffer, places: Sequence[Place]) -> "Run":
        """The elements at neighbouring places of a file."""
        begin = places[0][1]
        return cls(
            bytes(data[begin : places[-1][2]]),
            tuple(tag for tag, _, _ in places),
            tuple(end - begin for _, _, end in places),
        )

    @cached_property
    def raws(self) -> tuple[bytes, ...]:
        """The bytes of each element."""
        return tuple(self.raw[begin:end] for begin, end in zip((0, *self.ends), self.ends, strict=False))

    @cached_property
    def by_tag(self) -> dict[int, bytes]:
        """The bytes of each element; of two with one tag the last."""
        return dict(zip(self.tags, self.raws, strict=True))

    @cached_property
    def ascending(self) -> bool:
        """Whether each tag is higher than the one before, as PS3.5 7.1 asks."""
        return all(one < other for one, other in pairwise(self.tags))


def runs_of(data: Buffer, at: int, end: int, coding: Coding, like: Sequence[Run]) -> tuple[list[Run], Place | None]:
    """The elements from an offset up to the pixels, and the place of the element that holds those.

    Args:
        like: what this returned for another file in the same coding; for speed alone.

    Raises:
        Broken: as `walk`.
    """
    found: list[Run] = []
    for run in like if len(like) <= _MOST else [_joined(like)]:
        stop = at + len(run.raw)
        if data[at:stop] == run.raw:
            found.append(run)
            at = stop
            continue
        places = walk(data, at, end, coding, pixels=True, last=max(run.tags))
        if places and places[-1][0] in PIXELS:  # out of order: what follows is not looked at
            break
        if places:
            found += _apart(data, places, run)
            at = places[-1][2]
    places = walk(data, at, end, coding, pixels=True)
    pixels = places.pop() if places and places[-1][0] in PIXELS else None
    if places:
        found.append(Run.of(data, places))
    return found, pixels


def _apart(data: Buffer, places: list[Place], run: Run) -> Iterator[Run]:
    """Elements in runs of such as stand in another run, and of such as do not."""
    known = run.by_tag
    same = [known.get(tag) == data[begin:end] for tag, begin, end in places]
    first = 0
    for number in range(1, len(places) + 1):
        if number == len(places) or same[number] != same[first]:
            yield Run.of(data, places[first:number])
            first = number


def _joined(runs: Sequence[Run]) -> Run:
    tags, ends, length = [], [], 0
    for run in runs:
        tags += run.tags
        ends += [length + end for end in run.ends]
        length += len(run.raw)
    return Run(b"".join(run.raw for run in runs), tuple(tags), tuple(ends))
