"""Bits of the pixels that hold no value: cleared where they tell something, whether an overlay is declared or not."""

import mmap
import tempfile
from collections.abc import Iterator

import numpy as np

from asclepius.deidentify.buffers import chunks
from asclepius.deidentify.dicom.fragments import items
from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.dicom.replacing import NewPixels
from asclepius.deidentify.pixels.unused import Cell

REMARK = "bits beside the values"
_PIXEL_DATA, _RLE = 0x7FE00010, "1.2.840.10008.1.2.5"
_IN_MEMORY = 64 << 20  # bytes of cleared pixels; more lie in a file without a name
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}  # ITU-T T.81 table B.1, T.87 C.1.1
_SOI, _SOC, _SIZ = b"\xff\xd8", b"\xff\x4f", 0x51


def cell_of(source: Source) -> Cell:
    """Where the values lie in a file's pixels; full if the header contradicts itself or they are real numbers."""
    allocated = source.number(0x00280100, 0)
    stored = source.number(0x00280101, allocated)
    if stored == allocated or source.pixels is None or source.pixels.tag != _PIXEL_DATA:
        return Cell(allocated, allocated, allocated - 1, False)
    padding = source.number(0x00280120, 0) if source.has(0x00280120) else None
    return Cell(allocated, stored, source.number(0x00280102, stored - 1), source.number(0x00280103, 0) == 1, padding)


def cleared(source: Source, cell: Cell) -> NewPixels | None:
    """Uncompressed pixels without what unused bits tell; None if that is nothing.

    Args:
        cell: not full.
    """
    kind = np.dtype(f"{'<' if source.coding.little else '>'}{'i' if cell.signed else 'u'}{cell.allocated // 8}")
    begin = source.pixels.begin
    with memoryview(source.body) as body, body[begin : begin + source.promised] as value:

        def pieces() -> Iterator[np.ndarray]:
            for piece in chunks(value):
                yield np.frombuffer(piece, kind)

        if not cell.tells(pieces):
            return None
        if len(value) <= _IN_MEMORY:
            new = memoryview(b"".join(cell.proper(cells).astype(kind, copy=False).tobytes() for cells in pieces()))
        else:
            with tempfile.TemporaryFile() as file:
                for cells in pieces():
                    file.write(cell.proper(cells).astype(kind, copy=False))
                file.flush()
                new = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return NewPixels(new, False, source.syntax, {}, frozenset(), frozenset(), (REMARK,))


def has_room(source: Source, stored: int) -> bool:
    """Whether compressed pixels may hold more bits than the values have: the precision of each stream tells."""
    if source.syntax == _RLE:
        return True
    with memoryview(source.body) as body, body[source.pixels.begin : source.pixels.end] as value:
        found = [_precision(value[begin : min(end, begin + (1 << 16))]) for begin, end in list(items(value))[1:]]
        return any(bits > stored for bits in found)


def _precision(stream: memoryview) -> int:
    """Bits per sample of a JPEG, JPEG-LS or JPEG 2000 stream; 0 for later fragments of one; 99 if it does not say."""
    if bytes(stream[:2]) not in (_SOI, _SOC):
        return 0
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == _SIZ and at + 41 <= len(stream):
            return max(bits & 0x7F for bits in stream[at + 40 : at + 2 + length : 3]) + 1  # Ssiz (T.800 A.5.1)
        if marker in _START_OF_FRAME and at + 5 <= len(stream):
            return stream[at + 4]
        at += 2 + max(length, 2)
    return 99
