"""Scans as DICOM objects: CT series with all that a hospital writes into them, an MR localiser, a dose report.

Attributes follow the modules of CT Image Storage, MR Image Storage and Secondary Capture (DICOM PS3.3, A.3, A.4, A.8).
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.uid import (
    CTImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from asclepius.phantom.encoding import SeriesEncoder
from asclepius.phantom.patients import Patient, Visit
from asclepius.phantom.scanner import PADDING, Scan, outside_circle

ZERO = 1024  # stored value of 0 HU
TEXT = 2500  # stored value of burned-in letters
PRIVATE_CREATOR = "AURENTAL RIS 2.1"
PRIVATE_GROUP = 0x0011
UID_LENGTH = 58  # leaves room for an instance's number within the 64 characters of a UID
ROWS = {1: (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), -1: (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)}
PLANES = ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (1.0, 0.0, 0.0, 0.0, 0.0, -1.0), (0.0, 1.0, 0.0, 0.0, 0.0, -1.0))


def uid(seed: int, what: str, patient: Patient, visit: Visit) -> str:
    """A UID that the seed alone decides; an instance's UID is its series' UID, a dot and its number."""
    words = [str(seed), what, str(patient.number), visit.accession]
    return generate_uid(entropy_srcs=words)[:UID_LENGTH]


def ct_series(seed: int, patient: Patient, visit: Visit, scan: Scan) -> Iterator[bytes]:
    """The slices of a scan, bottom first, as DICOM files."""
    header = _identified(seed, patient, visit)
    scanner, grid = patient.site.scanner, scan.grid
    _describe_ct(header, seed, patient, visit, scan)
    stored = _stored(scan, scanner.signed)
    if visit.faults.burned_in:
        letters = _letters(patient, visit, stored.shape[1:])
        stored[:, letters] = TEXT
    encoder = SeriesEncoder(header)
    count = len(stored)
    for place in range(count):
        number = count - place if scanner.descending else place + 1
        height = round(grid.origin[2] + place * grid.spacing[2], 3)
        yield encoder.encode(
            SOPInstanceUID=f"{header.SeriesInstanceUID}.{number}",
            InstanceNumber=number,
            ImagePositionPatient=[grid.origin[0], grid.origin[1], height],
            ImageOrientationPatient=list(ROWS[grid.facing]),
            SliceLocation=height,
            PixelData=stored[place].tobytes(),
        )


def mr_localiser(seed: int, patient: Patient, visit: Visit, scan: Scan) -> Iterator[bytes]:
    """Three crossing planes of 64 × 64 pixels, as an MR scanner takes before a series."""
    header = _identified(seed, patient, visit)
    header.SOPClassUID = MRImageStorage
    header.Modality = "MR"
    header.SeriesInstanceUID = uid(seed, "localiser", patient, visit)
    header.FrameOfReferenceUID = uid(seed, "localiser frame", patient, visit)
    header.PositionReferenceIndicator = ""
    header.SeriesNumber = 1
    header.SeriesDescription = "localizer"
    header.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    header.ScanningSequence, header.SequenceVariant, header.ScanOptions = "GR", "SP", ""
    header.MRAcquisitionType, header.RepetitionTime, header.EchoTime = "2D", 8.6, 4.0
    header.EchoTrainLength, header.MagneticFieldStrength = 1, 1.5
    header.PatientPosition = "HFS"
    header.AcquisitionNumber = 1
    header.PixelSpacing, header.SliceThickness = [6.0, 6.0], 8.0
    middle = [length // 2 for length in scan.hu.shape]
    planes = (scan.hu[middle[0]], scan.hu[::-1, middle[1]], scan.hu[::-1, :, middle[2]])
    images = [_signal(plane) for plane in planes]
    _set_pixels(header, images[0], bits=12)
    encoder = SeriesEncoder(header)
    for number, (image, rows) in enumerate(zip(images, PLANES, strict=True), start=1):
        yield encoder.encode(
            SOPInstanceUID=f"{header.SeriesInstanceUID}.{number}",
            InstanceNumber=number,
            ImagePositionPatient=[-189.0 * (a + b) for a, b in zip(rows[:3], rows[3:], strict=True)],
            ImageOrientationPatient=list(rows),
            PixelData=image.tobytes(),
        )


def dose_page(seed: int, patient: Patient, visit: Visit) -> bytes:
    """A picture of the dose report, with the patient's name in its pixels."""
    header = _identified(seed, patient, visit)
    header.SOPClassUID = SecondaryCaptureImageStorage
    header.Modality = "OT"
    header.ConversionType = "WSD"
    header.SeriesInstanceUID = uid(seed, "dose", patient, visit)
    header.SeriesNumber = 999
    header.SeriesDescription = "Dose Report"
    header.ImageType = ["DERIVED", "SECONDARY"]
    header.PatientOrientation = ""
    header.BurnedInAnnotation = "YES"
    page = Image.new("L", (320, 160))
    lines = (
        "DOSE REPORT",
        patient.name.plain,
        patient.identifier,
        f"{visit.day:%d.%m.%Y}",
        "CTDIvol 6.2 mGy  DLP 214 mGycm",
    )
    draw = ImageDraw.Draw(page)
    for place, line in enumerate(lines):
        draw.text((8, 8 + 24 * place), line, fill=255, font=ImageFont.load_default_imagefont())
    image = np.asarray(page)
    _set_pixels(header, image, bits=8)
    return SeriesEncoder(header).encode(
        SOPInstanceUID=f"{header.SeriesInstanceUID}.1", InstanceNumber=1, PixelData=image.tobytes()
    )


