"""Text burned into the pixels of a DICOM file, or hidden beside them: whether to look for it, what to do about it."""

from functools import cache
from io import BytesIO

import pydicom

from asclepius.deidentify.dicom import odd, unused_bits
from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.dicom.replacing import NewPixels
from asclepius.deidentify.pixels.policy import needs_look
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import Rejected

_REMEDY = "look at it, then set BurnedInAnnotation, or switch on the option pixels"


def clean(source: Source, settings: DeidentifySettings) -> NewPixels | None:
    """New pixels for a file that has text in them, or something in bits that hold no value; None if they may stay.

    Raises:
        Rejected: the kind of image may hold text and the option `pixels` is off, or it cannot be cleaned.
    """
    modality, sop_class, kind, burned_in = (
        source.text(tag) for tag in (0x00080060, 0x00080016, 0x00080008, 0x00280301)
    )
    look = _look(modality, sop_class or source.stated_class, kind, burned_in)
    if look and "pixels" not in settings.active:
        if settings.burned_in_text == "quarantine":
            raise Rejected("burned-in-text", f"text is, or for its kind often is, burned into the pixels; {_REMEDY}")
        look = False
    if not look:
        cell = unused_bits.cell_of(source)
        if cell.full:
            return None
        if not source.pixels.encapsulated:
            return unused_bits.cleared(source, cell)
        if not unused_bits.has_room(source, cell.stored):
            return None
    from asclepius.deidentify.pixels import clean as pixels  # decoders and filters are slow to import

    with odd.quiet():
        dataset = pydicom.dcmread(BytesIO(bytes(source.file)), force=True)
        cleaned = pixels.clean(dataset, devices=settings.devices, look=look)
    if cleaned is None:
        return None
    if not look:
        return NewPixels.of(cleaned.written, source, frozenset(), (unused_bits.REMARK,))
    remark = f"text in the pixels ({', '.join(cleaned.methods)})"
    return NewPixels.of(cleaned.written, source, frozenset({"pixels"}), (remark,))


_look = cache(needs_look)  # the same for all images of a series
