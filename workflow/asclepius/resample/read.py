"""From a row of the de-identified table to a scan, whatever the format."""

import json
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from isal import isal_zlib

from asclepius.errors import Rejected, StudyError
from asclepius.resample.geometry import Grid
from asclepius.resample.scan import Scan, class_numbers
from asclepius.resample.settings import ResampleSettings

if TYPE_CHECKING:
    from asclepius.resample.arrays import Rows

# Readers of a format are imported where it occurs: a shard of pictures need not wait for pydicom.


class Container:
    """The images of a shard: its release container, or rows of an .npz that the table looks into.

    Args:
        release: the shard's .zip, opened when first needed, or folder.
        settings: the config's `resample` section.
    """

    def __init__(self, release: Path, settings: ResampleSettings):
        self.release, self.settings = Path(release), settings
        self.sides = len(settings.size)
        self._zip: zipfile.ZipFile | None = None
        self._rows = None

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: object) -> None:
        for opened in (self._zip, self._rows):
            if opened is not None:
                opened.close()

    def image(self, row, fill: float) -> Scan:
        """The image of a row of deidentify/manifest.

        Raises:
            Rejected: it cannot be used.
            StudyError: the container itself is missing or damaged.
        """
        if row.format == "npz":
            from asclepius.resample import arrays

            return arrays.scan(self._array(Path(row.path), row.member, row.row), self.sides)
        members = json.loads(row.member)
        if row.format == "dicom":
            from asclepius.resample import dicom

            files = [self._bytes(name) for name in members]
            return dicom.read(files, fill, self.settings.missing_slices, self.settings.gantry_tilt, row.row)
        if row.format == "nifti":
            from asclepius.resample import nifti

            if len(members) > 1:
                return nifti.read_channels([self._bytes(name) for name in members])
            return nifti.read(self._bytes(members[0]), self.settings.channels)
        if row.format == "picture":
            from asclepius.resample import pictures

            return pictures.read(self._bytes(members[0]))
        raise StudyError(f"format {row.format!r} of image {row.image} is none of dicom, nifti, picture, npz")

    def grid(self, row) -> Grid:
        """Where the voxels of an image lie, from its headers alone.

        Raises:
            Rejected, StudyError: as `image`.
        """
        if row.format == "npz":
            from asclepius.resample import arrays

            return arrays.row_grid(self._rows_of(Path(row.path), row.member))
        files = [self._bytes(name) for name in json.loads(row.member)]
        if row.format == "dicom":
            from asclepius.resample import dicom

            return dicom.read_grid(files, self.settings.missing_slices, self.settings.gantry_tilt, row.row)
        if row.format == "nifti":
            from asclepius.resample import nifti

            return nifti.read_grid(files[0])
        from asclepius.resample import pictures

        return pictures.read_grid(files[0])

    def mask(self, row, scan: Scan) -> Scan | None:
        """The mask of a row, whole numbers, one channel; the content tells its format.

        Args:
            scan: the image of the row.
        """
        if row.mask is None or row.format == "npz":
            return None
        members = json.loads(row.mask) if row.mask.startswith("[") else [row.mask]
        data = self._bytes(members[0])
        if data[128:132] == b"DICM":
            from asclepius.resample import contours, dicom, segmentation

            dataset = dicom.parsed(data)
            kind = dataset.get("SOPClassUID")
            if kind in segmentation.CLASSES:
                return segmentation.read(dataset, scan, self.settings.mask_classes)
            if kind == contours.STRUCTURES:
                return contours.read(dataset, scan, self.settings.mask_classes)
            files = [data, *(self._bytes(name) for name in members[1:])]
            found = dicom.read(files, 0.0, self.settings.missing_slices, self.settings.gantry_tilt)
        else:
            from asclepius.resample import nifti

            if nifti.looks_like(data):
                return class_numbers(nifti.read(data))
            from asclepius.resample import pictures

            found = pictures.read_mask(data)
        return class_numbers(found)

    def _bytes(self, name: str) -> bytes:
        if self.release.is_dir():
            try:
                return (self.release / name).read_bytes()
            except FileNotFoundError:
                raise StudyError(f"{self.release / name}: missing; delete {self.release} and run again") from None
        if self._zip is None:
            try:
                self._zip = zipfile.ZipFile(self.release)
            except (FileNotFoundError, zipfile.BadZipFile):
                raise StudyError(f"{self.release}: missing or damaged; delete it and run again") from None
        try:
            return _member(self._zip, name)
        except (KeyError, zipfile.BadZipFile, EOFError, struct.error):
            raise StudyError(f"{self.release}: member {name} is missing or damaged; delete it and run again") from None

    def _array(self, path: Path, name: str, row: int) -> np.ndarray:
        return self._rows_of(path, name).read(row)

    def _rows_of(self, path: Path, name: str) -> "Rows":
        from asclepius.resample.arrays import Rows

        if self._rows is None or (self._rows.path, self._rows.name) != (path, name):
            if self._rows is not None:
                self._rows.close()
            self._rows = Rows(path, name)
        return self._rows


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """As `archive.read`, for members that are not compressed: their check sum is the dearest part of it."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        return archive.read(name)
    archive.fp.seek(info.header_offset + 26)  # lengths of name and extra field, at the end of the local header
    archive.fp.seek(sum(struct.unpack("<HH", archive.fp.read(4))), 1)
    data = archive.fp.read(info.file_size)
    if isal_zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile(name)
    return data


def checked(scan: Scan, sides: int) -> Scan:
    """The scan, if it has as many sides as the stored images.

    Raises:
        Rejected: "wrong-shape".
    """
    if sides == 2 and not scan.grid.flat:
        depth = scan.grid.shape[0]
        raise Rejected(
            "wrong-shape", f"a volume of {depth} slices among flat images; give resample.size three sides [z, y, x]"
        )
    if sides == 3 and scan.grid.flat:
        raise Rejected("wrong-shape", "a single slice among volumes; give resample.size two sides [y, x]")
    return scan
