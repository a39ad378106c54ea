"""Compressing blanked frames without loss, each proven by decoding it again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder, get_encoder
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from asclepius.deidentify.pixels.layout import Layout
from asclepius.errors import Rejected

_LONGEST_WITH_OFFSETS = 1 << 32  # a basic offset table has 32-bit numbers


@dataclass(frozen=True)
class Coded:
    """A pixel element's value, and what the header must say of it."""

    value: bytes
    encapsulated: bool
    syntax: str
    photometric: str
    planar: int = 0


def encode(frames: Callable[[], Iterator[np.ndarray]], layout: Layout) -> Coded:
    """Frames in JPEG 2000 lossless; RLE where that does not fit; uncompressed, little endian, where neither does.

    YBR_FULL goes to RLE with Planar Configuration 1: ultrasound allows no other form of it (PS3.3 C.8.5.6.1.16).

    Args:
        frames: gives the cells of each frame, (y, x, sample), as often as it is called.
        layout: of those cells.

    Raises:
        Rejected: the frames cannot be decoded.
    """
    full_chroma = layout.photometric == "YBR_FULL"
    for syntax in (RLELossless,) if full_chroma else (JPEG2000Lossless, RLELossless):
        # The reversible colour transform halves the size of colour pictures.
        rct = syntax == JPEG2000Lossless and layout.photometric == "RGB"
        coded = replace(layout, photometric="YBR_RCT") if rct else layout
        try:
            streams = [_encode(cells, coded, syntax) for cells in frames()]
        except Rejected:
            raise
        except Exception:  # encoders refuse what they do not hold in many ways
            continue
        offsets = sum(map(len, streams)) + 8 * len(streams) < _LONGEST_WITH_OFFSETS
        return Coded(encapsulate(streams, has_bot=offsets), True, str(syntax), coded.photometric, int(full_chroma))
    little = layout.kind.newbyteorder("<")
    value = b"".join(cells.astype(little, copy=False).tobytes() for cells in frames())
    return Coded(value + (len(value) % 2) * b"\0", False, str(ExplicitVRLittleEndian), layout.photometric)


def _encode(cells: np.ndarray, layout: Layout, syntax: UID) -> bytes:
    """One frame.

    Raises:
        ValueError: it reads differently when decoded.
    """
    options = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "number_of_frames": 1,
        "bits_allocated": layout.allocated,
        "bits_stored": layout.stored,
        "pixel_representation": int(layout.signed),
        "photometric_interpretation": layout.photometric,
        "planar_configuration": 0,
    }
    flat = np.ascontiguousarray(cells if layout.samples > 1 else cells[..., 0])
    stream = get_encoder(syntax).encode(flat, **options)
    again, _ = get_decoder(syntax).as_array(
        encapsulate([stream]), index=0, raw=True, correct_unused_bits=False, pixel_keyword="PixelData", **options
    )
    if not np.array_equal(again, flat):
        raise ValueError("the frame reads differently when decoded")
    return stream
