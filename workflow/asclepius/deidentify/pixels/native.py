"""Uncompressed pixels: a window onto the bytes of the file, so that nothing changes but what is blanked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from asclepius.deidentify.pixels.layout import Layout
from asclepius.errors import Rejected


@dataclass(frozen=True)
class Fill:
    """What is blanked.

    Args:
        mask: bool, (frame, y, x) or (y, x).
        cell: what goes there, per sample.
        frames: that a mask (y, x) is for; None: all.
    """

    mask: np.ndarray
    cell: np.ndarray
    frames: range | None = None

    def of(self, number: int) -> np.ndarray:
        """Mask of a frame, (y, x)."""
        if self.mask.ndim == 3:
            return self.mask[number]
        return self.mask if self.frames is None or number in self.frames else np.zeros_like(self.mask)


class Native:
    """Pixels in a native transfer syntax.

    Args:
        value: of the pixel element.
        layout: of the pixels.
        big: cells are big endian.
        swapped: bytes stand in 16-bit words (big endian OW, PS3.5 8.1.2).

    Raises:
        Rejected: truncated; undecodable: the colours do not fit the size.
    """

    def __init__(self, value: bytes, layout: Layout, *, big: bool = False, swapped: bool = False):
        self._swapped = swapped and layout.allocated <= 8
        self._value = _swap(value) if self._swapped else value
        if layout.subsampled and len(value) >= layout.rows * layout.columns * 3 * layout.frames:
            # A known slip: the header says 4:2:2, the pixels are complete.
            layout = replace(layout.full, planar=layout.planar)
        if layout.subsampled and (layout.samples != 3 or layout.allocated != 8 or layout.columns % 2):
            raise Rejected("undecodable", "colours are subsampled in a way that does not fit the image's size")
        self.layout = layout
        self._kind = layout.kind.newbyteorder(">" if big and not self._swapped else "<")
        self._length = (layout.bits * layout.frames + 7) // 8
        if len(value) < self._length:
            raise Rejected("truncated", f"{len(value)} of {self._length} bytes of pixels; copy it again")

    @property
    def excess(self) -> bool:
        """Something other than zeros lies behind the last pixel."""
        return bool(np.frombuffer(self._value, np.uint8, offset=self._length).any())

    def frames(self) -> Iterator[np.ndarray]:
        """Cells in the machine's byte order, (y, x, sample); they may be a view onto the file's bytes."""
        for number in range(self.layout.frames):
            if self.layout.allocated == 1:
                yield self._single_bits(self._value, number)[0].reshape(self.layout.rows, self.layout.columns, 1)
            elif self.layout.subsampled:
                yield _complete(self._window(self._value, number))
            else:
                window = self._window(self._value, number)
                yield window.astype(self.layout.kind, copy=False)

    def written(self, fills: Sequence[Fill], proper: Callable[[np.ndarray], np.ndarray] | None) -> bytes:
        """The element's new value.

        Args:
            fills: in the order they are done.
            proper: takes away what else is in a cell.
        """
        tail = self._value[self._length :]
        out = bytearray(self._value[: self._length])
        out += (len(out) % 2) * b"\0" if self.excess else tail
        out += (len(out) % 2) * b"\0"
        for number in range(self.layout.frames):
            if proper:
                window = self._window(out, number)
                window[...] = proper(window.astype(self.layout.kind))
            for fill in fills:
                self._blank(out, number, fill.of(number), fill.cell)
        return bytes(_swap(out) if self._swapped else out)

    def _blank(self, out: bytearray, number: int, mask: np.ndarray, cell: np.ndarray) -> None:
        if self.layout.allocated == 1:
            bits, first, last = self._single_bits(out, number)
            bits[mask.ravel()] = cell[0]
            whole = np.unpackbits(np.frombuffer(out, np.uint8)[first:last], bitorder="little")
            begin = number * self.layout.bits - first * 8
            whole[begin : begin + self.layout.bits] = bits
            out[first:last] = np.packbits(whole, bitorder="little").tobytes()
        elif self.layout.subsampled:
            self._window(out, number)[mask[:, ::2]] = cell[[0, 0, 1, 2]]
        else:
            self._window(out, number)[mask] = cell

    def _window(self, buffer: bytes | bytearray, number: int) -> np.ndarray:
        """Cells of a frame in place: (y, x, sample), or (y, pair of pixels, Y1 Y2 Cb Cr)."""
        layout = self.layout
        count = layout.bits // layout.allocated
        cells = np.frombuffer(buffer, self._kind, count, offset=number * layout.bits // 8)
        if layout.subsampled:
            return cells.reshape(layout.rows, layout.columns // 2, 4)
        if layout.planar:
            return np.moveaxis(cells.reshape(layout.samples, layout.rows, layout.columns), 0, -1)
        return cells.reshape(layout.rows, layout.columns, layout.samples)

    def _single_bits(self, buffer: bytes | bytearray, number: int) -> tuple[np.ndarray, int, int]:
        """Pixels of a frame of single bits, and the bytes that hold them."""
        begin = number * self.layout.bits
        first, last = begin // 8, (begin + self.layout.bits + 7) // 8
        whole = np.unpackbits(np.frombuffer(buffer, np.uint8)[first:last], bitorder="little")
        return whole[begin - first * 8 :][: self.layout.bits].copy(), first, last


def _complete(pairs: np.ndarray) -> np.ndarray:
    """Y1 Y2 Cb Cr of each pair as two pixels of Y Cb Cr."""
    rows, count, _ = pairs.shape
    out = np.empty((rows, count, 2, 3), pairs.dtype)
    out[..., 0] = pairs[..., :2]
    out[..., 1:] = pairs[..., None, 2:]
    return out.reshape(rows, count * 2, 3)


def _swap(value: bytes | bytearray) -> bytes:
    padded = bytes(value) + (len(value) % 2) * b"\0"
    return np.frombuffer(padded, np.uint16).byteswap().tobytes()
