"""Strips and tiles of a TIFF file: what a decoder reads of them, byte for byte, and nothing behind it."""

import zlib
from collections import Counter

from isal import isal_zlib

from asclepius.deidentify.pictures import jpeg, jpeg2000
from asclepius.deidentify.pictures.pieces import Pieces
from asclepius.errors import Rejected

NONE, LZW, JPEG, ADOBE_DEFLATE, PACKBITS, DEFLATE = 1, 5, 7, 8, 32773, 32946
JPEG_2000 = frozenset({33003, 33004, 33005, 34712})  # Aperio's, Kakadu's
KNOWN = frozenset({NONE, LZW, JPEG, ADOBE_DEFLATE, PACKBITS, DEFLATE, *JPEG_2000})
_CLEAR, _END, _FIRST = 256, 257, 258


def cut(data: memoryview, compression: int, size: int, audit: Counter[tuple[str, str, str]]) -> Pieces:
    """One strip or tile.

    Args:
        data: its bytes as the file counts them.
        compression: one of `KNOWN`.
        size: bytes of its pixels when decoded; not used for JPEG and JPEG 2000.

    Raises:
        Rejected: truncated or damaged.
    """
    if compression == JPEG:
        out, _ = jpeg.rewritten(bytes(data), audit, in_tiff=True)
        return out
    if compression in JPEG_2000:
        return jpeg2000.rewritten(data, audit)
    out = Pieces()
    if compression == NONE:
        end = size
    elif compression in (DEFLATE, ADOBE_DEFLATE):
        return _deflated(data, size, audit)
    else:
        end = (_lzw if compression == LZW else _packbits)(data, size)
    if end > len(data):
        raise Rejected("truncated", "the TIFF file ends before its last pixel")
    _note(data[end:], audit)
    out.add_pixels(data[:end])
    return out


def _note(rest: bytes | memoryview, audit: Counter[tuple[str, str, str]]) -> None:
    if any(rest):
        audit["bytes behind the pixels", "TIFF strip", "X"] += 1


def _deflated(data: memoryview, size: int, audit: Counter[tuple[str, str, str]]) -> Pieces:
    stream = isal_zlib.decompressobj()
    try:
        raw = stream.decompress(data, size + 1)
        if len(raw) == size and not stream.eof:
            raw += stream.decompress(stream.unconsumed_tail, 1)
    except isal_zlib.error:
        raise Rejected("undecodable", "the pixels of the TIFF file are damaged") from None
    if len(raw) < size or (len(raw) == size and not stream.eof):
        raise Rejected("truncated", "the TIFF file ends before its last pixel")
    _note(stream.unused_data or raw[size:], audit)
    out = Pieces()
    if len(raw) > size:  # rows that are no part of the picture
        out.add_pixels(zlib.compress(raw[:size], 6))
    else:
        out.add_pixels(data[: len(data) - len(stream.unused_data)])
    return out


def _packbits(data: memoryview, size: int) -> int:
    """Bytes that hold `size` bytes of pixels (TIFF 6.0 section 9)."""
    at = made = 0
    while made < size and at < len(data):
        run = data[at]
        at, made = (at + 2 + run, made + run + 1) if run < 128 else (at + 1 + (run > 128), made + (257 - run) % 129)
    return at if made >= size else len(data) + 1


def _lzw(data: memoryview, size: int) -> int:
    """Bytes that hold `size` bytes of pixels and the end code, if there is one (TIFF 6.0 section 13)."""
    if len(data) > 1 and data[0] == 0 and data[1] & 1:
        raise Rejected("undecodable", "a TIFF file with LZW compression of the old kind; convert it")
    lengths = [1] * _CLEAR + [0, 0]
    made = previous = held = bits = at = 0
    width, total = 9, len(data)
    while True:
        while bits < width:
            if at == total:  # without an end code
                return at if made >= size else total + 1
            held = (held << 8) | data[at]
            at += 1
            bits += 8
        bits -= width
        code = held >> bits
        held &= (1 << bits) - 1
        if code == _CLEAR:
            del lengths[_FIRST:]
            width, previous = 9, 0
            continue
        if code == _END:
            return at if made >= size else total + 1
        if made >= size:  # more pixels than the picture has: up to the byte in which they begin
            return -(-(8 * at - bits - width) // 8)
        if previous:
            lengths.append(previous + 1)
        if code >= len(lengths):
            raise Rejected("undecodable", "the pixels of the TIFF file are damaged")
        previous = lengths[code]
        made += previous
        count = len(lengths)
        width = 12 if count >= 2047 else 11 if count >= 1023 else 10 if count >= 511 else 9
