"""Which cleaner a picture needs, by its first bytes; a file's name proves nothing."""

from collections import Counter
from collections.abc import Callable

from asclepius.deidentify.pictures import jpeg, png, tiff
from asclepius.deidentify.pictures.pieces import Pieces, Searched
from asclepius.errors import Rejected

Cleaner = Callable[[bytes, Counter[tuple[str, str, str]]], Pieces]


def clean(data: bytes, audit: Counter[tuple[str, str, str]], identifiers: Searched | None = None) -> tuple[bytes, str]:
    """A picture without metadata, and the suffix of its format.

    Args:
        identifiers: of the patient; searched in what is written, pixels' values excepted.

    Raises:
        Rejected: empty, truncated, unreadable, undecodable, no picture, an animation; identity if the proof fails.
    """
    if not data:
        raise Rejected("empty", "the file has no bytes")
    # Before the signatures: a DICOM file's preamble may be a whole TIFF header (PS3.10 section 7.1).
    if data[128:132] == b"DICM":
        raise Rejected("unreadable", "a DICOM file that was given as a picture; list it as DICOM")
    cleaner, suffix = _cleaner(data)
    out = cleaner(data, audit)
    written = out.join()
    # Proof: a second cleaning must find nothing left to take away.
    if not _cleaner(written)[0](written, Counter()).equal(written):
        raise Rejected("identity", "the cleaned picture still holds metadata")
    if identifiers is not None:
        out.prove(identifiers)
    return written, suffix


def _cleaner(data: bytes) -> tuple[Cleaner, str]:
    if data.startswith(png.SIGNATURE):
        return png.clean, ".png"
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.clean, ".jpg"
    if data[:4] in tiff.SIGNATURES:
        return tiff.clean, ".tif"
    # Pillow is slow to import: only for who needs it.
    from asclepius.deidentify.pictures import redrawn

    return redrawn.clean, ".png"
