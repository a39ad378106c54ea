"""NIfTI-1, NIfTI-2 and Analyze 7.5: a new header of numbers alone, no extensions, voxels byte for byte as they were.

Layout: nifti1.h and nifti2.h of the NIfTI Data Format Working Group. The header is not blanked but written anew from
the numeric fields, so that a field nobody thought of cannot stay.
"""

import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Protocol

from asclepius.deidentify import analyze
from asclepius.deidentify.analyze import Change, Field
from asclepius.deidentify.streams import CHUNK, GZIP, Gzip, Plain, Sink, Stream, opened, read
from asclepius.errors import Rejected

_EXTENDER = bytes(4)  # no extensions follow
_LARGEST_GAP = 1 << 30  # bytes between header and voxels
_LONGEST_TAIL = 1 << 24  # bytes behind the voxels that are inflated only to be dropped
_KIND = "NIfTI header"


class Searched(Protocol):
    """What `prove` asks of a patient's identifiers."""

    def in_bytes(self, data: bytes) -> list:
        """Identifiers found in raw bytes."""


@dataclass(frozen=True)
class _Layout:
    """One version of the header; places are (offset in bytes, form of `struct`)."""

    size: int
    fields: tuple[Field, ...]
    texts: tuple[tuple[str, int, int], ...]  # name, offset, length: free text or unused
    magic: tuple[int, bytes, bytes]  # offset; single file; header of a pair
    dimensions: tuple[int, str]
    pixdim: tuple[int, str]
    datatype: tuple[int, str]
    bitpix: tuple[int, str]
    offset: tuple[int, str]  # of the voxels
    intent: tuple[tuple[int, str], tuple[int, str]]  # code, parameters
    forms: tuple[tuple[str, tuple[int, str], tuple[int, str]], ...]  # qform and sform: code, numbers


def _any(number: float) -> bool:
    return True


def _is_unit(number: float) -> bool:
    return abs(number) <= 1.01


def _is_place(number: float) -> bool:
    # Rotations leave tiny remainders in a matrix, which are no reason to call it damaged.
    return number == 0 or 1e-30 <= abs(number) <= 1e7


def _is_bits(number: float) -> bool:
    return 0 <= number <= 0x3F


def _layout(size: int, at: dict[str, tuple[int, str]], **rest: tuple) -> _Layout:
    legal: dict[str, Callable[[float], bool]] = {
        "sizeof_hdr": _any,
        "dim": _any,
        "vox_offset": _any,
        "dim_info": _is_bits,
        "xyzt_units": _is_bits,
        "slice_code": lambda number: 0 <= number <= 6,
        "qform_code": lambda number: 0 <= number <= 5,
        "sform_code": lambda number: 0 <= number <= 5,
        "quatern": _is_unit,
        "qoffset": _is_place,
        "srow": _is_place,
        "pixdim": analyze.is_distance,
        "slice_duration": analyze.is_distance,
        "toffset": analyze.is_distance,
    } | {name: analyze.is_code for name in ("datatype", "bitpix", "intent_code", "slice_start", "slice_end")}
    return _Layout(
        size=size,
        fields=tuple(Field(name, *place, legal.get(name, analyze.is_measure)) for name, place in at.items()),
        dimensions=at["dim"],
        pixdim=at["pixdim"],
        datatype=at["datatype"],
        bitpix=at["bitpix"],
        offset=at["vox_offset"],
        intent=(at["intent_code"], at["intent_p"]),
        forms=(
            ("qform", at["qform_code"], (at["quatern"][0], at["quatern"][1] + at["qoffset"][1])),
            ("sform", at["sform_code"], at["srow"]),
        ),
        **rest,
    )


