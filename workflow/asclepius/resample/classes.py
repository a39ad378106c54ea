"""Which classes a mask holds, what they are called, and where one covers another."""

import numpy as np

from asclepius.errors import Rejected
from asclepius.resample.planes import Planes
from asclepius.resample.scan import Scan

HIGHEST = 255  # masks are stored in 8 bits


class Classes:
    """Numbers of segments or regions in the mask.

    Args:
        names: by number: what each is called in the source, the safest name first.
        wanted: a name (in any case) or number of the source and its number in the mask; empty keeps all as they are.

    Raises:
        Rejected: "wrong-shape" if a number does not fit into 8 bits.
    """

    def __init__(self, names: dict[int, list[str]], wanted: dict[str, int]):
        lower = {name.lower(): number for name, number in wanted.items()}
        self._numbers, self.names = {}, {}
        for old, called in names.items():
            known = [lower[name.lower()] for name in (*called, str(old)) if name.lower() in lower]
            number = known[0] if known else 0 if wanted else old
            if number > HIGHEST:
                raise Rejected(
                    "wrong-shape", f"class number {number} of the mask; 255 is the highest, see mask_classes"
                )
            if number > 0:
                self._numbers[old] = number
                self.names.setdefault(number, called[0] if called else "unnamed")

    def number(self, old: int) -> int:
        """The number in the mask; 0 if the class is left out."""
        return self._numbers.get(old, 0)


class Painter:
    """Draws classes on slices; the higher number covers the lower.

    Args:
        shape: (slices, y, x).
    """

    def __init__(self, shape: tuple[int, int, int]):
        self._labels = np.zeros(shape, np.uint8)
        self._covered = 0

    def add(self, plane: int, inside: np.ndarray, number: int) -> None:
        """A class on one slice; `inside` (y, x) is true where it is."""
        under = self._labels[plane]
        self._covered += int(((under > 0) & (under != number) & inside).sum())
        np.maximum(under, number, out=under, where=inside)

    def scan(self, planes: Planes, classes: Classes) -> Scan:
        """The mask on the slices' grid, with notes for a reader of the index."""
        named = ", ".join(f"{number} {name}" for number, name in sorted(classes.names.items()))
        notes = [f"mask classes: {named}"]
        if self._covered:
            notes.append(f"mask classes overlap in {self._covered} pixels, the higher number holds")
        return Scan(
            planes.put(lambda number: self._labels[number][..., None], 0, labels=True), planes.grid, planes.grid, notes
        )
