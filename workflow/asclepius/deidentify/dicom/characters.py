"""Text of DICOM values in its character sets (PS3.5 section 6.1, PS3.3 C.12.1.1.2)."""

import warnings
from functools import cache

from pydicom.charset import convert_encodings, decode_bytes, encode_string

DEFAULT = ("iso8859",)
_NAME_DELIMITERS = {0x5E, 0x3D}


@cache
def encodings_of(stated: str, parent: tuple[str, ...] = DEFAULT) -> tuple[str, ...]:
    """Python's names of the character sets that Specific Character Set (0008,0005) states, else the parent's."""
    if not stated:
        return parent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes values
        try:
            return tuple(convert_encodings([name.strip(" \0") for name in stated.split("\\")]))
        except (LookupError, TypeError, ValueError):
            return parent


def decode(value: bytes, encodings: tuple[str, ...], vr: str = "LO") -> str:
    """A value as text without padding; what does not fit its character sets is read as Latin-1."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").strip(" \0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode_bytes(value, list(encodings), _NAME_DELIMITERS if vr == "PN" else set()).strip(" \0")
    except (LookupError, ValueError):
        return value.decode("latin-1").strip(" \0")


def readings(value: bytes, encodings: tuple[str, ...], vr: str = "LO") -> list[str]:
    """All ways a value may be meant: as stated first, then as UTF-8 and Latin-1 where a file states wrongly."""
    first = decode(value, encodings, vr)
    if value.isascii() and b"\x1b" not in value:
        return [first]
    found = [first]
    for encoding in ("utf-8", "latin-1"):
        try:
            text = value.decode(encoding).strip(" \0")
        except UnicodeDecodeError:
            continue
        if text not in found:
            found.append(text)
    return found


def encode(text: str, encodings: tuple[str, ...]) -> bytes:
    """Text as bytes; empty if the character sets do not hold it."""
    if text.isascii():
        return text.encode("ascii")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return encode_string(text, list(encodings))
        except (LookupError, ValueError):
            return b""
