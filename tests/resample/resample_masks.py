"""DICOM segmentations and structure sets, made for the tests of this room."""

import io

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from resample_cases import dicom_bytes

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP = "1.2.840.10008.5.1.4.1.1.66.7"
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"


def items(**attributes) -> list[Dataset]:
    """A sequence of one item."""
    found = Dataset()
    for keyword, value in attributes.items():
        setattr(found, keyword, value)
    return [found]


def segmentation(
    frames: list[tuple[int, np.ndarray, tuple]],
    *,
    kind: str = "BINARY",
    cosines=(1, 0, 0, 0, 1, 0),
    spacing=(1.0, 1.5),
    names: dict[int, str] | None = None,
    maximum: int = 255,
    **attributes,
) -> bytes:
    """A SEG of frames: (segment number, (y, x) values, LPS position or None)."""
    stack = np.stack([values for _, values, _ in frames])
    numbers = sorted({number for number, _, _ in frames}) if kind != "LABELMAP" else [*map(int, np.unique(stack)[1:])]
    groups = []
    for number, _, position in frames:
        (group,) = items()
        if position is not None:
            group.PlanePositionSequence = items(ImagePositionPatient=[round(float(v), 6) for v in position])
        if kind != "LABELMAP":
            group.SegmentIdentificationSequence = items(ReferencedSegmentNumber=number)
        groups.append(group)
    (shared,) = items(PixelMeasuresSequence=items(PixelSpacing=list(spacing), SliceThickness=2.0))
    if frames[0][2] is not None:
        shared.PlaneOrientationSequence = items(ImageOrientationPatient=list(cosines))
    names = names or {}
    segments = [
        items(
            SegmentNumber=number,
            SegmentLabel=f"label {number}",
            SegmentedPropertyTypeCodeSequence=items(
                CodeValue="1", CodingSchemeDesignator="SCT", CodeMeaning=names.get(number, f"Thing {number}")
            ),
        )[0]
        for number in numbers
    ]
    pixels = {"NumberOfFrames": len(frames), "SOPClassUID": LABELMAP if kind == "LABELMAP" else SEGMENTATION}
    if kind == "BINARY":
        packed = np.packbits(stack.astype(np.uint8).ravel(), bitorder="little").tobytes()
        pixels |= {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": packed + b"\0" * (len(packed) % 2)}
    if kind == "FRACTIONAL":
        pixels["MaximumFractionalValue"] = maximum
    return dicom_bytes(
        stack.astype(np.uint8),
        Modality="SEG",
        SegmentationType=kind,
        SegmentSequence=segments,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=groups,
        **pixels,
        **attributes,
    )


def structures(regions: dict[int, list[np.ndarray]], kinds: dict[int, str] | None = None, **attributes) -> bytes:
    """A structure set: closed contours, (points, 3) in LPS mm, by region number."""
    contours, names, observations = [], [], []
    for number, polygons in regions.items():
        sequence = [
            items(
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(points),
                ContourData=[f"{value:.6f}".rstrip("0").rstrip(".") for value in points.ravel()],
            )[0]
            for points in polygons
        ]
        contours += items(ReferencedROINumber=number, ContourSequence=sequence)
        names += items(ROINumber=number, ROIName=f"region {number}", ReferencedFrameOfReferenceUID="1.2.9")
        observations += items(
            ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType=(kinds or {}).get(number, "")
        )
    data = dicom_bytes(
        np.zeros((1, 1), np.uint8),
        SOPClassUID=STRUCTURES,
        Modality="RTSTRUCT",
        ROIContourSequence=contours,
        StructureSetROISequence=names,
        RTROIObservationsSequence=observations,
        StructureSetLabel="plan",
        **dict.fromkeys(
            ("Rows", "Columns", "PixelData", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
             "SamplesPerPixel", "PhotometricInterpretation")
        ),
        **attributes,
    )  # fmt: skip
    assert "PixelData" not in pydicom.dcmread(io.BytesIO(data))
    return data
