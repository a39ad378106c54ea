"""Faces in the head scans of one patient: found once per frame of reference, blanked in every image that shares it."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from types import NoneType
from typing import TYPE_CHECKING

import numpy as np
import pydicom

from asclepius.deidentify.buffers import Buffer
from asclepius.deidentify.dicom import odd, reading
from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.dicom.replacing import NewPixels
from asclepius.errors import Rejected

if TYPE_CHECKING:
    from asclepius.deidentify.faces.deface import Defaced

Opener = Callable[[], AbstractContextManager[Buffer]]
_MODALITIES = frozenset({"CT", "MR"})
_SERIES, _FRAME = 0x0020000E, 0x00200052
_WORDS = (0x0008103E, 0x00081030, 0x00181030)  # descriptions of series and study, protocol
_FEWEST = 8  # slices of a series that a head is looked for in


@dataclass
class _Series:
    frame: str
    modality: str
    words: tuple[str, str]  # body part; descriptions
    size: tuple[float, float, float]  # mm: width and height of a slice, distance of slices
    slices: int = 0
    files: list[Opener] = field(default_factory=list)


class Faces:
    """Finds and blanks the faces of one patient."""

    def __init__(self) -> None:
        self._heads: dict[str, _Series] = {}  # series that may show a face
        self._found: dict[str, Defaced | Rejected] = {}  # by frame of reference; or why none was found
        self._registered: set[str] = set()  # series whose value of air is known
        self._masks: dict[str, bytes | None] = {}  # by series

    def find(self, files: Iterable[Opener]) -> None:
        """Look at all CT and MR of the patient; the largest head series of each frame of reference is registered."""
        series: dict[str, _Series] = {}
        for opener in files:
            # A failure is met again, and reported, when the file's turn comes.
            with suppress(Rejected), opener() as data:
                source = reading.read(data)
                if source.pixels is not None and source.text(0x00080060) in _MODALITIES:
                    one = series.setdefault(source.text(_SERIES), _series(source))
                    one.files.append(opener)
                    one.slices += max(source.number(0x00280008, 1), 1)
        self._heads = {name: one for name, one in series.items() if _may_show_a_head(one)}
        for name in sorted(self._heads, key=lambda name: (-series[name].slices, name)):
            one = series[name]
            if not isinstance(self._found.get(one.frame), NoneType | Rejected):
                continue
            try:
                self._found[one.frame] = self._face(one)
                self._registered.add(name)
            except Rejected as rejected:
                self._found.setdefault(one.frame, rejected)

    def _face(self, series: _Series) -> "Defaced":
        if series.slices < _FEWEST:
            raise Rejected("face", "a head scan of too few slices to find the face in; deface it by hand")
        from asclepius.deidentify.faces.deface import deface
        from asclepius.deidentify.faces.series import volume_of

        datasets = []
        for opener in series.files:
            with opener() as data:
                datasets.append(_dataset(bytes(reading.read(data).file)))
        with odd.quiet():
            return deface(volume_of(datasets), series.modality)

    def clean(self, source: Source, new: NewPixels | None) -> NewPixels | None:
        """The file's pixels without its face; those given if it shows none.

        Args:
            new: what other cleaning made of the pixels.

        Raises:
            Rejected: face; it shows a head, and where its face is was not found beyond doubt.
        """
        if source.text(_SERIES) not in self._heads:
            return new
        found = self._found.get(_frame(source))
        if found is None or isinstance(found, Rejected):
            raise found or Rejected("face", "a head scan without a volume to find the face in; deface it by hand")
        if self._spared(found, source):
            return new
        from asclepius.deidentify.faces.series import slice_masks
        from asclepius.deidentify.pixels.raster import Raster

        dataset = _dataset(bytes(source.file))
        if new is not None:
            new.into(dataset)
        with odd.quiet():
            mask = next(iter(slice_masks(found, [dataset])))
            if not mask.any():
                return new
            raster = Raster.read(dataset)
            # Another series of the frame of reference stores air as another value: black, there.
            known = source.text(_SERIES) in self._registered
            raster.fill(mask, _stored(found.fill, dataset) if known else None)
            written = raster.written()
        figures = ", ".join(f"{name} {value:.3g}" for name, value in found.quality.items())
        before = (new.done, new.remarks) if new is not None else (frozenset(), ())
        remarks = (*before[1], f"face ({figures})")
        return NewPixels.of(written, source, before[0] | {"faces"}, remarks)

    def mask(self, source: Source) -> bytes | None:
        """The mask of the file's whole series as NIfTI (.nii.gz): one slice per place, see `faces.series.series_mask`.

        Returns:
            None where no face was looked for or found, or the series has no grid.
        """
        name = source.text(_SERIES)
        if name not in self._masks:
            self._masks[name] = self._mask(source)
        return self._masks[name]

    def _mask(self, source: Source) -> bytes | None:
        series = self._heads.get(source.text(_SERIES))
        found = self._found.get(series.frame) if series else None
        if series is None or found is None or isinstance(found, Rejected):
            return None
        from asclepius.deidentify.faces.nifti import mask_of_series
        from asclepius.deidentify.faces.series import planes, series_mask

        frames = []
        # A file that is refused by itself has no place in the mask.
        for opener in series.files:
            with suppress(Rejected), opener() as data:
                dataset = _dataset(bytes(reading.read(data).file))
                frames += [(plane, int(dataset.Rows), int(dataset.Columns)) for plane in planes(dataset)]
        try:
            mask, affine = series_mask(found, frames)
        except Rejected:
            return None
        return mask_of_series(mask & (not self._spared(found, source)), affine)

    def _spared(self, found: "Defaced", source: Source) -> bool:
        """Whether the file is of a volume that was found to show no face."""
        return found.nothing and source.text(_SERIES) in self._registered


def _series(source: Source) -> _Series:
    words = source.text(0x00180015), " ".join(source.text(tag) for tag in _WORDS)
    down, along = ([*_numbers(source, 0x00280030), 1.0, 1.0])[:2]
    apart = max([*_numbers(source, 0x00180088), *_numbers(source, 0x00180050), 1.0])
    size = (along * source.number(0x00280011, 1), down * source.number(0x00280010, 1), apart)
    return _Series(_frame(source), source.text(0x00080060), words, size)


def _numbers(source: Source, tag: int) -> list[float]:
    try:
        return [float(part) for part in source.text(tag).split("\\") if part.strip()]
    except ValueError:
        return []


def _may_show_a_head(series: _Series) -> bool:
    import SimpleITK as sitk

    from asclepius.deidentify.faces.deface import is_head

    outline = sitk.Image(1, 1, 1, sitk.sitkUInt8)  # one voxel of the size of the whole
    outline.SetSpacing(
        [max(series.size[0], 1e-3), max(series.size[1], 1e-3), max(series.size[2] * series.slices, 1e-3)]
    )
    return is_head(*series.words, outline)


def _frame(source: Source) -> str:
    return source.text(_FRAME) or source.text(_SERIES)


def _dataset(data: bytes) -> pydicom.Dataset:
    with odd.quiet():
        return pydicom.dcmread(BytesIO(data), force=True)


def _stored(fill: float, dataset: pydicom.Dataset) -> int:
    """The value of air as this image stores it."""
    bits, signed = int(dataset.BitsStored), bool(dataset.get("PixelRepresentation", 0))
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return int(np.clip(round(fill), low, high))
