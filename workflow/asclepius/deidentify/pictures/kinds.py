"""Which cleaner a picture needs, by its first bytes; a file's name proves nothing."""

from collections import Counter

from asclepius.deidentify.pictures import jpeg, png
from asclepius.errors import Rejected


def clean(data: bytes, audit: Counter[tuple[str, str, str]]) -> tuple[bytes, str]:
    """A picture without metadata, and the suffix of its format.

    Raises:
        Rejected: empty, truncated, unreadable or undecodable.
    """
    if not data:
        raise Rejected("empty", "the file has no bytes")
    for cleaner, signature, suffix in ((png, png.SIGNATURE, ".png"), (jpeg, jpeg.SIGNATURE, ".jpg")):
        if data.startswith(signature):
            out = cleaner.clean(data, audit)
            _fixed(cleaner.clean(out, Counter()), out)
            return out, suffix
    # Pillow and tifffile are slow to import: only for who needs them.
    from asclepius.deidentify.pictures import redrawn

    if data[:4] in redrawn.TIFF:
        return redrawn.tiff(data, audit), ".tif"
    return redrawn.other(data, audit), ".png"


def _fixed(again: bytes, once: bytes) -> None:
    """Proof: a second cleaning must find nothing left to take away."""
    if again != once:
        raise Rejected("identity", "the cleaned picture still holds metadata")
