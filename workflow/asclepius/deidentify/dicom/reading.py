"""A DICOM file as raw elements, and the reasons why it cannot be used."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import pydicom
from pydicom import config
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_partial
from pydicom.filewriter import write_data_element
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.values import convert_SQ

from asclepius.deidentify.profile import standard_vr
from asclepius.errors import Rejected

PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_FLOAT_BITS = {0x7FE00008: 32, 0x7FE00009: 64}
_LAST = 0x7FE00010
_UNDEFINED = 0xFFFFFFFF
_HALF_CHROMA = ("YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
_NAME_DELIMITERS = {0x5E, 0x3D}
_KNOWN_VRS_TEXT = """
AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV
"""
_KNOWN_VRS = frozenset(_KNOWN_VRS_TEXT.split())

Element = RawDataElement | DataElement


@dataclass(frozen=True)
class Source:
    """One file as read.

    Args:
        elements: by tag; sequences of defined length still as bytes.
        syntax: transfer syntax UID.
        implicit, little: how the elements are encoded.
        encodings: Python's names of the file's character sets.
    """

    elements: dict[int, Element]
    syntax: str
    implicit: bool
    little: bool
    encodings: tuple[str, ...]

    def text(self, tag: int) -> str:
        """A value as text without padding; empty if the element is absent."""
        element = self.elements.get(tag)
        if element is None or not isinstance(element.value, bytes):
            return ""
        return element.value.decode("ascii", "replace").strip(" \0")

    def number(self, tag: int, default: int) -> int:
        """An unsigned short or an integer string."""
        element = self.elements.get(tag)
        if element is None or not element.value or not isinstance(element.value, bytes):
            return default
        if standard_vr(tag) == "IS":
            try:
                return int(self.text(tag).split("\\")[0])
            except ValueError:
                return default
        return int.from_bytes(element.value[:2], "little" if self.little else "big")

    def pixels(self) -> Element | None:
        """The element that holds the pixels."""
        return next((self.elements[tag] for tag in PIXELS if tag in self.elements), None)


@contextmanager
def quiet() -> Iterator[None]:
    """pydicom neither warns nor refuses while the block runs: its messages quote values."""
    before, logger = config.settings.reading_validation_mode, logging.getLogger("pydicom")
    level = logger.level
    if before == config.IGNORE and level > logging.CRITICAL:  # a surrounding block has done it
        yield
        return
    config.settings.reading_validation_mode = config.IGNORE
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        config.settings.reading_validation_mode = before
        logger.setLevel(level)


def read(data: bytes) -> Source:
    """Parse a file's bytes up to the end of its pixels; what comes after them is padding, signatures or private.

    Raises:
        Rejected: empty, unreadable, cut short, or no image.
    """
    dataset = parse(data)
    elements = raw(dataset)
    try:
        syntax, stored = (str(dataset.file_meta.get(k) or "") for k in ("TransferSyntaxUID", "MediaStorageSOPClassUID"))
    except Exception:  # a damaged header makes pydicom raise nearly anything
        raise Rejected("unreadable", "the DICOM file meta information is damaged") from None
    implicit, little = dataset.original_encoding
    guessed = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    source = Source(elements, syntax or str(guessed), implicit, little, charset(elements, ("iso8859",)))
    if not source.text(0x00080016):
        if "MediaStorageDirectory" in pydicom.uid.UID(stored).keyword or 0x00041220 in elements:
            raise Rejected("not-an-image", "a DICOM directory, not an image")
        if not stored:
            raise Rejected("unreadable", "the file does not say what kind of DICOM object it is (no SOP class)")
        value = stored.encode() + b"\0" * (len(stored) % 2)
        elements[0x00080016] = RawDataElement(
            pydicom.tag.BaseTag(0x00080016), "UI", len(value), value, 0, implicit, little
        )
    _check_pixels(source)
    return source


def parse(data: bytes) -> FileDataset:
    """pydicom's view of a file's bytes, elements unconverted.

    Raises:
        Rejected: empty, or not DICOM.
    """
    if not data:
        raise Rejected("empty", "the file has no bytes")
    try:
        with quiet():
            dataset = read_partial(BytesIO(data), stop_when=_after_pixels, force=True)
    except RecursionError:
        raise Rejected("unreadable", "sequences are nested too deep") from None
    except Exception:  # a damaged header makes pydicom raise nearly anything
        raise Rejected("unreadable", "the DICOM header cannot be parsed; is it a DICOM file?") from None
    if not len(dataset):
        raise Rejected("unreadable", "no DICOM element found; is it a DICOM file?")
    return dataset


def raw(dataset: Dataset) -> dict[int, Element]:
    """Elements by tag, values as bytes; only sequences that pydicom has parsed already stay so."""
    return {int(element.tag): _raw(element, dataset) for element in dataset.values()}


def _raw(element: Element, dataset: Dataset) -> Element:
    # pydicom converts Pixel Representation while reading.
    if element.is_raw or element.VR == "SQ":
        return element
    implicit, little = dataset.original_encoding
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, little
    write_data_element(buffer, element)
    value = buffer.getvalue()[8:]
    return RawDataElement(element.tag, element.VR, len(value), value, 0, implicit, little)


def _after_pixels(tag: int, _vr: str | None, _length: int) -> bool:
    return tag > _LAST


def _check_pixels(source: Source) -> None:
    element = source.pixels()
    rows, columns = source.number(0x00280010, 0), source.number(0x00280011, 0)
    if element is None:
        if rows:
            raise Rejected("truncated", "the header promises pixels, the file ends before them")
        raise Rejected("not-an-image", "a DICOM object without pixels")
    if not isinstance(element.value, bytes):
        raise Rejected("undecodable", "the pixel data are no bytes")
    frames = source.number(0x00280008, 1)
    if element.length == _UNDEFINED:
        fragments = _fragments(element.value)
        if fragments < max(frames, 1):
            raise Rejected("truncated", f"{frames} frames promised, {fragments} compressed fragments found")
        return
    if not pydicom.uid.UID(source.syntax).is_transfer_syntax or pydicom.uid.UID(source.syntax).is_compressed:
        raise Rejected("undecodable", "the transfer syntax does not fit the pixel data")
    samples = source.number(0x00280002, 1)
    bits = _FLOAT_BITS.get(int(element.tag)) or source.number(0x00280100, 8)
    if samples == 3 and source.text(0x00280004) in _HALF_CHROMA:
        samples = 2
    expected = (rows * columns * samples * max(frames, 1) * bits + 7) // 8
    if not expected:
        raise Rejected("undecodable", "rows, columns or bits per pixel are missing")
    if len(element.value) < expected:
        raise Rejected("truncated", f"{expected} bytes of pixels promised, {len(element.value)} found")


def _fragments(value: bytes) -> int:
    """Items after the offset table (PS3.5 A.4); -1 if the last one is cut off."""
    at, count = 0, -1
    while at + 8 <= len(value):
        if value[at : at + 4] != b"\xfe\xff\x00\xe0":
            return -1
        at += 8 + int.from_bytes(value[at + 4 : at + 8], "little")
        count += 1
    return count if at == len(value) else -1


def charset(elements: dict[int, Element], parent: tuple[str, ...]) -> tuple[str, ...]:
    """Python's names of the character sets that an item or file declares, else its parent's."""
    element = elements.get(0x00080005)
    if element is None:
        return parent
    value = element.value
    names = value.decode("ascii", "replace").split("\\") if isinstance(value, bytes) else list(value or ())
    with quiet():
        try:
            return tuple(convert_encodings([name.strip(" \0") for name in names] or None))
        except (LookupError, TypeError):
            return parent


def decode(value: bytes, encodings: tuple[str, ...], vr: str = "LO") -> str:
    """Text in the file's character sets; what does not fit them is read as Latin-1."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").strip(" \0")
    try:
        delimiters = _NAME_DELIMITERS if vr == "PN" else None
        with quiet():
            return decode_bytes(value, list(encodings), delimiters or set()).strip(" \0")
    except (LookupError, UnicodeError):
        return value.decode("latin-1").strip(" \0")


def vr_of(element: Element) -> str:
    """The value representation in the file; the dictionary's where the file has none or no known one."""
    vr = element.VR
    if isinstance(element, DataElement):  # undefined length: pydicom has parsed it as a sequence
        return "SQ"
    if vr is None or vr == "UN" or vr not in _KNOWN_VRS:
        return standard_vr(int(element.tag)) or "UN"
    return str(vr)


def items(element: Element, encodings: tuple[str, ...]) -> list[dict[int, Element]]:
    """The items of a sequence, each as elements by tag.

    Raises:
        Rejected: the bytes are no sequence.
    """
    value = element.value
    if value is None or value == b"":
        return []
    try:
        if isinstance(value, bytes):
            # A sequence with VR UN is encoded with implicit VR (PS3.5 6.2.2).
            unknown = element.VR == "UN"
            implicit, little = unknown or element.is_implicit_VR, unknown or element.is_little_endian
            with quiet():
                value = convert_SQ(value, implicit, little, list(encodings))
        return [raw(item) for item in value]
    except RecursionError:
        raise Rejected("unreadable", "sequences are nested too deep") from None
    except Exception:  # as above
        raise Rejected("unreadable", f"sequence {element.tag} cannot be parsed") from None
