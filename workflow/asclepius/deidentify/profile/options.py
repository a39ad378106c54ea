"""The options of PS3.15 E.3, the presets made of them, and what a file says about its own de-identification."""

from typing import Literal

from asclepius.errors import StudyError

Option = Literal[
    "safe_private",
    "uids",
    "device",
    "institution",
    "patient_characteristics",
    "full_dates",
    "modified_dates",
    "descriptors",
    "structured_content",
    "graphics",
    "pixels",
    "faces",
]
Preset = Literal["strict", "research", "tcia"]

PRESETS: dict[str, frozenset[str]] = {
    # The basic profile; of the options only those that take more away.
    "strict": frozenset({"pixels", "faces"}),
    "research": frozenset(
        {"modified_dates", "patient_characteristics", "safe_private", "device", "descriptors", "pixels"}
    ),
    # What The Cancer Imaging Archive asks of a public release.
    "tcia": frozenset(
        {
            "modified_dates",
            "patient_characteristics",
            "safe_private",
            "device",
            "descriptors",
            "structured_content",
            "graphics",
            "pixels",
            "faces",
        }
    ),
}

# CID 7050 (PS3.16), in the order of their codes.
PROFILE = ("113100", "Basic Application Confidentiality Profile")
CODES: dict[str, tuple[str, str]] = {
    "pixels": ("113101", "Clean Pixel Data Option"),
    "faces": ("113102", "Clean Recognizable Visual Features Option"),
    "graphics": ("113103", "Clean Graphics Option"),
    "structured_content": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    "modified_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe_private": ("113111", "Retain Safe Private Option"),
    "institution": ("113112", "Retain Institution Identity Option"),
}
METHOD = "Asclepius: DICOM PS3.15 2024b Annex E"
# Options that say of a file what was done to its pixels: claimed only where it was done.
OF_PIXELS = frozenset({"pixels", "faces"})

# What later stages read: geometry, values, kernel, device. No preset takes them away (tests/deidentify).
NEEDED_TEXT = """
SOPClassUID SOPInstanceUID Modality Manufacturer ManufacturerModelName ImageType Rows Columns NumberOfFrames
PixelSpacing ImagerPixelSpacing SliceThickness SpacingBetweenSlices ImagePositionPatient ImageOrientationPatient
InstanceNumber SamplesPerPixel PhotometricInterpretation PlanarConfiguration BitsAllocated BitsStored HighBit
PixelRepresentation RescaleSlope RescaleIntercept RescaleType WindowCenter WindowWidth VOILUTFunction
PixelPaddingValue ConvolutionKernel GantryDetectorTilt EchoTime RepetitionTime TriggerTime DiffusionBValue
TemporalPositionIdentifier AcquisitionNumber RedPaletteColorLookupTableData PerFrameFunctionalGroupsSequence
SharedFunctionalGroupsSequence
"""
NEEDED = frozenset(NEEDED_TEXT.split())


def unavailable(options: frozenset[str]) -> list[str]:
    """What later stages cannot do under these options, in sentences."""
    if "patient_characteristics" in options:
        return []
    return ["Age and sex are not kept: results by age or sex, and models that use them, are not available."]


def chosen(preset: str, options: list[str] | None) -> frozenset[str]:
    """The options in force: those named, else the preset's.

    Raises:
        StudyError: full and modified dates together.
    """
    picked = PRESETS[preset] if options is None else frozenset(options)
    if {"full_dates", "modified_dates"} <= picked:
        raise StudyError("deidentify.options: full_dates and modified_dates exclude each other; keep one of them")
    return picked


def codes(options: frozenset[str], done: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """Code values and meanings for De-identification Method Code Sequence (0012,0064).

    Args:
        options: those in force.
        done: of `OF_PIXELS`, what was done to this file's pixels.
    """
    stated = (options - OF_PIXELS) | (done & OF_PIXELS)
    return [PROFILE, *(code for option, code in CODES.items() if option in stated)]


def longitudinal(options: frozenset[str]) -> str:
    """Longitudinal Temporal Information Modified (0028,0303): UNMODIFIED, MODIFIED or REMOVED."""
    if "full_dates" in options:
        return "UNMODIFIED"
    return "MODIFIED" if "modified_dates" in options else "REMOVED"
