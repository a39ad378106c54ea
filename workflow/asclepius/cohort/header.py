"""The few elements of a DICOM header that the cohort needs, read fast and without the pixels."""

import contextlib
import math
import os
import struct
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

from asclepius.cohort import frames, masks
from asclepius.cohort.masks import Mask
from asclepius.errors import Rejected

KEYWORDS = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "Modality",
    "Manufacturer",
    "InstitutionName",
    "SeriesDescription",
    "ManufacturerModelName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "EchoTime",
    "InversionTime",
    "TriggerTime",
    "ConvolutionKernel",
    "FlipAngle",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "TemporalPositionIdentifier",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
)
TAGS = {name: Tag(name) for name in KEYWORDS}
# The three elements that may hold pixels (PS3.3 C.7.6.3 and C.7.6.24).
PIXELS = frozenset(Tag(name) for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
UNDEFINED = 0xFFFFFFFF
# What tells slices at one place apart: phases, echoes, time points, kinds of image, diffusion (PS3.3 C.7.6, C.8.3).
SEPARATORS = (
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "EchoTime",
    "ImageType",
    "InversionTime",
    "FlipAngle",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "TriggerTime",
)
DEFLATED = "1.2.840.10008.1.2.1.99"
DICOMDIR = "1.2.840.10008.1.3.10"
# SOP classes that hold a matrix but no image of a patient (PS3.4 annex B.5).
DERIVED = {
    "1.2.840.10008.5.1.4.1.1.30": "a parametric map",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiotherapy dose",
}


@dataclass(frozen=True, slots=True)
class Header:
    """Args:
    path: relative to the folder walked.
    orientation: direction cosines of a row, then of a column (PS3.3 C.7.6.2); None if absent.
    position: of the first voxel, mm.
    spacing: of pixels (y, x), mm; None if absent.
    complete: False if the file ends before its pixels do, as far as their length is stated.
    frame: Frame of Reference UID.
    separators: values of `SEPARATORS`.
    parts: volumes within a multi-frame object.
    """

    path: str
    instance_uid: str
    patient: str | None
    study: str | None
    series: str | None
    frame: str | None
    date: str | None
    birth: str | None
    age: str | None
    sex: str | None
    site: str | None
    scanner: str | None
    modality: str | None
    image_type: str
    description: str
    rows: int
    columns: int
    frames: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    number: float
    separators: tuple[str | None, ...]
    complete: bool
    parts: int = 1


def is_dicom(head: bytes) -> bool:
    """Whether the first 136 bytes begin a DICOM file, with or without the preamble of PS3.10."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 8:
        return False
    group, element = struct.unpack("<HH", head[:4])
    first = group in (2, 8) and element <= 0x0100
    swapped = head[:2] == b"\0\x08" and head[2] <= 1
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    implicit = struct.unpack("<I", head[4:8])[0] <= 256
    return (first or swapped) and (explicit or implicit)


def read(folder: Path, path: str) -> Header | Mask:
    """The header of one file; of a segmentation or structure set, what it refers to.

    Raises:
        Rejected: not readable as DICOM, or no image.
    """
    full = os.path.join(folder, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values are the next stage's business
        try:
            with open(full, "rb") as file:
                end = _PixelsEnd(file)
                dataset = pydicom.filereader.read_partial(file, end, force=True, specific_tags=[*TAGS.values()])
                size = os.fstat(file.fileno()).st_size
            if _class(dataset) in masks.CLASSES:
                return masks.read(full, path, _patient(dataset))
            found = _header(path, dataset, end.place is not None and end.place <= size)
            if found.frames > 1:
                whole = pydicom.dcmread(full, force=True, stop_before_pixels=True)
                found = replace(found, parts=len(frames.parts(whole)))
            return found
        except Rejected:
            raise
        except EOFError:
            raise Rejected("truncated", "the DICOM file ends within its header; copy it again") from None
        except Exception as error:  # pydicom raises many kinds over damaged headers
            sentence = f"the DICOM header cannot be read ({type(error).__name__}); export it again"
            raise Rejected("unreadable", sentence) from None


class _PixelsEnd:
    """Stops reading at the pixels, and notes where they will end; None as long as there are none."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.place: int | None = None

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag not in PIXELS:
            return False
        self.place = 0 if length == UNDEFINED else self.file.tell() + length
        return True


def _header(path: str, dataset: Dataset, complete: bool) -> Header:
    meta = getattr(dataset, "file_meta", None)
    sop_class = _class(dataset)
    if DICOMDIR in (sop_class, _stored_class(dataset)):
        raise Rejected("not-an-image", "a DICOMDIR, a list of files")
    if "MOSAIC" in (_text(dataset, "ImageType") or "").upper().split("\\"):
        raise Rejected("wrong-shape", "a mosaic, slices side by side in one picture; export them one by one")
    if sop_class in DERIVED:
        raise Rejected("not-an-image", f"{DERIVED[sop_class]}, no image of its own")
    rows, columns = _number(dataset, "Rows"), _number(dataset, "Columns")
    if not rows or not columns:
        if not sop_class and not len(dataset):
            raise Rejected("unreadable", "the file holds no DICOM element that is known; export it again")
        raise Rejected("not-an-image", "a DICOM object without rows and columns, such as a report or a plan")
    dates = (_date(_text(dataset, name)) for name in ("StudyDate", "SeriesDate", "AcquisitionDate"))
    words = (_text(dataset, name) for name in ("Manufacturer", "ManufacturerModelName", "ConvolutionKernel"))
    scanner = " ".join(word.replace("\\", "/") for word in words if word)
    return Header(
        path=path,
        instance_uid=_text(dataset, "SOPInstanceUID") or "",
        patient=_patient(dataset),
        study=_shared(_text(dataset, "StudyInstanceUID")),
        series=_shared(_text(dataset, "SeriesInstanceUID")),
        frame=_shared(_text(dataset, "FrameOfReferenceUID")),
        date=_shared(next((day for day in dates if day), None)),
        birth=_shared(_date(_text(dataset, "PatientBirthDate"))),
        age=_shared(_text(dataset, "PatientAge")),
        sex=_shared(_text(dataset, "PatientSex")),
        site=_shared(_text(dataset, "InstitutionName")),
        scanner=_shared(scanner or None),
        modality=_shared(_text(dataset, "Modality")),
        image_type=_shared(_text(dataset, "ImageType") or ""),
        description=_shared(_text(dataset, "SeriesDescription") or ""),
        rows=rows,
        columns=columns,
        frames=max(1, int(_float(_text(dataset, "NumberOfFrames"), 1))),
        orientation=_vector(_text(dataset, "ImageOrientationPatient"), 6),
        position=_vector(_text(dataset, "ImagePositionPatient"), 3),
        spacing=_vector(_text(dataset, "PixelSpacing"), 2),
        number=_float(_text(dataset, "InstanceNumber"), math.inf),
        separators=tuple(_shared(_text(dataset, name)) for name in SEPARATORS),
        # A deflated file is read from memory, where its length says nothing.
        complete=complete or str(meta.get("TransferSyntaxUID", "") if meta else "") == DEFLATED,
    )


def _stored_class(dataset: Dataset) -> str:
    meta = getattr(dataset, "file_meta", None)
    return str(meta.get("MediaStorageSOPClassUID", "") or "") if meta else ""


def _class(dataset: Dataset) -> str:
    return _text(dataset, "SOPClassUID") or _stored_class(dataset)


def _patient(dataset: Dataset) -> str | None:
    return _shared(_text(dataset, "PatientID") or _text(dataset, "PatientName"))


def _shared(text: str | None) -> str | None:
    return sys.intern(text) if text is not None else None


def _text(dataset: Dataset, name: str) -> str | None:
    """An element as text, several values joined by a backslash as stored; None if absent or blank."""
    element = dataset.get_item(TAGS[name])
    if element is None or element.value is None:
        return None
    if isinstance(element, RawDataElement):
        # pydicom's own conversion of every element would halve the speed; only other alphabets need it.
        with contextlib.suppress(UnicodeDecodeError):
            value = element.value.decode("ascii")
            if "\x1b" not in value:
                return value.strip(" \0\r\n\t") or None
        element = dataset[TAGS[name]]
    value = element.value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    parts = value if isinstance(value, MultiValue | list) else [value]
    text = "\\".join(str(part) for part in parts).strip(" \0\r\n\t")
    return text.encode("utf-8", "replace").decode("utf-8") or None


def _number(dataset: Dataset, name: str) -> int | None:
    element = dataset.get_item(TAGS[name])
    if isinstance(element, RawDataElement) and isinstance(element.value, bytes) and len(element.value) == 2:
        return int.from_bytes(element.value, "little" if element.is_little_endian else "big")
    value = dataset[TAGS[name]].value if element is not None else None
    return int(value) if isinstance(value, int | float) else None


def _float(text: str | None, absent: float) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return absent


def _vector(text: str | None, length: int) -> tuple[float, ...] | None:
    try:
        values = tuple(float(part) for part in (text or "").split("\\"))
    except ValueError:
        return None
    return values if len(values) == length and all(math.isfinite(value) for value in values) else None


def _date(text: str | None) -> str | None:
    digits = (text or "").replace(".", "").replace("-", "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 and digits.isdigit() else None
