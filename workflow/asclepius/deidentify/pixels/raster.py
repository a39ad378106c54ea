"""Pixels of a DICOM image that can be blanked: native bytes stay in place, compressed frames are coded anew."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from pydicom import Dataset
from pydicom.pixels import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian

from asclepius.deidentify.pixels import jpeg
from asclepius.deidentify.pixels.layout import PIXEL_DATA, Layout
from asclepius.deidentify.pixels.lossless import Coded, encode
from asclepius.deidentify.pixels.native import Fill, Native
from asclepius.errors import Rejected

_CACHED = 1 << 28  # bytes of decoded frames that are kept
_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})  # extended ones; they fit the old frames only


@dataclass(frozen=True)
class Written:
    """What takes the place of the pixel element.

    Args:
        value: of the element, without its header; encapsulated: the items with a basic offset table, without
            the sequence delimiter.
        encapsulated: the value is a sequence of items (PS3.5 A.4).
        syntax: UID of the transfer syntax that the file must have.
        attributes: tag → VR and value of attributes that change with it.
        dropped: tags of attributes that must go.
        tag: of the pixel element.
    """

    value: bytes
    encapsulated: bool
    syntax: str
    attributes: dict[int, tuple[str, bytes | int | str]] = field(default_factory=dict)
    dropped: frozenset[int] = frozenset()
    tag: int = PIXEL_DATA


class Raster:
    """An image's pixels, read frame by frame; what is to be blanked is noted and done when frames are read or written.

    Args:
        dataset: as `pydicom.dcmread` gives it, with file meta information.
        layout: of its pixels.
    """

    def __init__(self, dataset: Dataset, layout: Layout):
        self.layout = layout
        self.syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
        self._dataset = dataset
        self._native: Native | None = None
        self._decoded: list[np.ndarray] | None = None
        self._fills: list[Fill] = []
        self._cleared = False
        self._range: tuple[float, float] | None = None
        if self.syntax.is_encapsulated:
            jpeg.mend(dataset)
            self._decompress()
        else:
            swapped = self.syntax == ExplicitVRBigEndian and dataset[layout.tag].VR == "OW"
            self._native = Native(
                dataset[layout.tag].value, layout, big=self.syntax == ExplicitVRBigEndian, swapped=swapped
            )
            self.layout = self._native.layout

    @classmethod
    def read(cls, dataset: Dataset) -> "Raster":
        """The pixels of a data set.

        Raises:
            Rejected: undecodable; the header contradicts the pixels, or no decoder reads them.
        """
        syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
        if syntax is None:
            raise Rejected("undecodable", "the file does not name its transfer syntax; export it anew")
        return cls(dataset, Layout.read(dataset))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(frame, y, x, sample)."""
        return self.layout.frames, self.layout.rows, self.layout.columns, self.layout.samples

    @property
    def photometric(self) -> str:
        """Of the values that are read: differs from the header's where decoding changes colours."""
        return self.layout.full.photometric

    @property
    def array(self) -> np.ndarray:
        """Stored values of all frames, (frame, y, x, sample)."""
        return np.stack(list(self))

    @property
    def excess(self) -> bool:
        """Bytes other than zero lie behind the last pixel; `written` leaves them out."""
        return self._native is not None and self._native.excess

    def __iter__(self) -> Iterator[np.ndarray]:
        """Stored values frame by frame, (y, x, sample), blanked where asked."""
        for cells in self._filled():
            yield self.layout.values(cells)

    def fill(self, mask: np.ndarray, value: float | None = None, frames: range | None = None) -> None:
        """Blank pixels.

        Args:
            mask: bool, (frame, y, x) or (y, x) for every frame. Where two pixels share a colour both are blanked.
            value: stored value; None: black.
            frames: numbers of the frames that a mask (y, x) is for; None: all.
        """
        if mask.shape not in (self.shape[:3], self.shape[1:3]) or mask.dtype != bool:
            raise ValueError(f"a mask of bool and shape {self.shape[:3]} or {self.shape[1:3]} is needed")
        if not mask.any():
            return
        if self.layout.subsampled:
            pairs = mask.reshape(*mask.shape[:-1], -1, 2).any(axis=-1)
            mask = np.repeat(pairs, 2, axis=-1)
        self._fills.append(Fill(mask.copy(), self._cell(value), frames))

    def clear_unused_bits(self) -> bool:
        """Empty the bits that hold no value if they tell something, see `Cell.tells`.

        Returns:
            True if they do.
        """
        if not self.layout.cell.full and not self._cleared:
            cell = replace(self.layout.cell, padding=padding_of(self._dataset))
            self._cleared = cell.tells(self._cells)
            return self._cleared
        return False

    def written(self) -> Written:
        """The pixel element with everything asked for done.

        Raises:
            Rejected: undecodable; the frames cannot be coded so that they read the same again.
        """
        if self._native is not None:
            value = self._native.written(self._fills, self.layout.cell.proper if self._cleared else None)
            return Written(value, False, str(self.syntax), tag=self.layout.tag)
        with _quiet():
            coded = encode(self._filled, self.layout)
        return Written(coded.value, coded.encapsulated, coded.syntax, self._changes(coded), _OFFSET_TABLES)

    def _changes(self, coded: Coded) -> dict[int, tuple[str, bytes | int | str]]:
        new: dict[int, tuple[str, bytes | int | str]] = {
            0x00280004: ("CS", coded.photometric),
            0x00280100: ("US", self.layout.allocated),
            0x00280101: ("US", self.layout.stored),
            0x00280102: ("US", self.layout.high),
        }
        if self.layout.samples > 1:
            new[0x00280006] = ("US", coded.planar)
        old = self._dataset
        return {tag: found for tag, found in new.items() if tag not in old or old[tag].value != found[1]}

    def _cell(self, value: float | None) -> np.ndarray:
        layout = self.layout.full
        if value is None:
            if self._range is None and (layout.signed or layout.tag != PIXEL_DATA):
                self._range = self._extremes()
            stored = layout.black(self._dataset, *(self._range or (0, 0)))
        else:
            stored = np.full(layout.samples, value).astype(layout.kind)
        if layout.cell.full:
            return stored
        cell = stored << layout.cell.shift
        if not layout.signed:
            return cell
        # A blanked pixel extends its sign only where the image does.
        unused = np.array(layout.cell.unused).astype(layout.kind.str.replace("i", "u"))
        if any((cells.view(unused.dtype) & unused).any() for cells in self._cells()):
            return cell
        return (cell.view(unused.dtype) & ~unused).view(cell.dtype)

    def _extremes(self) -> tuple[float, float]:
        lows, highs = [], []
        for frame in self:
            finite = frame[np.isfinite(frame)] if frame.dtype.kind == "f" else frame
            if finite.size:
                lows.append(finite.min())
                highs.append(finite.max())
        return (min(lows), max(highs)) if lows else (0, 0)

    def _filled(self) -> Iterator[np.ndarray]:
        for number, cells in enumerate(self._cells()):
            if self._cleared:
                cells = self.layout.cell.proper(cells)
            if self._fills:
                cells = cells.copy()
                for fill in self._fills:
                    cells[fill.of(number)] = fill.cell
            yield cells

    def _cells(self) -> Iterator[np.ndarray]:
        """Cells of each frame as the file holds them, (y, x, sample)."""
        if self._native is not None:
            yield from self._native.frames()
        elif self._decoded is not None:
            yield from self._decoded
        else:
            yield from (cells.astype(self.layout.kind, copy=False) for cells, _ in self._decode())

    def _decode(self) -> Iterator[tuple[np.ndarray, str]]:
        """Decoded frames and their photometric interpretation, which is not always the header's."""
        count = 0
        try:
            with _quiet():
                frames = get_decoder(self.syntax).iter_array(self._dataset, raw=True, correct_unused_bits=False)
            while count < self.layout.frames:
                with _quiet():
                    found = next(frames, None)
                if found is None:
                    break
                count += 1
                yield found[0].reshape(self.shape[1:]), str(found[1]["photometric_interpretation"])
        except Exception as error:  # decoders raise anything; one bad image must not stop the shard
            raise Rejected("undecodable", _undecodable(self.syntax, error)) from None
        if count < self.layout.frames:
            raise Rejected("truncated", f"{count} of {self.layout.frames} frames are there; copy it again")

    def _decompress(self) -> None:
        """Learn what decoding gives: its colours, and cells that may be wider than the header says."""
        layout = self.layout
        if layout.allocated == 1:
            raise Rejected("undecodable", "compressed single bits are not supported; export it uncompressed")
        frames = self._decode()
        cells, photometric = next(frames)
        layout = replace(layout, photometric=photometric).full
        width = cells.dtype.itemsize * 8
        if width > layout.allocated:
            layout = replace(layout, allocated=width, stored=width, high=width - 1)
        self.layout = layout
        if layout.frames * layout.full.bits // 8 <= _CACHED:
            rest = [cells, *(cells for cells, _ in frames)]
            self._decoded = [cells.astype(layout.kind, copy=False) for cells in rest]


def padding_of(dataset: Dataset) -> int | None:
    """Pixel Padding Value (0028,0120)."""
    value = dataset.get("PixelPaddingValue")
    return value if isinstance(value, int) else None


def _undecodable(syntax: UID, error: Exception) -> str:
    name = syntax.name if syntax.is_transfer_syntax else "unknown transfer syntax"
    return f"the pixels cannot be decoded ({name}, {type(error).__name__}); export it uncompressed"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without pydicom's warnings: they quote the header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