def _identified(seed: int, patient: Patient, visit: Visit) -> Dataset:
    """Patient, study and equipment: all of it identifies somebody."""
    name, site = patient.name, patient.site
    full = f"{name.given} {name.family}"
    header = Dataset()
    header.SpecificCharacterSet = name.charset if isinstance(name.charset, str) else list(name.charset)
    header.PatientName = name.person
    header.PatientID = patient.identifier
    header.IssuerOfPatientID = site.code
    header.PatientBirthDate = f"{patient.born:%Y%m%d}"
    header.PatientSex = patient.sex
    header.PatientAge = f"{patient.age(visit.day):03d}Y"
    header.PatientAddress = patient.address
    header.PatientTelephoneNumbers = patient.phone
    header.StudyInstanceUID = uid(seed, "study", patient, visit)
    header.StudyDate = header.SeriesDate = header.ContentDate = header.AcquisitionDate = f"{visit.day:%Y%m%d}"
    minutes = 480 + int(visit.accession[-6:]) % 540
    header.StudyTime = header.SeriesTime = f"{minutes // 60:02d}{minutes % 60:02d}00"
    header.ContentTime = header.AcquisitionTime = header.StudyTime
    header.StudyID = visit.accession[-5:]
    header.AccessionNumber = visit.accession
    header.ReferringPhysicianName = patient.physician
    header.StudyDescription = f"CT Thorax {name.family}"
    header.ImageComments = f"{full}, tel. {patient.phone}; report to {patient.physician.split('^')[0]}"
    header.InstitutionName = site.institution
    header.InstitutionAddress = site.address
    header.StationName = f"{site.code}CT01"
    header.DeviceSerialNumber = f"{site.code}{4711 + len(site.institution)}"
    header.Manufacturer = site.scanner.manufacturer
    header.ManufacturerModelName = site.scanner.model
    request = Dataset()
    request.RequestedProcedureID = visit.accession
    request.RequestedProcedureDescription = f"CT, {name.family}"
    header.RequestAttributesSequence = [request]
    block = header.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "PN", name.person)
    block.add_new(0x02, "LO", f"{full} {patient.phone}")
    nested = Dataset()
    nested.PatientID = patient.identifier
    nested.PatientName = name.person
    block.add_new(0x03, "SQ", [nested])
    return header


def _describe_ct(header: Dataset, seed: int, patient: Patient, visit: Visit, scan: Scan) -> None:
    scanner, grid = patient.site.scanner, scan.grid
    header.SOPClassUID = CTImageStorage
    header.Modality = "CT"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.SeriesInstanceUID = uid(seed, "series", patient, visit)
    header.FrameOfReferenceUID = uid(seed, "frame", patient, visit)
    header.PositionReferenceIndicator = ""
    header.SeriesNumber = 2
    header.AcquisitionNumber = 1
    header.SeriesDescription = f"Thorax {scanner.thickness:.1f} {scanner.kernel}"
    header.ProtocolName = f"Thorax nativ {patient.name.family}"
    header.BodyPartExamined = "CHEST"
    header.PatientPosition = "HFS" if grid.facing > 0 else "HFP"
    header.BurnedInAnnotation = "YES" if visit.faults.burned_in else "NO"
    header.KVP = "120"
    header.ConvolutionKernel = scanner.kernel
    header.ReconstructionDiameter = scanner.field
    header.SliceThickness = scanner.thickness
    header.SpacingBetweenSlices = scanner.thickness
    header.PixelSpacing = [round(grid.spacing[1], 6), round(grid.spacing[0], 6)]
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = -ZERO, 1, "HU"
    header.WindowCenter, header.WindowWidth = -500, 1500
    _set_pixels(header, scan.hu[0].astype(np.int16 if scanner.signed else np.uint16), bits=16 if scanner.signed else 12)
    if scanner.signed:
        header.PixelPaddingValue = PADDING


def _stored(scan: Scan, signed: bool) -> np.ndarray:
    """Stored values, (z, y, x)."""
    values = scan.hu + np.int16(ZERO)
    if not signed:
        return values.astype("<u2")
    return np.where(outside_circle(values.shape[1]), np.int16(PADDING), values).astype("<i2")


def _letters(patient: Patient, visit: Visit, shape: tuple[int, int]) -> np.ndarray:
    """Name, id and date as a scanner draws them at the top of a slice, (y, x) bool."""
    page = Image.new("1", shape[::-1])
    draw = ImageDraw.Draw(page)
    for place, line in enumerate((patient.name.plain, f"{patient.identifier} {visit.day:%d.%m.%Y}")):
        draw.text((1, 10 * place), line, fill=1, font=ImageFont.load_default_imagefont())
    return np.asarray(page)


def _signal(plane: np.ndarray) -> np.ndarray:
    """A plane of HU as MR signal, 64 × 64: fat and water bright, air and bone dark."""
    signal = np.clip((plane + 1000.0) / 1150, 0, 1.1) * 600 * (plane < 250)
    image = Image.fromarray(signal.astype(np.float32)).resize((64, 64), Image.Resampling.BILINEAR)
    return np.asarray(image).astype("<u2")


def _set_pixels(header: Dataset, image: np.ndarray, bits: int) -> None:
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows, header.Columns = image.shape
    header.BitsAllocated = 8 * image.itemsize
    header.BitsStored, header.HighBit = bits, bits - 1
    header.PixelRepresentation = int(image.dtype.kind == "i")
