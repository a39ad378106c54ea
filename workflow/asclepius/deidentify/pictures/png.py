"""PNG (ISO/IEC 15948): critical chunks and those that change how pixels are read; the rest is dropped."""

import struct
import zlib
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

from isal import isal_zlib

from asclepius.deidentify.pictures import exif
from asclepius.deidentify.pictures.pieces import Pieces
from asclepius.errors import Rejected

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _PALETTE: (1, 2, 4, 8)}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7
_LARGEST = 1 << 31  # bytes of pixels: a small file may claim any size
_NAMED = frozenset(
    {b"tEXt", b"zTXt", b"iTXt", b"tIME", b"eXIf", b"iCCP", b"bKGD", b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT"}
)


class _Head(NamedTuple):
    """IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlaced: int

    def rows(self) -> list[tuple[int, int]]:
        """Of each pass: number of rows, bytes per row with its filter's byte."""
        bits = self.depth * _CHANNELS[self.colour]
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        sizes = [(-(-(self.height - y) // dy), -(-(self.width - x) // dx)) for x, y, dx, dy in passes]
        return [(rows, 1 + (columns * bits + 7) // 8) for rows, columns in sizes if rows > 0 and columns > 0]


def clean(data: bytes, audit: Counter[tuple[str, str, str]]) -> Pieces:
    """The file without text, times, profiles, thumbnails, unused colours and anything behind its end or its pixels.

    Raises:
        Rejected: truncated, damaged or an animation.
    """
    at, up, head, chunks, pixels = len(SIGNATURE), 1, None, {}, []
    while True:
        if at + 12 > len(data):
            raise Rejected("truncated", "the PNG file ends before its last chunk")
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise Rejected("truncated", "the PNG file ends within a chunk")
        body = data[at + 8 : end - 4]
        if kind in _CRITICAL or kind in _LEGAL:
            if isal_zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise Rejected("undecodable", "a chunk of the PNG file is damaged")
        elif not kind[:1].islower():
            raise Rejected("undecodable", "the PNG file has a chunk that no standard knows and no reader may skip")
        if head is None:
            head = _head(kind, body)
        elif kind == b"IEND":
            break
        elif kind == b"IDAT":
            pixels.append(body)
        elif kind in _LEGAL and kind not in chunks and _LEGAL[kind](head, body):
            chunks[kind] = body
        else:
            if kind == b"acTL" and int.from_bytes(body[:4], "big") > 1:
                raise Rejected("wrong-shape", "an animation; give one file per picture")
            if kind == b"eXIf":
                up = exif.orientation(body)
            audit[kind.decode("ascii") if kind in _NAMED else "other", "PNG chunk", "X"] += 1
        at = end
    if data[end:]:
        audit["trailing bytes", "PNG file", "X"] += 1
    if up != 1:
        chunks[b"eXIf"] = exif.block(up)
    stream = _stream(head, b"".join(pixels), audit)
    if head.colour == _PALETTE:
        if b"PLTE" not in chunks:
            raise Rejected("undecodable", "the PNG file has no palette")
        _blank_unused(head, chunks, stream, audit)
    return _written(head, chunks, stream)


def _head(kind: bytes, body: bytes) -> _Head:
    if kind == b"IHDR" and len(body) == 13:
        head = _Head(*struct.unpack(">LLBBBBB", body))
        legal = head.colour in _CHANNELS and head.depth in _DEPTHS.get(head.colour, (8, 16))
        if legal and head.width and head.height and head[4:6] == (0, 0) and head.interlaced < 2:
            return head
    raise Rejected("undecodable", "the header of the PNG file is damaged")


def _numbers(body: bytes) -> list[int]:
    return [int.from_bytes(body[at : at + 4], "big") for at in range(0, len(body), 4)]


# Chunks that may stay, if they hold what the standard says: numbers about colour and size. iCCP is not among them,
# its profile has free text; nor is a palette that only suggests colours.
_LEGAL: dict[bytes, Callable[[_Head, bytes], bool]] = {
    b"PLTE": lambda head, body: head.colour == _PALETTE and 3 <= len(body) <= 3 << head.depth and len(body) % 3 == 0,
    b"tRNS": lambda head, body: (
        1 <= len(body) <= 1 << head.depth
        if head.colour == _PALETTE
        else len(body) == {_GREY: 2, _RGB: 6}.get(head.colour)
    ),
    b"gAMA": lambda head, body: len(body) == 4 and 0 < _numbers(body)[0] <= 10_000_000,
    b"cHRM": lambda head, body: len(body) == 32 and max(_numbers(body)) <= 200_000,
    b"sRGB": lambda head, body: len(body) == 1 and body[0] <= 3,
    b"sBIT": lambda head, body: (
        len(body) == (3 if head.colour == _PALETTE else _CHANNELS[head.colour]) and max(body) <= 16
    ),
    b"pHYs": lambda head, body: len(body) == 9 and max(_numbers(body[:8])) <= 100_000_000 and body[8] <= 1,
}
_CRITICAL = frozenset({b"IHDR", b"IDAT", b"IEND"})


def _stream(head: _Head, pixels: bytes, audit: Counter[tuple[str, str, str]]) -> bytes:
    """The compressed pixels alone: bytes may hide behind the end of the stream, or in it behind the last row."""
    rows = head.rows()
    size = sum(count * width for count, width in rows)
    if size > _LARGEST:
        raise Rejected("undecodable", "a PNG file of more than 2 GB of pixels; cut it into parts")
    stream = isal_zlib.decompressobj()
    try:
        raw = stream.decompress(pixels, size + 1)
        if len(raw) == size and not stream.eof:
            raw += stream.decompress(stream.unconsumed_tail, 1)
    except isal_zlib.error:
        raise Rejected("undecodable", "the pixels of the PNG file are damaged") from None
    if len(raw) < size or (len(raw) == size and not stream.eof):
        raise Rejected("truncated", "the PNG file ends before its last pixel")
    at = 0
    for count, width in rows:
        if max(raw[at : at + count * width : width]) > 4:
            raise Rejected("undecodable", "the pixels of the PNG file are damaged")
        at += count * width
    if len(raw) > size:
        audit["bytes behind the pixels", "PNG file", "X"] += 1
        return zlib.compress(raw[:size], 6)
    if stream.unused_data:
        audit["bytes behind the pixels", "PNG file", "X"] += 1
    return pixels[: len(pixels) - len(stream.unused_data)]


def _blank_unused(head: _Head, chunks: dict[bytes, bytes], stream: bytes, audit: Counter[tuple[str, str, str]]) -> None:
    """Colours that no pixel has become black; those behind the last one used go."""
    import numpy as np
    from PIL import Image  # slow to import: only for who needs it

    try:
        # A palette of full length, since Pillow reads indices with any.
        with Image.open(BytesIO(_written(head, {b"PLTE": bytes(3 << head.depth)}, stream).join())) as image:
            counts = np.bincount(np.asarray(image).ravel(), minlength=256)
    except Exception:  # Pillow raises nearly anything for a damaged file
        raise Rejected("undecodable", "the pixels of the PNG file are damaged") from None
    last = int(np.flatnonzero(counts)[-1])
    for kind, width in ((b"PLTE", 3), (b"tRNS", 1)):
        body = bytearray(chunks.get(kind, b"")[: width * (last + 1)])
        for index in np.flatnonzero(counts[: len(body) // width] == 0):
            body[width * index : width * (index + 1)] = bytes(width)
        if kind in chunks and body != chunks[kind]:
            audit[kind.decode(), "PNG chunk", "C"] += 1
            chunks[kind] = bytes(body)


def _written(head: _Head, chunks: dict[bytes, bytes], stream: bytes) -> Pieces:
    out = Pieces()
    out.add(SIGNATURE, *_chunk(b"IHDR", struct.pack(">LLBBBBB", *head)))
    for kind, body in chunks.items():
        out.add(*_chunk(kind, body))
    start, body, end = _chunk(b"IDAT", stream)
    out.add(start)
    out.add_pixels(body)
    out.add(end, *_chunk(b"IEND", b""))
    return out


def _chunk(kind: bytes, body: bytes) -> tuple[bytes, bytes, bytes]:
    return struct.pack(">L", len(body)) + kind, body, struct.pack(">L", isal_zlib.crc32(body, isal_zlib.crc32(kind)))
