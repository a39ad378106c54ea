"""Bits of a cell that hold no value: room for an overlay (retired, PS3.5 8.1.2), or for anything else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Cell:
    """Where in a cell the value lies (PS3.5 8.1.1).

    Args:
        allocated, stored, high: bits of the cell, of the value, and the value's highest.
        signed: the value has a sign.
        padding: Pixel Padding Value (0028,0120), which may lie beyond the values.
    """

    allocated: int
    stored: int
    high: int
    signed: bool
    padding: int | None = None

    @property
    def shift(self) -> int:
        """Bits below the value."""
        return self.high + 1 - self.stored

    @property
    def full(self) -> bool:
        """No bit is unused, or which ones are cannot be told."""
        return self.allocated not in (8, 16, 32, 64) or not (
            0 < self.stored < self.allocated and self.stored - 1 <= self.high < self.allocated
        )

    @cached_property
    def unused(self) -> int:
        """Mask of the bits that hold no value."""
        return ((1 << self.allocated) - 1) & ~(((1 << self.stored) - 1) << self.shift)

    def values(self, cells: np.ndarray) -> np.ndarray:
        """Values of cells, the sign extended."""
        above = self.allocated - self.high - 1
        return (cells << above) >> (above + self.shift)

    def proper(self, cells: np.ndarray) -> np.ndarray:
        """Cells with nothing but their value in them."""
        return self.values(cells) << self.shift

    def tells(self, pieces: Callable[[], Iterable[np.ndarray]]) -> bool:
        """Whether unused bits hold what the values do not say: neither zeros, nor the sign, nor padding.

        Args:
            pieces: gives all cells, in arrays of any shape, as often as it is called.
        """
        unused, limit = self.unused, 1 << self.high
        zero = extended = True
        for cells in pieces():
            bits = int(np.bitwise_or.reduce(cells, axis=None)) & (2 * (1 << self.allocated - 1) - 1)
            zero &= not bits & unused
            # Also where the header says unsigned: a copy of the highest bit tells nothing.
            if extended and bits >> self.high:
                signed = cells.view(cells.dtype.str.replace("u", "i"))
                low, high = int(signed.min()), int(signed.max())
                extended = -limit <= low and high < limit and not bits & ((1 << self.shift) - 1)
            if not zero and not extended:
                return not self._padded(pieces)
        return False

    def _padded(self, pieces: Callable[[], Iterable[np.ndarray]]) -> bool:
        if self.padding is None:
            return False
        padding = self.padding & (1 << self.allocated) - 1
        for cells in pieces():
            unsigned = cells.view(cells.dtype.str.replace("i", "u"))
            if (unsigned[(unsigned & unsigned.dtype.type(self.unused)) != 0] != padding).any():
                return False
        return True
