"""Small DICOM series and rows of the manifest, made for the tests of this room."""

import io
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian

SHARED = Path(__file__).parents[3] / "shared" / "data"


def dicom_bytes(pixels: np.ndarray, *, syntax: str | None = None, **attributes) -> bytes:
    """A CT object around an array (y, x), (y, x, 3) or (frame, y, x); attributes by keyword override.

    Args:
        syntax: transfer syntax UID; Explicit VR Little Endian if None.
    """
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax or ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    colour = pixels.ndim == 3 and "NumberOfFrames" not in attributes
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3", "CT"
    dataset.Rows, dataset.Columns = pixels.shape[:2] if colour or pixels.ndim == 2 else pixels.shape[1:]
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = (pixels.byteswap() if syntax == ExplicitVRBigEndian else pixels).tobytes()
    for keyword, value in attributes.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    if meta.TransferSyntaxUID.startswith("1.2.840.10008.1.2.4"):
        dataset["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def series(
    volume, spacing=(2.0, 1.0, 1.5), origin=(-10.0, 5.0, 7.0), cosines=(1, 0, 0, 0, 1, 0), **attributes
) -> list[bytes]:
    """A DICOM series of a volume (z, y, x), lowest slice first."""
    normal = np.cross(cosines[:3], cosines[3:])
    return [
        dicom_bytes(
            plane,
            ImagePositionPatient=[float(v) for v in np.round(np.array(origin) + normal * spacing[0] * z, 6)],
            ImageOrientationPatient=list(cosines),
            PixelSpacing=list(spacing[1:]),
            InstanceNumber=z + 1,
            **attributes,
        )
        for z, plane in enumerate(volume)
    ]


def item(image: str, format: str, files=(), **columns) -> dict:
    """A row of the manifest with the members' contents."""
    return {"image": image, "format": format, "files": list(files), **columns}


def shared(name: str) -> Path:
    """A real data set beside the repository; the test is skipped without it."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path
