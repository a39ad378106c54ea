"""JPEG (ITU-T T.81): markers that decoding needs; comments, application data and thumbnails are dropped."""

import re
import struct
from collections import Counter

from asclepius.deidentify.pictures import exif
from asclepius.errors import Rejected

SIGNATURE = b"\xff\xd8\xff"
_NEXT = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # in entropy-coded data: a marker that ends it
_SOS, _EOI, _COM, _APP0, _APP1, _APP14, _APP15 = 0xDA, 0xD9, 0xFE, 0xE0, 0xE1, 0xEE, 0xEF
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
# Tables, frames, restart interval, number of lines, hierarchy.
_KEPT = _FRAMES | {0xC4, 0xC8, 0xCC, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xF7, 0xF8}


def clean(data: bytes, audit: Counter[tuple[str, str, str]]) -> bytes:
    """The file with the same compressed pixels and nothing that tells of the patient, place or camera.

    Raises:
        Rejected: truncated or damaged.
    """
    head, body = [b"\xff\xd8"], []
    at, up, frames, scans = 2, 1, 0, 0
    while True:
        while data[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if at + 2 > len(data):
            raise Rejected("truncated", "the JPEG file ends before its end marker")
        if data[at] != 0xFF:
            raise Rejected("undecodable", "a marker of the JPEG file is damaged")
        marker = data[at + 1]
        if marker == _EOI:
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if end > len(data) or length < 2:
            raise Rejected("truncated", "the JPEG file ends within a segment")
        content = data[at + 4 : end]
        if marker == _SOS:
            found = _NEXT.search(data, end)
            if not found:
                raise Rejected("truncated", "the JPEG file ends within its pixels")
            end = found.start()
            body.append(data[at:end])
            scans += 1
        elif marker in _KEPT:
            body.append(data[at:end])
            frames += marker in _FRAMES
        elif marker == _APP0 and content[:5] == b"JFIF\0" and len(content) >= 14:
            head.append(_segment(_APP0, content[:12] + b"\0\0"))  # without the thumbnail
            if len(content) > 14:
                audit["APP0 thumbnail", "JPEG segment", "X"] += 1
        elif marker == _APP14 and content[:5] == b"Adobe":
            body.append(_segment(_APP14, content[:12]))  # says how colours are coded
        else:
            if marker == _APP1 and content[:6] == b"Exif\0\0" and up == 1:
                up = exif.orientation(content[6:])
            audit[_name(marker), "JPEG segment", "X"] += 1
        at = end
    if not frames or not scans:
        raise Rejected("undecodable", "the JPEG file holds no picture")
    if data[at + 2 :]:
        audit["trailing bytes", "JPEG file", "X"] += 1
    if up != 1:
        head.append(_segment(_APP1, b"Exif\0\0" + exif.block(up)))
    return b"".join([*head, *body, b"\xff\xd9"])


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _name(marker: int) -> str:
    if _APP0 <= marker <= _APP15:
        return f"APP{marker - _APP0}"
    return "COM" if marker == _COM else "other"
