"""How the pixels of a DICOM image lie in its file (PS3.3 C.7.6.3, PS3.5 section 8)."""

from dataclasses import dataclass, replace

import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_color_lut

from asclepius.deidentify.pixels.unused import Cell
from asclepius.errors import Rejected

PIXEL_DATA, FLOAT, DOUBLE = 0x7FE00010, 0x7FE00008, 0x7FE00009
_KEYWORDS = {PIXEL_DATA: "PixelData", FLOAT: "FloatPixelData", DOUBLE: "DoubleFloatPixelData"}
_SUBSAMPLED = ("YBR_FULL_422", "YBR_PARTIAL_422")


@dataclass(frozen=True)
class Layout:
    """Size and coding of an image's pixels.

    Args:
        tag: of the pixel element.
        frames, rows, columns, samples: shape of the image.
        allocated, stored, high, signed: bits of a cell, and where in it the value lies.
        planar: 1 where each sample has a plane of its own.
        photometric: Photometric Interpretation.
    """

    tag: int
    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: int
    photometric: str

    @classmethod
    def read(cls, dataset: Dataset) -> "Layout":
        """Of a data set with pixels.

        Raises:
            Rejected: undecodable; attributes are missing, contradict each other or name a coding that does not exist.
        """
        tag = next((tag for tag in _KEYWORDS if tag in dataset), None)
        if tag is None:
            raise Rejected("undecodable", "the object has no pixels; copy it again, or leave it out of the source")
        try:
            allocated = int(dataset.get("BitsAllocated") or {FLOAT: 32, DOUBLE: 64}.get(tag, 0))
            stored = allocated if tag != PIXEL_DATA else int(dataset.get("BitsStored") or allocated)
            high = stored - 1 if tag != PIXEL_DATA else int(dataset.get("HighBit", stored - 1))
            samples = int(dataset.get("SamplesPerPixel") or 1)
            layout = cls(
                tag=tag,
                frames=int(dataset.get("NumberOfFrames") or 1),
                rows=int(dataset.Rows),
                columns=int(dataset.Columns),
                samples=samples,
                allocated=allocated,
                stored=stored,
                high=high,
                signed=bool(int(dataset.get("PixelRepresentation") or 0)),
                planar=int(dataset.get("PlanarConfiguration") or 0) if samples > 1 else 0,
                photometric=str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip().upper(),
            )
        except (AttributeError, TypeError, ValueError):
            raise Rejected("undecodable", "the header does not tell the size of the image") from None
        layout._check()
        return layout

    def _check(self) -> None:
        if min(self.frames, self.rows, self.columns, self.samples) < 1:
            raise Rejected("undecodable", "the header says that the image is empty")
        allowed = {FLOAT: (32,), DOUBLE: (64,)}.get(self.tag, (1, 8, 16, 32, 64))
        if self.allocated not in allowed or (self.allocated == 1 and self.samples > 1):
            raise Rejected("undecodable", f"pixels of {self.allocated} bits are not supported; export it anew")
        if not (0 < self.stored <= self.allocated and self.stored - 1 <= self.high < self.allocated):
            raise Rejected("undecodable", "Bits Allocated, Bits Stored and High Bit contradict each other")

    @property
    def keyword(self) -> str:
        return _KEYWORDS[self.tag]

    @property
    def subsampled(self) -> bool:
        """Two pixels of a line share their colour: Y1 Y2 Cb Cr (PS3.3 C.7.6.3.1.2). Native coding only."""
        return self.photometric in _SUBSAMPLED

    @property
    def full(self) -> "Layout":
        """The same without subsampling: what decoding makes of it."""
        photometric = self.photometric.removesuffix("_422") if self.subsampled else self.photometric
        return replace(self, photometric=photometric, planar=0)

    @property
    def cell(self) -> Cell:
        return Cell(self.allocated, self.stored if self.tag == PIXEL_DATA else self.allocated, self.high, self.signed)

    @property
    def kind(self) -> np.dtype:
        """Of a cell, in the byte order of the machine."""
        if self.tag != PIXEL_DATA:
            return np.dtype(np.float32 if self.tag == FLOAT else np.float64)
        return np.dtype(f"{'i' if self.signed else 'u'}{max(self.allocated // 8, 1)}")

    @property
    def bits(self) -> int:
        """Of a frame in native coding; frames of single bits do not begin at a byte."""
        return self.rows * self.columns * self.allocated * (2 if self.subsampled else self.samples)

    def values(self, cells: np.ndarray) -> np.ndarray:
        """Stored values of cells: unused bits taken away, the sign extended."""
        return cells if self.cell.full else self.cell.values(cells)

    def black(self, dataset: Dataset, low: float, high: float) -> np.ndarray:
        """Stored value per sample of the darkest pixel.

        Args:
            dataset: where a palette is found.
            low, high: range of the image's values. Signed and real numbers have no natural black: the image's own
                darkest value keeps later windowing and statistics as they were.
        """
        name = self.photometric
        if name.startswith("YBR"):
            least = 16 << (self.stored - 8) if "PARTIAL" in name and self.stored >= 8 else 0
            return np.array([least, *[1 << (self.stored - 1)] * (self.samples - 1)], self.kind)
        if name == "PALETTE COLOR":
            return np.array([_darkest(dataset, self)], self.kind)
        if name == "CMYK":
            return np.array([0, 0, 0, (1 << self.stored) - 1][-self.samples :], self.kind)
        if self.signed or self.tag != PIXEL_DATA:
            value = high if name == "MONOCHROME1" else low
        else:
            value = (1 << self.stored) - 1 if name == "MONOCHROME1" else 0
        return np.full(self.samples, value).astype(self.kind)


def _darkest(dataset: Dataset, layout: Layout) -> int:
    """Index of the palette's darkest colour (PS3.3 C.7.6.3.1.5)."""
    try:
        entries, first, _ = dataset["RedPaletteColorLookupTableDescriptor"].value
        first = int(first)
        last = min(first + (int(entries) or 1 << 16), 1 << layout.stored)
        indices = np.arange(max(first, 0), last).astype(np.uint16)
        colours = apply_color_lut(indices[None], dataset)[0]
        return int(indices[colours[:, :3].astype(np.int64).sum(axis=1).argmin()])
    except Exception:  # pydicom raises anything for a damaged palette; any constant hides what was there
        return 0
