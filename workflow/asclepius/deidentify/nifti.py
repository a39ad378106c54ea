"""NIfTI-1 and NIfTI-2: header text blanked, extensions dropped, voxels byte for byte as they were.

Layout: nifti1.h and nifti2.h of the NIfTI Data Format Working Group. The header of an Analyze 7.5 pair holds a
patient number, times and operators where NIfTI-1 has unused fields and orientation; it is not released.
"""

import gzip
import struct
from collections import Counter
from dataclasses import dataclass

from isal import isal_zlib

from asclepius.errors import Rejected

Change = tuple[str, str, str]
GZIP = b"\x1f\x8b"
_EXTENDER = bytes(4)  # no extensions follow
LEVEL = 3


@dataclass(frozen=True)
class _Layout:
    """Offsets in bytes of one version of the header."""

    size: int
    dimensions: tuple[int, str]
    bits: int
    offset: tuple[int, str]  # of the voxels
    magic: tuple[int, bytes, bytes]  # offset; single file; header of a pair
    texts: tuple[tuple[str, int, int], ...]  # name, offset, length: free text or unused


_VERSIONS = {
    348: _Layout(
        348,
        (40, "8h"),
        72,
        (108, "f"),
        (344, b"n+1\0", b"ni1\0"),
        (
            ("data_type", 4, 10),
            ("db_name", 14, 18),
            ("extents", 32, 4),
            ("session_error", 36, 2),
            ("glmax", 140, 4),
            ("glmin", 144, 4),
            ("descrip", 148, 80),
            ("aux_file", 228, 24),
            ("intent_name", 328, 16),
        ),
    ),
    540: _Layout(
        540,
        (16, "8q"),
        14,
        (168, "q"),
        (4, b"n+2\0\r\n\032\n", b"ni2\0\r\n\032\n"),
        (("descrip", 240, 80), ("aux_file", 320, 24), ("intent_name", 508, 16), ("unused_str", 525, 15)),
    ),
}


def clean(data: bytes, audit: Counter[Change]) -> bytes:
    """A NIfTI file, gzip-compressed or not, without anything but geometry and voxels.

    Raises:
        Rejected: empty, truncated, unreadable, or a pair of header and image.
    """
    if not data:
        raise Rejected("empty", "the file has no bytes")
    packed = data[:2] == GZIP
    if packed:
        if data[3] & 0b11110 or data[4:8] != bytes(4):
            audit["gzip", "name and time", "X"] += 1
        data = inflate(data)
    if not data:
        raise Rejected("empty", "the compressed file holds no bytes")
    layout, order = _layout(data)
    header = bytearray(data[: layout.size])
    for name, at, length in layout.texts:
        if any(header[at : at + length]):
            audit[name, "NIfTI header", "Z"] += 1
            header[at : at + length] = bytes(length)

    start = int(struct.unpack_from(order + layout.offset[1], header, layout.offset[0])[0])
    dimensions = struct.unpack_from(order + layout.dimensions[1], header, layout.dimensions[0])
    bits = struct.unpack_from(order + "h", header, layout.bits)[0]
    if not 1 <= dimensions[0] <= 7 or bits < 1 or start < layout.size:
        raise Rejected("unreadable", "the NIfTI header has impossible dimensions")
    voxels = 1
    for extent in dimensions[1 : dimensions[0] + 1]:
        voxels *= extent
    length = (voxels * bits + 7) // 8
    if length <= 0:
        raise Rejected("unreadable", "the NIfTI header has impossible dimensions")
    if len(data) < start + length:
        raise Rejected("truncated", f"{length} bytes of voxels promised, {max(len(data) - start, 0)} found")
    if any(data[layout.size : layout.size + 1]):
        audit["extensions", "NIfTI extensions", "X"] += 1
    if len(data) > start + length:
        audit["trailing bytes", "NIfTI file", "X"] += 1

    begin = layout.size + len(_EXTENDER)
    struct.pack_into(order + layout.offset[1], header, layout.offset[0], begin)
    out = bytes(header) + _EXTENDER + data[start : start + length]
    return gzip.compress(out, LEVEL, mtime=0) if packed else out


def inflate(data: bytes) -> bytes:
    """The content of a gzip file; bytes behind its last member are ignored.

    Raises:
        Rejected: cut short or damaged.
    """
    parts = []
    while data[:2] == GZIP:
        stream = isal_zlib.decompressobj(wbits=31)
        try:
            parts.append(stream.decompress(data))
        except isal_zlib.error:
            raise Rejected("unreadable", "the gzip compression is damaged") from None
        if not stream.eof:
            raise Rejected("truncated", "the gzip file ends too early")
        data = stream.unused_data
    return b"".join(parts)


def _layout(data: bytes) -> tuple[_Layout, str]:
    if len(data) < 348:
        raise Rejected("truncated", "the file ends within its NIfTI header")
    for order in "<>":
        layout = _VERSIONS.get(struct.unpack_from(order + "i", data)[0])
        if layout is None or len(data) < layout.size:
            continue
        at, single, pair = layout.magic
        magic = data[at : at + len(single)]
        if magic == single:
            return layout, order
        if magic == pair:
            raise Rejected("unreadable", "a pair of .hdr and .img; convert it to one .nii file")
        raise Rejected("unreadable", "an Analyze 7.5 header; convert it to NIfTI")
    raise Rejected("unreadable", "no NIfTI header found")
