"""CT series for the benchmark of de-identification: headers as scanners write them, about 130 elements."""

import io
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

# Of equal length in each file, so that a file is a copy of the first with these replaced.
_MARKS = {"PATIENTS": "{patient:08d}", "77777777": "1{series:07d}", "88888888": "1{number:07d}"}
_TEXTS = {
    "SpecificCharacterSet": "ISO_IR 100", "Modality": "CT", "Manufacturer": "Acme Medical", "StationName": "CT17",
    "InstitutionName": "Larchbrook Infirmary", "InstitutionAddress": "12 Larchbrook Row", "StudyID": "4711",
    "ReferringPhysicianName": "Quintwickham^Ada", "PhysiciansOfRecord": "Thornveldt^Eve",
    "OperatorsName": "Kesselstrom", "PerformingPhysicianName": "Stavroescu^Jan",
    "StudyDescription": "CT Thorax/Abdomen", "PatientSex": "F", "SeriesDescription": "Lung 1.0 B70f",
    "InstitutionalDepartmentName": "Radiology 2", "PatientAge": "061Y", "ManufacturerModelName": "Scan 9",
    "PatientName": "Brantholt^PATIENTS", "PatientID": "PATIENTS", "PatientBirthDate": "19480213",
    "OtherPatientIDs": "HX640017", "PatientAddress": "7 Ravenshaven Close",
    "PatientTelephoneNumbers": "+44 1632 960123", "PatientComments": "asthma; see prior of 2012",
    "PatientWeight": "71.5", "PatientSize": "1.68", "EthnicGroup": "unknown", "Occupation": "teacher",
    "AdditionalPatientHistory": "smoker", "BodyPartExamined": "CHEST", "ScanOptions": "SPIRAL MODE",
    "SliceThickness": "1.25", "KVP": "120", "DataCollectionDiameter": "500", "DeviceSerialNumber": "97001",
    "SoftwareVersions": "VB40", "FilterType": "FLAT", "ProtocolName": "ThoraxRoutine",
    "ReconstructionDiameter": "380", "DistanceSourceToDetector": "1085.6", "DistanceSourceToPatient": "595",
    "GantryDetectorTilt": "0", "TableHeight": "151", "RotationDirection": "CW", "ExposureTime": "500",
    "XRayTubeCurrent": "210", "Exposure": "105", "GeneratorPower": "25", "FocalSpots": "0.7",
    "DateOfLastCalibration": "20210301", "TimeOfLastCalibration": "071500", "ConvolutionKernel": "B70f",
    "PatientPosition": "HFS", "SingleCollimationWidth": 0.6, "TotalCollimationWidth": 38.4, "SpiralPitchFactor": 1.2,
    "StudyDate": "20210304", "SeriesDate": "20210304", "AcquisitionDate": "20210304", "ContentDate": "20210304",
    "StudyTime": "101112.347", "SeriesTime": "101312", "AcquisitionTime": "101314.5", "ContentTime": "101315",
    "AccessionNumber": "ACC77777777", "InstanceCreationDate": "20210304", "InstanceCreationTime": "101400",
    "SeriesNumber": "3", "AcquisitionNumber": "1", "PositionReferenceIndicator": "XY", "Laterality": "",
    "ImageComments": "arms down", "RequestedProcedureDescription": "Thorax", "BurnedInAnnotation": "NO",
    "PerformedProcedureStepStartDate": "20210304", "PerformedProcedureStepStartTime": "100900",
    "PerformedProcedureStepID": "SPS330017", "PerformedProcedureStepDescription": "CT Thorax",
    "RequestingPhysician": "Wyndelsson^Ida", "RequestedProcedurePriority": "ROUTINE",
    "CurrentPatientLocation": "Ward 7", "AdmissionID": "ADM550017", "ReasonForStudy": "cough",
    "MedicalAlerts": "none", "Allergies": "nuts", "LossyImageCompression": "00", "PresentationLUTShape": "IDENTITY",
    "RescaleType": "HU", "WindowCenterWidthExplanation": "LUNG", "PhotometricInterpretation": "MONOCHROME2",
    "ContrastBolusAgent": "Iopromide", "ContrastBolusRoute": "IV", "ContrastBolusVolume": "90",
    "TimezoneOffsetFromUTC": "+0100", "IssuerOfPatientID": "HIS",
}  # fmt: skip