_VERSIONS = {
    348: _layout(
        348,
        {
            "sizeof_hdr": (0, "i"), "dim_info": (39, "B"), "dim": (40, "8h"), "intent_p": (56, "3f"),
            "intent_code": (68, "h"), "datatype": (70, "h"), "bitpix": (72, "h"), "slice_start": (74, "h"),
            "pixdim": (76, "8f"), "vox_offset": (108, "f"), "scl_slope": (112, "f"), "scl_inter": (116, "f"),
            "slice_end": (120, "h"), "slice_code": (122, "B"), "xyzt_units": (123, "B"), "cal_max": (124, "f"),
            "cal_min": (128, "f"), "slice_duration": (132, "f"), "toffset": (136, "f"), "qform_code": (252, "h"),
            "sform_code": (254, "h"), "quatern": (256, "3f"), "qoffset": (268, "3f"), "srow": (280, "12f"),
        },
        magic=(344, b"n+1\0", b"ni1\0"),
        texts=(
            ("data_type", 4, 10), ("db_name", 14, 18), ("extents", 32, 4), ("session_error", 36, 2), ("glmax", 140, 4),
            ("regular", 38, 1), ("glmin", 144, 4), ("descrip", 148, 80), ("aux_file", 228, 24), ("intent_name", 328, 16)
        ),
    ),
    540: _layout(
        540,
        {
            "sizeof_hdr": (0, "i"), "datatype": (12, "h"), "bitpix": (14, "h"), "dim": (16, "8q"),
            "intent_p": (80, "3d"), "pixdim": (104, "8d"), "vox_offset": (168, "q"), "scl_slope": (176, "d"),
            "scl_inter": (184, "d"), "cal_max": (192, "d"), "cal_min": (200, "d"), "slice_duration": (208, "d"),
            "toffset": (216, "d"), "slice_start": (224, "q"), "slice_end": (232, "q"), "qform_code": (344, "i"),
            "sform_code": (348, "i"), "quatern": (352, "3d"), "qoffset": (376, "3d"), "srow": (400, "12d"),
            "slice_code": (496, "i"), "xyzt_units": (500, "i"), "intent_code": (504, "i"), "dim_info": (524, "B"),
        },
        magic=(4, b"n+2\0\r\n\032\n", b"ni2\0\r\n\032\n"),
        texts=(("descrip", 240, 80), ("aux_file", 320, 24), ("intent_name", 508, 16), ("unused_str", 525, 15)),
    ),
}  # fmt: skip


def clean(data: bytes, audit: Counter[Change]) -> bytes:
    """A NIfTI file, gzip-compressed or not, without anything but geometry and voxels.

    Memory: the data given and the data returned, 2 MB besides. Files too large for that go through `clean_stream`.

    Raises:
        Rejected: empty, truncated, unreadable, or one half of a pair.
    """
    target = BytesIO()
    clean_stream(BytesIO(data), target, audit)
    return target.getvalue()


def clean_stream(source: BinaryIO, target: BinaryIO, audit: Counter[Change]) -> None:
    """As `clean`, from file to file in 2 MB of memory. What a refused file has left in `target` is to be deleted.

    Raises:
        Rejected: as `clean`.
    """
    stream, packed = _opened(source, audit)
    head = read(stream, 348)
    if not head:
        raise Rejected("empty", "the file has no bytes")
    if len(head) < 348:
        raise Rejected("truncated", "the file ends within its NIfTI header")
    if int.from_bytes(head[:4], "little") == 540 or int.from_bytes(head[:4], "big") == 540:
        head += read(stream, 540 - 348)
    header, order, single = _header(head)
    if header is None or not single:
        raise Rejected("unreadable", "the header of a .hdr and .img pair: give both files, or convert them to one .nii")
    out, start, length = _rewritten(head, header, order, audit)
    if not header.size <= start <= _LARGEST_GAP:
        raise Rejected("unreadable", "the NIfTI header gives an impossible place for its voxels")
    _skip(stream, start - header.size, audit)
    struct.pack_into(order + header.offset[1], out, header.offset[0], header.size + len(_EXTENDER))
    sink = Sink(target, packed)
    sink.write(bytes(out) + _EXTENDER)
    _voxels(stream, length, sink, audit)
    sink.end()


