"""Elements as bytes (PS3.5 section 7)."""

import struct
import zlib
from functools import cache

DEFLATED = "1.2.840.10008.1.2.1.99"
UNDEFINED = 0xFFFFFFFF
_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_AMBIGUOUS = {"US or SS": "US", "US or SS or OW": "OW", "US or OW": "OW", "OB or OW": "OW"}
_ZERO_PADDED = frozenset({"UI", "OB", "UN"})
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD


class Encoder:
    """Writes elements the way the source wrote its own.

    Args:
        implicit: value representations are left out.
        little: byte order.
    """

    def __init__(self, implicit: bool, little: bool):
        self.implicit = implicit
        self._order = "<" if little else ">"

    def element(self, tag: int, vr: str, value: bytes, *, undefined: bool = False) -> bytes:
        """One element, its value padded to even length.

        Args:
            undefined: encapsulated pixels: length not given, a delimiter at the end.
        """
        vr = _AMBIGUOUS.get(vr, vr)
        if len(value) % 2:
            value += b"\0" if vr in _ZERO_PADDED else b" "
        length = UNDEFINED if undefined else len(value)
        if self.implicit:
            head = struct.pack(f"{self._order}HHL", tag >> 16, tag & 0xFFFF, length)
        elif vr in _LONG or length > 0xFFFF:
            name = vr if vr in _LONG else "UN"  # PS3.5 6.2.2, note on values over 64 KB
            head = struct.pack(f"{self._order}HH2s2xL", tag >> 16, tag & 0xFFFF, name.encode(), length)
        else:
            head = struct.pack(f"{self._order}HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)
        return head + value + (self._marker(_SEQUENCE_END, 0) if undefined else b"")

    def sequence(self, tag: int, items: list[bytes]) -> bytes:
        """A sequence of items that are encoded already."""
        return self.element(tag, "SQ", b"".join(self._marker(_ITEM, len(item)) + item for item in items))

    def _marker(self, tag: int, length: int) -> bytes:
        return struct.pack(f"{self._order}HHL", tag >> 16, tag & 0xFFFF, length)


def file(sop_class: str, sop_instance: str, syntax: str, dataset: bytes) -> bytes:
    """A whole file (PS3.10 section 7.1): empty preamble, new file meta information, the data set."""
    if syntax == DEFLATED:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        dataset = deflate.compress(dataset) + deflate.flush()
        dataset += b"\0" * (len(dataset) % 2)
    return _meta(sop_class, syntax, sop_instance) + dataset


# A fixed UUID-derived UID (PS3.5 annex B.2) that names this implementation.
IMPLEMENTATION = "2.25.271539408162310574924317803655186502911"
VERSION = "ASCLEPIUS_1"


@cache
def _meta_start(sop_class: str) -> bytes:
    encoder = Encoder(implicit=False, little=True)
    return encoder.element(0x00020001, "OB", b"\0\1") + encoder.element(0x00020002, "UI", sop_class.encode())


@cache
def _meta_end(syntax: str) -> bytes:
    encoder = Encoder(implicit=False, little=True)
    return (
        encoder.element(0x00020010, "UI", syntax.encode())
        + encoder.element(0x00020012, "UI", IMPLEMENTATION.encode())
        + encoder.element(0x00020013, "SH", VERSION.encode())
    )


def _meta(sop_class: str, syntax: str, sop_instance: str) -> bytes:
    encoder = Encoder(implicit=False, little=True)
    body = _meta_start(sop_class) + encoder.element(0x00020003, "UI", sop_instance.encode()) + _meta_end(syntax)
    return b"\0" * 128 + b"DICM" + encoder.element(0x00020000, "UL", struct.pack("<L", len(body))) + body
