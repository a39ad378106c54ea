"""JPEG (ITU-T T.81): markers that decoding needs; comments, application data and thumbnails are dropped."""

import re
import struct
from collections import Counter

from asclepius.deidentify.pictures import exif
from asclepius.deidentify.pictures.pieces import Pieces
from asclepius.errors import Rejected

SIGNATURE = b"\xff\xd8\xff"
_NEXT = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # in entropy-coded data: a marker that ends it
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_SOI, _EOI, _SOS, _DHT, _DQT, _DAC, _DNL, _DRI = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xCC, 0xDC, 0xDD
_APP0, _APP1, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA, 0xCB})  # the hierarchical ones have no reader
_FIXED = {_DNL: 2, _DRI: 2}  # bytes
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and restart markers have no length
_REFUSED = frozenset({_SOI, 0xC5, 0xC6, 0xC7, 0xC8, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF, 0xF7, 0xF8})


def clean(data: bytes, audit: Counter[tuple[str, str, str]]) -> Pieces:
    """The file with the same compressed pixels and nothing that tells of the patient, place or camera.

    Bytes between the last coded block of a scan and the marker that ends it cannot be told from pixels without
    decoding: they stay, and count as pixels when identifiers are searched.

    Raises:
        Rejected: truncated, damaged, or of a kind that common readers do not decode.
    """
    out, _ = rewritten(data, audit)
    return out


def rewritten(
    data: bytes, audit: Counter[tuple[str, str, str]], *, tables_only: bool = False, in_tiff: bool = False
) -> tuple[Pieces, int]:
    """As `clean`, and the place behind the end marker.

    Args:
        tables_only: a stream without picture, as in TIFF's JPEGTables.
        in_tiff: a strip or tile of a TIFF file, whose tables may stand elsewhere; the tag Orientation holds.

    Raises:
        Rejected: as `clean`.
    """
    head, body, kept = [b"\xff\xd8"], Pieces(), set()
    at, up, frames, scans = 2, 1, 0, 0
    while True:
        found = _MARKER.search(data, at)
        if not found:
            raise Rejected("truncated", "the JPEG file ends before its end marker")
        if found.start() > at and data[at : found.start()].strip(b"\xff"):
            audit["bytes between segments", "JPEG file", "X"] += 1
        at, marker = found.start(), data[found.start() + 1]
        if marker == _EOI:
            break
        if marker in _ALONE:
            at += 2
            continue
        if marker in _REFUSED:
            raise Rejected("undecodable", "a kind of JPEG file that is not supported; convert it to PNG")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if end > len(data) or length < 2:
            raise Rejected("truncated", "the JPEG file ends within a segment")
        content = data[at + 4 : end]
        if marker == _SOS:
            if not content or len(content) != 4 + 2 * content[0]:
                raise Rejected("undecodable", "a scan of the JPEG file is damaged")
            found = _NEXT.search(data, end)
            if not found:
                raise Rejected("truncated", "the JPEG file ends within its pixels")
            body.add(_segment(_SOS, content))
            body.add_pixels(data[end : found.start()])
            end = found.start()
            scans += 1
        elif marker in _FRAMES or marker in _TABLES:
            frames += marker in _FRAMES
            body.add(_segment(marker, content[: _length(marker, content)]))
        elif marker == _APP0 and content[:5] == b"JFIF\0" and len(content) >= 14 and _APP0 not in kept:
            kept.add(_APP0)
            head.append(_segment(_APP0, _jfif(content)))
            if len(content) > 14:
                audit["APP0 thumbnail", "JPEG segment", "X"] += 1
        elif marker == _APP14 and content[:5] == b"Adobe" and len(content) >= 12 and _APP14 not in kept:
            kept.add(_APP14)
            body.add(_segment(_APP14, b"Adobe\0\x64\0\0\0\0" + content[11:12]))  # says how colours are coded
        else:
            if marker == _APP1 and content[:6] == b"Exif\0\0" and up == 1 and not in_tiff:
                up = exif.orientation(content[6:])
            audit[_name(marker), "JPEG segment", "X"] += 1
        at = end
    if not tables_only and not (frames and scans):
        raise Rejected("undecodable", "the JPEG file holds no picture")
    if tables_only and (frames or scans):
        raise Rejected("undecodable", "a picture stands among the JPEG tables of the TIFF file")
    if any(data[at + 2 :]):
        audit["trailing bytes", "JPEG file", "X"] += 1
    if up != 1:
        head.append(_segment(_APP1, b"Exif\0\0" + exif.block(up)))
    out = Pieces()
    out.add(*head)
    out.extend(body)
    out.add(b"\xff\xd9")
    return out, at + 2


_TABLES = frozenset({_DHT, _DQT, _DAC, *_FIXED})


def _length(marker: int, content: bytes) -> int:
    """Bytes that a frame header or table needs; what a longer segment holds besides is read by nobody."""
    end, total = 0, len(content)
    if marker in _FRAMES:
        end = 6 + 3 * content[5] if total > 5 else total + 1
    elif marker in _FIXED:
        end = _FIXED[marker]
    elif marker == _DAC:
        end = total - total % 2
    else:
        while end < total:
            if marker == _DQT:
                if content[end] >> 4 > 1 or content[end] & 15 > 3:
                    break
                end += 1 + 64 * (1 + (content[end] >> 4))
            else:
                if content[end] >> 4 > 1 or content[end] & 15 > 3:
                    break
                end += 17 + sum(content[end + 1 : end + 17])
    if not 0 < end <= total:
        raise Rejected("undecodable", "a table of the JPEG file is damaged")
    return end


def _jfif(content: bytes) -> bytes:
    """Version and density without the thumbnail (JFIF 1.02)."""
    version, unit, x, y = content[5:7], content[7], *struct.unpack_from(">HH", content, 8)
    if version not in (b"\1\0", b"\1\1", b"\1\2"):
        version = b"\1\1"
    if unit > 2 or max(x, y) >= 0x2020:  # two letters
        unit, x, y = 0, 1, 1
    return b"JFIF\0" + version + struct.pack(">BHHBB", unit, x, y, 0, 0)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _name(marker: int) -> str:
    if _APP0 <= marker <= _APP15:
        return f"APP{marker - _APP0}"
    return "COM" if marker == _COM else "other"
