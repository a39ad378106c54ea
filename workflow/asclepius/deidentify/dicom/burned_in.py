"""Text burned into the pixels of a DICOM file: whether to look for it, and what to do about it."""

from functools import cache
from io import BytesIO

import pydicom

from asclepius.deidentify.dicom import odd
from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.dicom.replacing import NewPixels
from asclepius.deidentify.pixels.policy import needs_look
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import Rejected

_REMEDY = "look at it, then set BurnedInAnnotation, or switch on the option pixels"


def clean(source: Source, settings: DeidentifySettings) -> NewPixels | None:
    """New pixels for a file that has text in them; None if they may stay.

    Raises:
        Rejected: the kind of image may hold text and the option `pixels` is off, or it cannot be cleaned.
    """
    overlays = _embedded_overlays(source)
    modality, sop_class, kind, burned_in = (
        source.text(tag) for tag in (0x00080060, 0x00080016, 0x00080008, 0x00280301)
    )
    look = _look(modality, sop_class or source.stated_class, kind, burned_in)
    if not look and not overlays:
        return None
    if "pixels" not in settings.active:
        if look and settings.burned_in_text == "quarantine":
            raise Rejected("burned-in-text", f"text is, or for its kind often is, burned into the pixels; {_REMEDY}")
        return None
    from asclepius.deidentify.pixels import clean as pixels  # decoders and filters are slow to import

    with odd.quiet():
        dataset = pydicom.dcmread(BytesIO(bytes(source.file)), force=True)
        cleaned = pixels.clean(dataset, devices=settings.devices, look=look)
    if cleaned is None:
        return None
    remark = f"text in the pixels ({', '.join(cleaned.methods)})"
    return NewPixels.of(cleaned.written, source, frozenset({"pixels"}), (remark,))


_look = cache(needs_look)  # the same for all images of a series


def _embedded_overlays(source: Source) -> bool:
    """Whether an overlay lies in the unused bits of the pixels (PS3.3 C.9.2, retired)."""
    return any(
        0x6000 <= tag >> 16 <= 0x601E and tag & 0xFFFF == 0x0100 and source.number(tag, 1) > 1
        for run in source.runs
        if max(run.tags) >= 0x60000000
        for tag in run.tags
    )