def clean_pair(header: bytes, image: bytes, audit: Counter[Change]) -> tuple[bytes, bytes]:
    """The two files (.hdr and .img, each gzip-compressed or not) of a NIfTI-1, NIfTI-2 or Analyze 7.5 image.

    For what stays of an Analyze header see `analyze.clean`.

    Raises:
        Rejected: empty, truncated, unreadable.
    """
    stream, packed = _opened(BytesIO(header), audit)
    head = read(stream, 540)
    if not head or not image:
        raise Rejected("empty", "a file of the pair has no bytes")
    if len(head) < 348:
        raise Rejected("truncated", "the .hdr file ends within its header")
    layout, order, single = _header(head)
    if single:
        raise Rejected("unreadable", "the .hdr file is a single-file NIfTI; rename it to .nii")
    size = layout.size if layout else analyze.SIZE
    if any(head[size:]) or any(read(stream, CHUNK)):
        audit["extensions", "NIfTI extensions", "X"] += 1
    if layout:
        out, start, length = _rewritten(head[:size], layout, order, audit)
        struct.pack_into(order + layout.offset[1], out, layout.offset[0], 0)
        out += _EXTENDER
    else:
        out = analyze.clean(head[:size], order, audit)
        start, length = _extent(out, order, (40, "8h"), (70, "h"), (72, "h"), (108, "f"), analyze.BITS_SPM)
        struct.pack_into(order + "f", out, 108, 0)
    voxels, packed_image = _opened(BytesIO(image), audit)
    if not 0 <= start <= _LARGEST_GAP:
        raise Rejected("unreadable", "the header gives an impossible place for its voxels")
    _skip(voxels, start, audit)
    targets = BytesIO(), BytesIO()
    sinks = Sink(targets[0], packed), Sink(targets[1], packed_image)
    sinks[0].write(bytes(out))
    _voxels(voxels, length, sinks[1], audit)
    for sink in sinks:
        sink.end()
    return targets[0].getvalue(), targets[1].getvalue()


def prove(out: bytes, identifiers: Searched) -> None:
    """Read a cleaned file, or a cleaned .hdr, anew by nibabel's tables: only numbers, no identifier, no byte too many.

    Raises:
        Rejected: identity.
    """
    stream, _ = _opened(BytesIO(out), Counter())
    head = read(stream, 544)
    found = _residue(out, head, stream)
    if found:
        raise Rejected("identity", f"the cleaned NIfTI file still holds {found}")
    if identifiers.in_bytes(head[:540] if head[540:] else head[:348]):
        raise Rejected("identity", "the cleaned NIfTI header still holds an identifier")


# Fields of nibabel's tables that must be empty in a cleaned header.
_EMPTY_TEXT = """
data_type db_name extents session_error hkey_un0 vox_units cal_units unused1 dim_un0 funused3 compressed verified
descrip aux_file generated scannum patient_id exp_date exp_time hist_un0 views vols_added start_field field_skip
omax omin smax smin intent_name unused_str
"""
_EMPTY = frozenset(_EMPTY_TEXT.split())


def _residue(out: bytes, head: bytes, rest: Stream) -> str:
    """What a cleaned file should not hold; empty if there is nothing."""
    from nibabel.nifti1 import Nifti1Header  # slow to import: only for who needs it
    from nibabel.nifti2 import Nifti2Header
    from nibabel.spm99analyze import Spm99AnalyzeHeader

    if out[:2] == GZIP and any(out[3:8]):
        return "a name or time in its compression"
    order = "<" if head[:4] in (b"\x5c\1\0\0", b"\x1c\2\0\0") else ">"
    kind = Nifti2Header if struct.unpack_from(order + "i", head)[0] == 540 else Nifti1Header
    size = kind.template_dtype.itemsize
    magic = (head[4:8] if size == 540 else head[344:348]).rstrip(b"\0")
    if magic not in (b"n+1", b"ni1", b"n+2", b"ni2"):
        kind = Spm99AnalyzeHeader
    header = kind(head[:size], endianness=order, check=False)
    for name in header.template_dtype.names:
        raw = header[name].tobytes()
        if any(raw) and name in _EMPTY and not (name == "extents" and kind is Spm99AnalyzeHeader):
            return f"something in {name}"
    behind = head[size:]
    single = magic.startswith(b"n+")
    if any(behind[:4]) or (not single and len(behind) not in ((0,) if kind is Spm99AnalyzeHeader else (0, 4))):
        return "bytes behind its header"
    if not single:
        return ""
    voxels = 1
    for extent in header["dim"][1 : int(header["dim"][0]) + 1]:
        voxels *= int(extent)
    expected = int(header["vox_offset"]) + (voxels * int(header["bitpix"]) + 7) // 8
    found = len(head) + sum(map(len, iter(lambda: rest.read(CHUNK), b"")))
    return "" if found == expected else "bytes that are no voxels"


