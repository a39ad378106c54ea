"""Private elements that PS3.15 E.3.10 lists as safe."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from asclepius.deidentify.dicom.characters import decode
from asclepius.deidentify.dicom.syntax import Coding, element_of
from asclepius.deidentify.profile.tables import private_vr

_LOWEST, _HIGHEST = 0x10, 0xFF  # elements that reserve a block (PS3.5 section 7.8.1)


def safe(
    odd: Iterable[tuple[int, bytes]], coding: Coding, encodings: tuple[str, ...]
) -> Iterator[tuple[int, bytes, str]]:
    """The safe elements of one data set or item; sequences are not among them.

    Args:
        odd: tag and bytes of its private elements.

    Yields:
        Tag, the element's bytes and the value representation of the safe list.
    """
    creators: dict[tuple[int, int], str] = {}
    for tag, raw in odd:
        group, number = tag >> 16, tag & 0xFFFF
        if _LOWEST <= number <= _HIGHEST:
            creators[group, number] = _creator(raw, coding, encodings)
            continue
        creator = creators.get((group, number >> 8))
        vr = private_vr(creator, group, number & 0xFF) if creator else None
        if vr is not None:
            yield tag, raw, vr


def creators_of(kept: Iterable[int], odd: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Creators of the blocks that still hold an element."""
    blocks = {(tag >> 16, (tag & 0xFFFF) >> 8) for tag in kept}
    return [(tag, raw) for tag, raw in odd if (tag >> 16, tag & 0xFFFF) in blocks]


@lru_cache(maxsize=4096)
def _creator(raw: bytes, coding: Coding, encodings: tuple[str, ...]) -> str:
    return decode(element_of(raw, coding).value, encodings)
