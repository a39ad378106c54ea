"""Made-up patients as DICOM bytes and cohort rows, for the tests of this folder."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from asclepius import tables
from asclepius.cohort.schema import MANIFEST, ORDER, REJECTED
from asclepius.deidentify import gather
from asclepius.deidentify.command import run
from asclepius.deidentify.settings import DeidentifySettings

SHARED = Path(__file__).parents[3] / "shared"


def ct(number: int = 1, *, name: str = "Grünwald^Zoë", patient: str = "PID-778899", day: str = "20210304") -> Dataset:
    """One CT slice with the usual identifiers."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SpecificCharacterSet = "ISO_IR 192"
    d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    d.SOPClassUID, d.Modality = CTImageStorage, "CT"
    d.SOPInstanceUID = generate_uid(entropy_srcs=[patient, day, str(number)])
    d.StudyInstanceUID = generate_uid(entropy_srcs=[patient, day])
    d.SeriesInstanceUID = generate_uid(entropy_srcs=[patient, day, "series"])
    d.FrameOfReferenceUID = generate_uid(entropy_srcs=[patient, day, "frame"])
    d.StudyDate = d.SeriesDate = d.AcquisitionDate = d.ContentDate = day
    d.StudyTime = d.ContentTime = "101112"
    d.AcquisitionDateTime = f"{day}101112.345+0200"
    d.AccessionNumber, d.StudyID = "ACC-4711-X", "ST9876"
    d.PatientName, d.PatientID, d.PatientBirthDate = name, patient, "19310708"
    d.PatientSex, d.PatientAge = "F", "093Y"
    d.InstitutionName, d.ReferringPhysicianName = "Elsewhere Clinic", "Zweistein^Albrecht"
    d.Manufacturer, d.ManufacturerModelName, d.ConvolutionKernel = "Acme", "Scan 9", "B30f"
    d.BodyPartExamined, d.DeviceSerialNumber = "CHEST", "SN-55512"
    d.ImageComments = "call Grünwald"
    d.InstanceNumber, d.ImagePositionPatient = number, [0, 0, number]
    d.ImageOrientationPatient, d.PixelSpacing = [1, 0, 0, 0, 1, 0], [1, 1]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows = d.Columns = 8
    d.BitsAllocated = d.BitsStored = 16
    d.HighBit, d.PixelRepresentation = 15, 1
    d.RescaleIntercept, d.RescaleSlope = -1024, 1
    d.PixelData = np.random.default_rng(number).integers(0, 3000, (8, 8), dtype="<i2").tobytes()
    return d


def encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def row(source: str, root: Path, files: list[str], **changes: object) -> dict[str, object]:
    """A row of the cohort's manifest."""
    return {
        "source": source,
        "root": str(root),
        "files": json.dumps(files),
        "stamp": "0",
        "member": None,
        "row": -1,
        "format": "dicom",
        "patient": "PID-778899",
        "visit": "1",
        "date": None,
        "site": "Elsewhere",
        "scanner": "Acme Scan 9",
        "modality": "CT",
        "label": "sick",
        "official": None,
        "age": float("nan"),
        "sex": "F",
        "mask": None,
        "boxes": None,
        "shard": 0,
    } | changes


class Stage:
    """Runs the stage's two entries in a folder."""

    def __init__(self, folder: Path, key: Path | None = None, **settings: object):
        self.folder, self.key = folder, key
        self.settings = DeidentifySettings(**settings)
        self.out = {
            name: folder / f"{name}{'.zip' if name == 'release' else '.parquet'}"
            for name in ("table", "release", "quarantine", "audit", "crosswalk")
        }

    def run(self, rows: list[dict[str, object]]) -> "Stage":
        frame = pd.DataFrame(rows) if rows else MANIFEST.empty()
        tables.write(self.folder / "cohort.parquet", frame, MANIFEST)
        run(settings=self.settings, key=self.key, shard=0, manifest=self.folder / "cohort.parquet", **self.out)
        return self

    def frame(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.out[name])

    def gather(self, order: list[str], rejected: list[dict[str, object]] | None = None) -> dict[str, Path]:
        frame = pd.DataFrame({"source": order, "position": range(len(order))})
        tables.write(self.folder / "order.parquet", frame, ORDER)
        frame = pd.DataFrame(rejected) if rejected else REJECTED.empty()
        tables.write(self.folder / "rejected.parquet", frame, REJECTED)
        out = {
            "manifest": self.folder / "all.parquet",
            "quarantine": self.folder / "all-quarantine.parquet",
            "audit": self.folder / "audit.csv",
            "certificate": self.folder / "certificate.html",
        }
        gather.run(
            study="study",
            settings=self.settings,
            key=self.key,
            tables=[self.out["table"]],
            quarantines=[self.out["quarantine"]],
            audits=[self.out["audit"]],
            order=self.folder / "order.parquet",
            rejected=self.folder / "rejected.parquet",
            **out,
        )
        return out
