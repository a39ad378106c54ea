"""Headers of Analyze 7.5 and its heirs as tables of numbers: whatever is no number of a table is not copied.

Layout: dbh.h of the Mayo Clinic's Analyze 7.5; the SPM reading of `originator` and `funused1` is nibabel's.
"""

import math
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from asclepius.errors import Rejected

Change = tuple[str, str, str]
SIZE = 348
ORDERS = ("<", ">")
# Bits of a voxel by datatype code: nifti1.h; 130, 132 and 136 are SPM99's own in Analyze files.
BITS = {1: 1, 2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64,
        1536: 128, 1792: 128, 2048: 256, 2304: 32}  # fmt: skip
BITS_SPM = {130: 8, 132: 16, 136: 32}


@dataclass(frozen=True)
class Field:
    """Numbers of a header that may stay.

    Args:
        name: as in the format's definition.
        at: offset in bytes.
        form: of `struct`, without byte order.
        legal: whether a number is one a scanner or tool would write; others become 0.
    """

    name: str
    at: int
    form: str
    legal: Callable[[float], bool]


def is_measure(number: float) -> bool:
    """Finite and of a size that occurs: a NaN or a denormal number can carry any bytes."""
    return number == 0 or 1e-30 <= abs(number) <= 1e30


def is_distance(number: float) -> bool:
    """A length, time or coordinate in mm, µm, s or ms."""
    return number == 0 or 1e-9 <= abs(number) <= 1e7


def is_code(number: float) -> bool:
    """A small number: two printable letters read as an integer are 0x2020 or more."""
    return 0 <= number < 0x2020


def is_count(number: float) -> bool:
    """As `is_code`, for four letters and either sign."""
    return abs(number) < 0x1F000000


FIELDS = (
    Field("sizeof_hdr", 0, "i", is_count),
    Field("extents", 32, "i", lambda number: number == 16384),
    Field("regular", 38, "B", lambda number: number == ord("r")),
    Field("dim", 40, "8h", lambda number: True),
    Field("datatype", 70, "h", is_code),
    Field("bitpix", 72, "h", is_code),
    Field("pixdim", 76, "8f", is_distance),
    Field("vox_offset", 108, "f", lambda number: True),
    Field("funused1", 112, "f", is_measure),  # SPM: scale
    Field("funused2", 116, "f", is_measure),  # SPM: intercept
    Field("cal_max", 124, "f", is_measure),
    Field("cal_min", 128, "f", is_measure),
    Field("glmax", 140, "i", is_count),
    Field("glmin", 144, "i", is_count),
    Field("orient", 252, "B", lambda number: number <= 5),
    Field("originator", 253, "5h", lambda number: True),  # SPM: the voxel at 0, 0, 0 mm; see `clean`
)
TEXTS = (
    ("data_type", 4, 10),
    ("db_name", 14, 18),
    ("session_error", 36, 2),
    ("hkey_un0", 39, 1),
    ("vox_units", 56, 4),
    ("cal_units", 60, 8),
    ("unused1", 68, 2),
    ("dim_un0", 74, 2),
    ("funused3", 120, 4),
    ("compressed", 132, 4),
    ("verified", 136, 4),
    ("descrip", 148, 80),
    ("aux_file", 228, 24),
    ("generated", 263, 10),
    ("scannum", 273, 10),
    ("patient_id", 283, 10),
    ("exp_date", 293, 10),
    ("exp_time", 303, 10),
    ("hist_un0", 313, 3),
    ("views", 316, 32),  # views, vols_added, start_field, field_skip, omax, omin, smax, smin
)


def clean(header: bytes, order: str, audit: Counter[Change]) -> bytearray:
    """An Analyze 7.5 header (348 bytes) of numbers alone.

    What stays: dimensions, data type, voxel sizes, offset, SPM's scale and intercept, display range, extremes, the
    orientation code, and SPM's origin where it lies near the volume. Text, patient number, times, operators and unused
    fields are blanked.

    Args:
        order: "<" or ">".

    Raises:
        Rejected: impossible dimensions.
    """
    out = copied(header, FIELDS, order, "Analyze header", audit)
    note(header, TEXTS, "Analyze header", audit)
    shape = normalise(out, order, (40, "8h"), (76, "8f"), "Analyze header", audit)
    origin = struct.unpack_from(order + "5h", out, 253)
    sides = (*shape, 1, 1)[:3]
    if any(origin[3:]) or not all(-side < at < 2 * side for at, side in zip(origin[:3], sides, strict=True)):
        out[253:263] = bytes(10)
        audit["originator", "Analyze header", "Z"] += 1
    return out


def copied(header: bytes, fields: tuple[Field, ...], order: str, kind: str, audit: Counter[Change]) -> bytearray:
    """A header of zeros with the legal numbers of the fields."""
    out = bytearray(len(header))
    for field in fields:
        numbers = struct.unpack_from(order + field.form, header, field.at)
        kept = [number if field.legal(number) else 0 for number in numbers]
        if any(not field.legal(number) for number in numbers):
            audit[field.name, kind, "Z"] += 1
        struct.pack_into(order + field.form, out, field.at, *kept)
    return out


def note(header: bytes, texts: tuple[tuple[str, int, int], ...], kind: str, audit: Counter[Change]) -> None:
    """Count the fields of text (name, offset, length in bytes) that were not copied."""
    for name, at, length in texts:
        if any(header[at : at + length]):
            audit[name, kind, "Z"] += 1


def normalise(
    header: bytearray,
    order: str,
    dimensions: tuple[int, str],
    sizes: tuple[int, str],
    kind: str,
    audit: Counter[Change],
) -> tuple[int, ...]:
    """Dimensions and voxel sizes that the header does not use become 1. Returns the shape (x, y, z, t, ...).

    Raises:
        Rejected: impossible dimensions.
    """
    dim = list(struct.unpack_from(order + dimensions[1], header, dimensions[0]))
    pixdim = list(struct.unpack_from(order + sizes[1], header, sizes[0]))
    rank = dim[0]
    if not 1 <= rank <= 7:
        raise Rejected("unreadable", "the header has impossible dimensions")
    # nifti1_io does the same: many Analyze files have 0 for one time point.
    shape = [max(extent, 1) if axis > 3 else extent for axis, extent in enumerate(dim[1 : rank + 1], start=1)]
    if min(shape) < 1:
        raise Rejected("unreadable", "the header has impossible dimensions")
    if any(extent not in (0, 1) for extent in dim[rank + 1 :]):
        audit["dim", kind, "Z"] += 1
    pixdim[0] = math.copysign(1, pixdim[0]) if pixdim[0] else 0  # only its sign is read
    pixdim[rank + 1 :] = [1] * (7 - rank)
    struct.pack_into(order + dimensions[1], header, dimensions[0], rank, *shape, *[1] * (7 - rank))
    struct.pack_into(order + sizes[1], header, sizes[0], *pixdim)
    return tuple(shape)
