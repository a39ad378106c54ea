"""Further files of a DICOM series, read by comparison with its first one.

In a series nearly all elements are equal, so only what differs is parsed. Whatever is not plain, uncompressed and grey,
or differs in more than place and scale, is left to pydicom.
"""

from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from asclepius.deidentify.dicom.runs import Run, runs_of
from asclepius.deidentify.dicom.syntax import LONG, UNDEFINED, Broken, Coding, walk

_META = Coding(implicit=False, little=True)
_SYNTAX, _PIXELS = 0x00020010, 0x7FE00010
_POSITION, _SLOPE, _INTERCEPT = (
    int(Tag(name)) for name in ("ImagePositionPatient", "RescaleSlope", "RescaleIntercept")
)
_OWN = frozenset((_POSITION, _SLOPE, _INTERCEPT))
# All that reading a slice depends on but for those three.
_SAME = frozenset(
    int(Tag(name))
    for name in (
        "Modality", "ImageOrientationPatient", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
        "NumberOfFrames", "Rows", "Columns", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
        "EstimatedRadiographicMagnificationFactor", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
        "PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "PixelMeasuresSequence",
        "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Args:
    frame: (y, x, 1), stored values; a view of the file.
    """

    frame: np.ndarray
    position: np.ndarray
    slope: float
    intercept: float


class Series:
    """Reads files that are like the first one."""

    def __init__(self, first: bytes, dataset: Dataset):
        self._like: list[Run] | None = None
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        bits = dataset.get("BitsAllocated")
        plain = (
            syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
            and bits in (8, 16)
            and dataset.get("SamplesPerPixel") == 1
            and dataset.get("PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2")
            and int(dataset.get("NumberOfFrames") or 1) == 1
            and "ModalityLUTSequence" not in dataset
            and "PerFrameFunctionalGroupsSequence" not in dataset
        )
        if not plain:
            return
        self._syntax = str(syntax).encode()
        self._coding = Coding(syntax == ImplicitVRLittleEndian, little=True)
        self._shape = int(dataset.Rows), int(dataset.Columns), 1
        self._dtype = np.dtype(f"<{'i' if dataset.get('PixelRepresentation') else 'u'}{bits // 8}")
        begin = self._begin(first)
        if begin is None:
            return
        try:
            runs, place = runs_of(first, begin, len(first), self._coding, ())
        except Broken:
            return
        tag, at, _ = place or (0, 0, 0)
        self._head = first[at : at + self._head_length]
        length = int.from_bytes(self._head[-4:], "little")
        if tag == _PIXELS and self._shape[0] * self._shape[1] * self._dtype.itemsize <= length != UNDEFINED:
            self._same = _values(runs, _SAME)
            self._like = runs

    @property
    def _head_length(self) -> int:
        return 8 if self._coding.implicit else 12

    def slice(self, data: bytes) -> Found | None:
        """What a file holds; None if it must be read in full."""
        begin = self._begin(data) if self._like is not None else None
        if begin is None:
            return None
        try:
            runs, place = runs_of(data, begin, len(data), self._coding, self._like)
        except Broken:
            return None
        tag, at, _ = place or (0, 0, 0)
        start = at + self._head_length
        if tag != _PIXELS or data[at:start] != self._head or _values(runs, _SAME) != self._same:
            return None
        self._like = runs
        values = _values(runs, _OWN)
        try:
            position = np.array([float(part) for part in self._text(values[_POSITION]).split(b"\\")])
            slope, intercept = (
                float(self._text(values[tag])) if tag in values else default
                for tag, default in ((_SLOPE, 1.0), (_INTERCEPT, 0.0))
            )
            count = self._shape[0] * self._shape[1]
            frame = np.frombuffer(data, self._dtype, count, start).reshape(self._shape)
        except (KeyError, ValueError):
            return None
        return (
            Found(frame, position, slope, intercept) if position.shape == (3,) and np.isfinite(position).all() else None
        )

    def _text(self, raw: bytes) -> bytes:
        long = not self._coding.implicit and raw[4:6] in LONG
        return raw[12 if long else 8 :]

    def _begin(self, data: bytes) -> int | None:
        """Where the data set begins; None in another transfer syntax than the first file's."""
        if data[128:136] != b"DICM\x02\0\0\0" or data[136:138] != b"UL":
            return None
        begin = 144 + int.from_bytes(data[140:144], "little")
        try:
            meta = walk(data, 144, min(begin, len(data)), _META)
        except Broken:
            return None
        syntax = next((data[at + 8 : end] for tag, at, end in meta if tag == _SYNTAX), b"")
        return begin if syntax.rstrip(b"\0 ") == self._syntax else None


def _values(runs: list[Run], tags: frozenset[int]) -> dict[int, bytes]:
    """The bytes of those elements that are there."""
    return {tag: run.by_tag[tag] for run in runs for tag in tags.intersection(run.tags)}