def _opened(source: BinaryIO, audit: Counter[Change]) -> tuple[Stream, bool]:
    stream, packed, told = opened(source)
    if told:
        audit["gzip", "name and time", "X"] += 1
    return stream, packed


def _skip(stream: Stream, size: int, audit: Counter[Change]) -> None:
    """Drop what stands between header and voxels."""
    told = False
    while size and (part := stream.read(min(size, CHUNK))):
        told |= part.count(0) != len(part)
        size -= len(part)
    if told:
        audit["extensions", "NIfTI extensions", "X"] += 1


def _voxels(stream: Stream, length: int, sink: Sink, audit: Counter[Change]) -> None:
    """Copy the voxels; what follows them is read, to check the compression, and dropped."""
    left = length
    while left and (part := stream.read(min(left, CHUNK))):
        sink.write(part)
        left -= len(part)
    if left:
        raise Rejected("truncated", f"{length} bytes of voxels promised, {length - left} found")
    tail = 0
    while part := stream.read(CHUNK):
        tail += len(part)
        if isinstance(stream, Plain):
            break
        if tail > _LONGEST_TAIL:
            raise Rejected("unreadable", "the file holds far more than the voxels its header promises")
    if tail or (isinstance(stream, Gzip) and stream.behind):
        audit["trailing bytes", "NIfTI file", "X"] += 1


def _header(head: bytes) -> tuple[_Layout | None, str, bool]:
    """The header's version (none: Analyze 7.5), byte order, and whether the voxels follow in the same file."""
    for order in analyze.ORDERS:
        size = struct.unpack_from(order + "i", head)[0]
        layout = _VERSIONS.get(size)
        if layout is None:
            continue
        if len(head) < size:
            raise Rejected("truncated", "the file ends within its NIfTI header")
        at, single, pair = layout.magic
        magic = head[at : at + len(single)]
        if magic in (single, pair):
            return layout, order, magic == single
        if size == analyze.SIZE:
            return None, order, False
    raise Rejected("unreadable", "no NIfTI header found")


def _rewritten(head: bytes, layout: _Layout, order: str, audit: Counter[Change]) -> tuple[bytearray, int, int]:
    """The new header, and place and length (bytes) of the voxels."""
    out = analyze.copied(head, layout.fields, order, _KIND, audit)
    analyze.note(head, layout.texts, _KIND, audit)
    at, single, _ = layout.magic
    out[at : at + len(single)] = head[at : at + len(single)]
    analyze.normalise(out, order, layout.dimensions, layout.pixdim, _KIND, audit)
    (at, form), (numbers_at, numbers) = layout.intent
    if not struct.unpack_from(order + form, out, at)[0]:
        struct.pack_into(order + numbers, out, numbers_at, 0, 0, 0)
    for name, (at, form), (numbers_at, numbers) in layout.forms:
        old, new = (struct.unpack_from(order + numbers, data, numbers_at) for data in (head, out))
        # Half of a transform would be a wrong one.
        if not all(abs(before - after) < 1e-20 for before, after in zip(old, new, strict=True)):
            struct.pack_into(order + numbers, out, numbers_at, *[0] * len(new))
            struct.pack_into(order + form, out, at, 0)
            audit[name, _KIND, "Z"] += 1
    return out, *_extent(out, order, layout.dimensions, layout.datatype, layout.bitpix, layout.offset, {})


def _extent(
    out: bytearray,
    order: str,
    dimensions: tuple[int, str],
    datatype: tuple[int, str],
    bitpix: tuple[int, str],
    offset: tuple[int, str],
    further: dict[int, int],
) -> tuple[int, int]:
    """Place and length of the voxels in bytes; bits per voxel follow from the data type, as for all readers."""
    code = struct.unpack_from(order + datatype[1], out, datatype[0])[0]
    bits = analyze.BITS.get(code) or further.get(code)
    if not bits:
        raise Rejected("unreadable", "the header gives an unknown type of voxels")
    struct.pack_into(order + bitpix[1], out, bitpix[0], bits)
    rank, *extents = struct.unpack_from(order + dimensions[1], out, dimensions[0])
    voxels = 1
    for extent in extents[:rank]:
        voxels *= extent
    start = struct.unpack_from(order + offset[1], out, offset[0])[0]
    return int(start) if abs(start) <= _LARGEST_GAP else -1, (voxels * bits + 7) // 8
