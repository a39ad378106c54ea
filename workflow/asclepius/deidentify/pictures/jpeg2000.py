"""JPEG 2000 codestreams (ITU-T T.800 Annex A), as slide scanners put into TIFF: comments and pointers are dropped."""

import struct
from collections import Counter

from asclepius.deidentify.pictures.pieces import Pieces
from asclepius.errors import Rejected

_SOC, _SOT, _SOD, _EOC = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9
_SIZ = 0xFF51
_MAIN = frozenset(
    {_SIZ, 0xFF50, 0xFF52, 0xFF53, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF60}
)  # CAP COD COC QCD QCC RGN POC PPM
_TILE = frozenset({0xFF52, 0xFF53, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF61})  # the last: PPT
_NAMES = {0xFF55: "TLM", 0xFF57: "PLM", 0xFF58: "PLT", 0xFF63: "CRG", 0xFF64: "COM"}  # none of them is needed to decode


def rewritten(data: memoryview, audit: Counter[tuple[str, str, str]]) -> Pieces:
    """A codestream with the markers that decoding needs and its packets as they were.

    Raises:
        Rejected: truncated or damaged.
    """
    out = Pieces()
    try:
        if _word(data, 0) != _SOC or _word(data, 2) != _SIZ:
            raise Rejected("undecodable", "a JPEG 2000 tile is damaged")
        out.add(data[:2])
        at, kept = _markers(data, 2, _MAIN, _SOT, audit)
        out.add(kept)
        while at < len(data) and _word(data, at) == _SOT:
            length, index, size, part, parts = struct.unpack_from(">HHLBB", data, at + 2)
            head, kept = _markers(data, at + 12, _TILE, _SOD, audit)
            # No packet holds a marker: the next one ends the last tile, which need not give its length.
            end = at + size if size else bytes(data).find(b"\xff\xd9", head)
            if length != 10 or end > len(data) or end < head + 2:
                raise Rejected("truncated", "a JPEG 2000 tile ends too early")
            body = data[head:end]
            out.add(struct.pack(">HHHLBB", _SOT, 10, index, 12 + len(kept) + len(body), part, parts), kept)
            out.add_pixels(body)
            at = end
        if any(data[at + 2 :] if data[at : at + 2] == b"\xff\xd9" else data[at:]):
            audit["trailing bytes", "JPEG 2000 tile", "X"] += 1
    except struct.error:
        raise Rejected("truncated", "a JPEG 2000 tile ends too early") from None
    out.add(b"\xff\xd9")
    return out


def _word(data: memoryview, at: int) -> int:
    return struct.unpack_from(">H", data, at)[0]


def _markers(
    data: memoryview, at: int, legal: frozenset[int], last: int, audit: Counter[tuple[str, str, str]]
) -> tuple[int, bytes]:
    """The place of the marker that ends a header, and the legal segments before it."""
    kept = []
    while (marker := _word(data, at)) != last:
        length = _word(data, at + 2)
        if length < 2 or (marker == _SIZ and length != 38 + 3 * _word(data, at + 38)):
            raise Rejected("undecodable", "a JPEG 2000 tile is damaged")
        if marker in legal:
            kept.append(bytes(data[at : at + 2 + length]))
        elif marker in _NAMES:
            audit[_NAMES[marker], "JPEG 2000 tile", "X"] += 1
        else:
            raise Rejected("undecodable", "a JPEG 2000 tile of a kind that is not supported")
        at += 2 + length
    return at, b"".join(kept)