def ct(rows: int, columns: int) -> Dataset:
    """One slice without pixels; its identifiers and UIDs hold marks to be replaced."""
    d = Dataset()
    for keyword, value in _TEXTS.items():
        setattr(d, keyword, value)
    d.ImageType, d.SOPClassUID = ["ORIGINAL", "PRIMARY", "AXIAL"], CTImageStorage
    d.SOPInstanceUID, d.SeriesInstanceUID = "1.2.840.99999.5.77777777.88888888", "1.2.840.99999.5.77777777"
    d.StudyInstanceUID, d.FrameOfReferenceUID = "1.2.840.99999.6.77777777", "1.2.840.99999.7.77777777"
    d.IrradiationEventUID = "1.2.840.99999.8.77777777"
    d.InstanceNumber = "88888888"
    d.ImagePositionPatient, d.ImageOrientationPatient = [-190.25, -180.5, 120.5], [1, 0, 0, 0, 1, 0]
    d.PixelSpacing, d.SliceLocation = [0.7421875, 0.7421875], "120.5"
    d.SamplesPerPixel, d.Rows, d.Columns, d.PixelRepresentation = 1, rows, columns, 0
    d.BitsAllocated, d.BitsStored, d.HighBit = 16, 12, 11
    d.SmallestImagePixelValue, d.LargestImagePixelValue = 0, 4095
    d["SmallestImagePixelValue"].VR = d["LargestImagePixelValue"].VR = "US"
    d.WindowCenter, d.WindowWidth, d.RescaleIntercept, d.RescaleSlope = [-600, 40], [1200, 400], -1024, 1
    code, request, ref = Dataset(), Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-28000", "SRT", "Lung"
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "RP520017", "SPS330017"
    request.RequestedProcedureDescription = "CT Thorax"
    ref.ReferencedSOPClassUID, ref.ReferencedSOPInstanceUID = CTImageStorage, "1.2.840.99999.5.77777777.10000001"
    d.ProcedureCodeSequence, d.RequestAttributesSequence = Sequence([code]), Sequence([request])
    d.ReferencedImageSequence = Sequence([ref, ref])
    for group, creator in ((0x0009, "ACME HEADER 1.0"), (0x0019, "ACME CT 2.0"), (0x0021, "ACME SERIES")):
        block = d.private_block(group, creator, create=True)
        for element in range(4):
            block.add_new(element, "LO", f"value {element} PATIENTS")
        block.add_new(0x20, "OB", bytes(range(64)))
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return d


def _encoded(d: Dataset) -> bytes:
    buffer = io.BytesIO()
    d.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write_series(folder: Path, count: int, side: int, *, series_of: int = 50, series_per_patient: int = 2) -> int:
    """Files of `side` x `side` pixels in folders of a series each; several series and patients.

    Returns:
        Bytes written.
    """
    template, total = ct(side, side), 0
    random = np.random.default_rng(side)
    body = random.integers(0, 4095, side * side, dtype="<u2")
    template.PixelData = body.tobytes()
    data = _encoded(template)
    head, pixels = data[: -body.nbytes], data[-body.nbytes :]
    for number in range(count):
        series = number // series_of
        changed = head
        for mark, form in _MARKS.items():
            new = form.format(patient=series // series_per_patient + 1, series=series + 1, number=number + 1)
            changed = changed.replace(mark.encode(), new.encode())
        path = folder / f"series{series:05d}" / f"{number:06d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        shift = 2 * (number % 97)  # each picture differs, lest a tool remembers
        path.write_bytes(changed + pixels[shift:] + pixels[:shift])
        total += len(data)
    return total


def write_long(path: Path, gigabytes: float) -> int:
    """One multi-frame file of zero pixels, sparse on disk where the file system allows.

    Returns:
        Its size in bytes.
    """
    side = 1024
    frames = int(gigabytes * 1e9) // (2 * side * side)
    d = ct(side, side)
    d.SOPClassUID, d.NumberOfFrames = EnhancedCTImageStorage, frames
    d.PixelData = b""
    d["PixelData"].VR = "OW"
    head = _encoded(d)
    length = frames * 2 * side * side
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(head[:-4] + length.to_bytes(4, "little"))
        file.truncate(len(head) + length)
    return len(head) + length
