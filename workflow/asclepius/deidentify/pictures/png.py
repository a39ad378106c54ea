"""PNG (ISO/IEC 15948): critical chunks and those that change how pixels are read; the rest is dropped."""

import struct
import zlib
from collections import Counter

from asclepius.deidentify.pictures import exif
from asclepius.errors import Rejected

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Fixed-size numbers about colour and pixel size; iCCP is not among them, its profile has free text.
_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs"})


def clean(data: bytes, audit: Counter[tuple[str, str, str]]) -> bytes:
    """The file without text, times, profiles, thumbnails and anything behind its end.

    Raises:
        Rejected: truncated or damaged.
    """
    out, pixels, at, up = [SIGNATURE], [], len(SIGNATURE), 1
    while True:
        if at + 12 > len(data):
            raise Rejected("truncated", "the PNG file ends before its last chunk")
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise Rejected("truncated", "the PNG file ends within a chunk")
        body = data[at + 8 : end - 4]
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big") and kind in _KEPT:
            raise Rejected("undecodable", "a chunk of the PNG file is damaged")
        if kind == b"IDAT":
            pixels.append(body)
        elif kind == b"IEND":
            break
        elif kind in _KEPT:
            out.append(_chunk(kind, body))
        else:
            if kind == b"eXIf":
                up = exif.orientation(body)
            audit[_name(kind), "PNG chunk", "X"] += 1
        at = end
    if data[end:]:
        audit["trailing bytes", "PNG file", "X"] += 1
    if up != 1:
        out.append(_chunk(b"eXIf", exif.block(up)))
    out.append(_chunk(b"IDAT", _stream(b"".join(pixels))))
    out.append(_chunk(b"IEND", b""))
    return b"".join(out)


def _stream(pixels: bytes) -> bytes:
    """The compressed pixels alone: bytes may hide behind the end of the stream."""
    stream = zlib.decompressobj()
    try:
        stream.decompress(pixels)
    except zlib.error:
        raise Rejected("undecodable", "the pixels of the PNG file are damaged") from None
    if not stream.eof:
        raise Rejected("truncated", "the PNG file ends before its last pixel")
    return pixels[: len(pixels) - len(stream.unused_data)]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def _name(kind: bytes) -> str:
    # A made-up chunk name could itself tell something.
    known = {b"tEXt", b"zTXt", b"iTXt", b"tIME", b"eXIf", b"iCCP", b"bKGD", b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT"}
    return kind.decode("ascii") if kind in known else "other"
