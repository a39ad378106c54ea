"""DICOM bytes for the hard cases: what pydicom writes, and what it refuses to write."""

import struct
import warnings
import zlib
from collections.abc import Iterable, Sequence

from pydicom import config
from pydicom.charset import convert_encodings
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr, write_data_element
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

_LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
LONG = frozenset(_LONG.split())
UNDEFINED = 0xFFFFFFFF
Element = tuple[int, bytes]  # tag, its encoding


def element(
    tag: int, vr: str, value: bytes | str, *, implicit: bool = False, big: bool = False, length: int | None = None
) -> Element:
    """One element as it stands in a file; `length` overrides the true one. Odd values stay odd."""
    value = value.encode("latin-1") if isinstance(value, str) else value
    order, length = ">" if big else "<", len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return tag, head + struct.pack(f"{order}L", length) + value
    if vr in LONG:
        return tag, head + vr.encode() + b"\0\0" + struct.pack(f"{order}L", length) + value
    return tag, head + vr.encode() + struct.pack(f"{order}H", length) + value


def text(tag: int | str, vr: str, value: str, encoding: str = "latin-1", **options: bool) -> Element:
    """A text element, by tag or keyword, padded to even length with a space."""
    tag = tag if isinstance(tag, int) else tag_for_keyword(tag)
    data = value.encode(encoding)
    return element(tag, vr, data + b" " * (len(data) % 2), **options)


def item(content: bytes, *, undefined: bool = False, big: bool = False) -> bytes:
    order = ">" if big else "<"
    start = struct.pack(f"{order}HHL", 0xFFFE, 0xE000, UNDEFINED if undefined else len(content))
    return start + content + (struct.pack(f"{order}HHL", 0xFFFE, 0xE00D, 0) if undefined else b"")


def sequence(
    tag: int, items: Sequence[bytes], *, vr: str = "SQ", undefined: bool = False, implicit: bool = False
) -> Element:
    """A sequence of encoded data sets; `undefined` for itself and its items."""
    content = b"".join(item(one, undefined=undefined) for one in items)
    if undefined:
        content += struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return element(tag, vr, content, implicit=implicit, length=UNDEFINED if undefined else None)


def nested(depth: int, leaf: bytes, *, undefined: bool, implicit: bool = False, tag: int = 0x0040A730) -> Element:
    """A data set `depth` items deep."""
    for _ in range(depth - 1):
        leaf = sequence(tag, [leaf], undefined=undefined, implicit=implicit)[1]
    return sequence(tag, [leaf], undefined=undefined, implicit=implicit)


def elements(dataset: Dataset, *, implicit: bool = False, big: bool = False) -> list[Element]:
    """The elements of a data set as pydicom writes them, without any check of their values."""
    dataset = correct_ambiguous_vr(dataset, not big)
    encodings = convert_encodings(dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    found = []
    for one in dataset:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = not big, implicit
        write_data_element(buffer, one, encodings)
        found.append((int(one.tag), buffer.getvalue()))
    return found


def joined(parts: Iterable[Element], *, ordered: bool = True) -> bytes:
    """Elements in the order of their tags (stable), or as given."""
    parts = sorted(parts, key=lambda part: part[0]) if ordered else parts
    return b"".join(data for _, data in parts)


def meta(syntax: str, sop_class: str, sop_instance: str, extra: Iterable[Element] = ()) -> bytes:
    """The file meta information."""

    def uid(value: str) -> bytes:
        return value.encode() + b"\0" * (len(value) % 2)

    body = joined(
        [
            element(0x00020001, "OB", b"\0\1"),
            element(0x00020002, "UI", uid(sop_class)),
            element(0x00020003, "UI", uid(sop_instance)),
            element(0x00020010, "UI", uid(syntax)),
            element(0x00020012, "UI", uid("1.2.826.0.1.3680043.8.498.1")),
            *extra,
        ]
    )
    return element(0x00020000, "UL", struct.pack("<L", len(body)))[1] + body


def part10(
    dataset: Dataset,
    extra: Iterable[Element] = (),
    *,
    syntax: str = ExplicitVRLittleEndian,
    without: Iterable[int] = (),
    ordered: bool = True,
    preamble: bytes = b"",
    meta_extra: Iterable[Element] = (),
    meta_instance: str | None = None,
    tail: bytes = b"",
) -> bytes:
    """A whole file.

    Args:
        extra: further elements in the encoding of `syntax`; of the same tag they come second.
        without: tags to leave out, e.g. because `extra` brings them.
        meta_instance: another SOP instance UID in the file meta information.
        tail: bytes behind the data set.
    """
    implicit, big = syntax == ImplicitVRLittleEndian, syntax == ExplicitVRBigEndian
    out = set(without)
    with config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown character sets are meant
        parts = [part for part in elements(dataset, implicit=implicit, big=big) if part[0] not in out]
    body = joined([*parts, *extra], ordered=ordered)
    if syntax == DeflatedExplicitVRLittleEndian:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
        body += b"\0" * (len(body) % 2)
    head = meta(syntax, dataset.SOPClassUID, meta_instance or dataset.SOPInstanceUID, meta_extra)
    return preamble.ljust(128, b"\0") + b"DICM" + head + body + tail


def encapsulated(fragments: Sequence[bytes], offsets: bytes = b"", *, behind: bytes = b"") -> Element:
    """Compressed pixel data: basic offset table, fragments, delimiter; `behind` stands between the two last."""
    content = b"".join(item(one) for one in (offsets, *fragments)) + behind + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    return element(0x7FE00010, "OB", content, length=UNDEFINED)
