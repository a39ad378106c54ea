"""Small made-up sources, and a study run over one."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from asclepius import tables
from asclepius.cohort.command import run
from asclepius.cohort.schema import MANIFEST, ORDER, REJECTED
from asclepius.cohort.settings import CohortSettings

CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass
class Result:
    images: pd.DataFrame
    rejected: pd.DataFrame
    order: pd.DataFrame
    folder: Path

    def reasons(self) -> dict[str, int]:
        return self.rejected["reason"].value_counts().to_dict()


@pytest.fixture
def cohort(tmp_path) -> Callable[..., Result]:
    """Run the stage with the given settings and read back what it wrote."""

    def call(name: str = "out", phantom: Path | None = None, **settings: Any) -> Result:
        out = tmp_path / name
        run(
            settings=CohortSettings.model_validate(settings),
            key=None,
            phantom=phantom,
            shards=out / "shards",
            order=out / "order.parquet",
            rejected=out / "rejected.parquet",
        )
        parts = [tables.read(path, MANIFEST) for path in sorted((out / "shards").glob("*.parquet"))]
        return Result(
            tables.concat(parts, MANIFEST).sort_values("source", ignore_index=True),
            tables.read(out / "rejected.parquet", REJECTED),
            tables.read(out / "order.parquet", ORDER),
            out,
        )

    return call


@pytest.fixture
def picture() -> Callable[..., Path]:
    """Write a small picture in the format of its ending."""

    def call(path: Path, value: int = 7, bits: int = 8) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = np.uint16 if bits == 16 else np.uint8
        Image.fromarray(np.full((4, 5), value, dtype=kind)).save(path)
        return path

    return call


@pytest.fixture
def slice_file() -> Callable[..., Path]:
    """Write one DICOM slice; keywords set header elements, None removes one."""

    def call(path: Path, *, cut: int = 0, **elements: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        series = str(elements.get("SeriesInstanceUID", "1.2.3.1"))
        number = int(elements.get("InstanceNumber", 1))
        values = {
            "SOPClassUID": CT,
            "SOPInstanceUID": f"{series}.{number}",
            "SeriesInstanceUID": series,
            "StudyInstanceUID": "1.2.3",
            "StudyDate": "20200131",
            "PatientID": "MRN-1",
            "PatientName": "Doe^Jane",
            "PatientAge": "061Y",
            "PatientSex": "F",
            "Modality": "CT",
            "Manufacturer": "Maker",
            "ManufacturerModelName": "One",
            "ConvolutionKernel": "B30f",
            "InstitutionName": "Hospital",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "InstanceNumber": number,
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "ImagePositionPatient": [0, 0, 5.0 * number],
            "Rows": 4,
            "Columns": 4,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 1,
            "PixelData": np.zeros((4, 4), dtype=np.int16).tobytes(),
        } | elements
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = values["SOPClassUID"]
        meta.MediaStorageSOPInstanceUID = values["SOPInstanceUID"]
        dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        for name, value in values.items():
            if value is not None:
                setattr(dataset, name, value)
        pydicom.dcmwrite(path, dataset)
        if cut:
            path.write_bytes(path.read_bytes()[:-cut])
        return path

    return call


@pytest.fixture
def series_folder(slice_file) -> Callable[..., Path]:
    """Write a series of `count` slices under a folder."""

    def call(folder: Path, series: str, count: int = 3, **elements: Any) -> Path:
        for number in range(1, count + 1):
            slice_file(folder / f"IM{number:04d}", SeriesInstanceUID=series, InstanceNumber=number, **elements)
        return folder

    return call


@pytest.fixture
def npz() -> Callable[..., Path]:
    """Write a MedMNIST file with the given labels per split."""

    def call(path: Path, shape: tuple[int, ...] = (4, 4), **labels: Any) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for split, values in labels.items():
                values = np.asarray(values, dtype=np.uint8)
                values = values.reshape(len(values), -1)
                for kind, array in (("images", np.zeros((len(values), *shape), np.uint8)), ("labels", values)):
                    with archive.open(f"{split}_{kind}.npy", "w") as file:
                        np.lib.format.write_array(file, array)
        return path

    return call


@pytest.fixture
def table() -> Callable[..., Path]:
    """Write a label table from columns."""

    def call(path: Path, **columns: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(columns).to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
        return path

    return call
