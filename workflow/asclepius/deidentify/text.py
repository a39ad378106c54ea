"""Text burned into pixels: which DICOM images are likely to carry it.

Asclepius does not read pixels here. It trusts Burned In Annotation (0028,0301) where the header has it, and else
goes by the kind of image, as PS3.15 E.3.1 and the practice of public archives do.
"""

from asclepius.deidentify.dicom.reading import Source
from asclepius.errors import Rejected

# Kinds whose devices write names or dates onto the picture: ultrasound, endoscopy, cameras, documents, screens.
_MODALITIES = frozenset({"US", "IVUS", "ES", "XC", "GM", "DOC", "OT", "SC", "HC", "ECG", "SMR"})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SCREENS = frozenset({"SCREEN SAVE", "SCREENSHOT", "SCREEN", "DOSE_INFO", "DOSE REPORT", "SCANNED"})
_REMEDY = "look at it, then set BurnedInAnnotation or deidentify.burned_in_text: keep"


def refuse(source: Source) -> None:
    """Quarantine an image that says, or whose kind suggests, that text stands in its pixels.

    Raises:
        Rejected: with the reason burned-in-text.
    """
    stated = source.text(0x00280301).upper()
    if stated == "NO":
        return
    if stated == "YES":
        raise Rejected("burned-in-text", "the header says that text is burned into the pixels")
    if source.text(0x00080060).upper() in _MODALITIES:
        raise Rejected("burned-in-text", f"its modality often has text burned into the pixels; {_REMEDY}")
    if source.text(0x00080016).startswith(_SECONDARY_CAPTURE):
        raise Rejected("burned-in-text", f"secondary captures often have text burned into the pixels; {_REMEDY}")
    if _SCREENS & {term.strip().upper() for term in source.text(0x00080008).split("\\")}:
        raise Rejected("burned-in-text", f"a copy of a screen, with text burned into the pixels; {_REMEDY}")
