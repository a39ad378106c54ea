"""Stored grey values as values of the modality: padding, sign, inversion, rescaling (PS3.3 C.7.6.3 and C.11.1)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import RLELossless, UncompressedTransferSyntaxes

# Transfer syntaxes that hand on all bits allocated.
UNPACKED = frozenset((*UncompressedTransferSyntaxes, RLELossless))
# Their values measure something; MONOCHROME1 tells only how to show them.
QUANTITIES = frozenset(("CT", "NM", "PT"))


@dataclass(frozen=True, eq=False)
class Grey:
    """What a header says about the grey values of all its frames.

    Args:
        stored: bits of a value that count; the lowest ones.
        exact: values keep to them: a codec has seen to it.
        signed: two's complement.
        padding: lowest and highest stored value that is no measurement; None if there is none.
        inverted: the lowest value is white (MONOCHROME1) and the values measure nothing.
        table: from stored values to those of the modality and the highest of them, instead of a slope.
    """

    stored: int
    exact: bool
    signed: bool
    padding: tuple[float, float] | None
    inverted: bool
    table: tuple[Callable[[np.ndarray], np.ndarray], int] | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> "Grey":
        """As an object's header says."""
        sequence = dataset.get("ModalityLUTSequence")
        table = None
        if sequence:
            highest = 2 ** int(sequence[0].LUTDescriptor[2]) - 1
            table = (lambda values: apply_modality_lut(values, dataset)), highest
        white = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
        bits = int(dataset.get("BitsAllocated") or 0)
        stored = int(dataset.get("BitsStored") or bits)
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        return cls(
            stored=stored,
            exact=syntax not in UNPACKED,
            signed=bool(dataset.get("PixelRepresentation")),
            padding=_padding(dataset, bits),
            inverted=white and dataset.get("Modality") not in QUANTITIES,
            table=table,
        )

    def values(self, frame: np.ndarray, slope: float, intercept: float, fill: float) -> np.ndarray:
        """Values of one frame in HU or the modality's units.

        Args:
            frame: (y, x, 1), stored values.
            fill: for padding.
        """
        padding = None
        if self.padding is not None:
            padding = (frame >= self.padding[0]) & (frame <= self.padding[1])
        values = self._bounded(frame) if frame.dtype.kind in "iu" else frame
        if self.table is not None:
            lookup, highest = self.table
            values = lookup(values)
            values = compact(highest - values.astype(np.int64) if self.inverted else values)
        else:
            values = rescaled(self._mirrored(values) if self.inverted else values, slope, intercept)
        if padding is not None and padding.any():
            kind = np.result_type(values, np.min_scalar_type(int(fill)))
            values = np.where(padding, np.asarray(fill, kind), values)
        return values

    def _bounded(self, values: np.ndarray) -> np.ndarray:
        """Without bits above those stored: overlays of old, or a sign that was not extended (PS3.5 8.1.1)."""
        spare = values.dtype.itemsize * 8 - self.stored
        if spare <= 0 or self.exact:
            return values
        top = 2 ** (self.stored - self.signed)
        if values.max(initial=0) < top and values.min(initial=0) >= -top * self.signed:
            return values
        values = values.astype(values.dtype.newbyteorder("="))
        return values << spare >> spare

    def _mirrored(self, values: np.ndarray) -> np.ndarray:
        """As MONOCHROME2: mirrored within the stored bits."""
        if values.dtype.kind == "f":
            return values.max() + values.min() - values
        return -1 - values if self.signed else (2**self.stored - 1 - values.astype(np.int64)).astype(values.dtype)


def rescaled(values: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """slope * value + intercept, in the smallest of int16, int32, float32 that holds it exactly enough."""
    if slope == 1 and intercept == 0:
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind in "iu" and slope == int(slope) and intercept == int(intercept):
        slope, intercept = int(slope), int(intercept)
        ends = [int(end) * slope + intercept for end in (values.min(), values.max())]
        kind = _kind(min(ends), max(ends))
        if kind.kind == "i":  # exact although sums in between may wrap: the end does not
            found = values.astype(kind)
            if slope != 1:
                found *= np.array(slope).astype(kind)
            found += np.array(intercept).astype(kind)
            return found
        return (values.astype(np.float64) * slope + intercept).astype(np.float32)
    return values.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def compact(values: np.ndarray) -> np.ndarray:
    """Whole numbers in the smallest of int16, int32, float32; others in float32."""
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    return values.astype(_kind(int(values.min()), int(values.max())))


def _kind(low: int, high: int) -> np.dtype:
    for kind in (np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.float32)


def _padding(dataset: Dataset, bits: int) -> tuple[float, float] | None:
    """Pixel Padding Value and its range (PS3.3 C.7.5.1.1.2)."""
    kind = "Float" if "FloatPixelData" in dataset else "DoubleFloat" if "DoubleFloatPixelData" in dataset else ""
    first = dataset.get(f"{kind}PixelPaddingValue")
    last = dataset.get(f"{kind}PixelPaddingRangeLimit", first)
    if not all(isinstance(value, int | float) for value in (first, last)):
        return None
    if not kind and bits:  # written with the sign of its own value representation, not of the pixels
        half = 2 ** (bits - 1) * bool(dataset.get("PixelRepresentation"))
        first, last = ((value + half) % 2**bits - half for value in (first, last))
    return min(first, last), max(first, last)
