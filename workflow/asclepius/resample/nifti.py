"""NIfTI-1 and NIfTI-2 files to scans."""

import zlib
from dataclasses import replace

import nibabel
import numpy as np
from isal import igzip
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from asclepius.errors import Rejected
from asclepius.resample.geometry import LPS_TO_RAS, Grid, canonical
from asclepius.resample.grey import rescaled
from asclepius.resample.scan import Scan

GZIP = b"\x1f\x8b"
MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


def looks_like(data: bytes) -> bool:
    """Whether the bytes are NIfTI, plain or gzip."""
    return data[:2] == GZIP or _version(data) is not None


def read(data: bytes) -> Scan:
    """A volume, axes as stored in the file; a file of one slice is a flat image.

    The sform holds where both it and the qform are set, as in nibabel.

    Raises:
        Rejected: "empty", "truncated", "unreadable", "wrong-shape" (several volumes) or "geometry".
    """
    if not data:
        raise Rejected("empty", "the file is empty")
    if data[:2] == GZIP:
        try:
            data = igzip.decompress(data)
        except (EOFError, zlib.error, igzip.BadGzipFile, OSError):
            raise Rejected("truncated", "the gzip stream ends early or is damaged; copy the file again") from None
    version = _version(data)
    if version is None:
        raise Rejected("unreadable", "not a NIfTI file")
    try:
        image = version.from_bytes(data)
        header, slope, intercept = image.header, image.dataobj.slope, image.dataobj.inter
        stored = np.asanyarray(image.dataobj.get_unscaled())
    except (ImageFileError, HeaderDataError, KeyError):
        raise Rejected("unreadable", "the NIfTI header is damaged") from None
    except (OSError, ValueError, EOFError):
        raise Rejected("truncated", "the file holds fewer voxels than its header says; copy it again") from None
    pixels = _pixels(stored)
    affine = LPS_TO_RAS @ image.affine
    affine[:3] *= MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    grid = as_stored = Grid(pixels.shape[:3], affine)
    grid.check()
    if grid.shape[0] == 1:
        turned, upright = canonical(pixels, grid)
        if upright.shape[0] == 1:  # axial: left and front as in DICOM
            pixels, grid = turned, upright
        grid = replace(grid, flat=True)
    notes = (
        [] if header["sform_code"] or header["qform_code"] else ["no orientation in the header; axes taken as stored"]
    )
    return Scan(rescaled(pixels, slope, intercept), grid, as_stored, notes)


def _version(data: bytes) -> type | None:
    for size, version in ((348, nibabel.Nifti1Image), (540, nibabel.Nifti2Image)):
        if data[:4] in (size.to_bytes(4, "little"), size.to_bytes(4, "big")):
            return version
    return None


def _pixels(stored: np.ndarray) -> np.ndarray:
    """Axes (x, y, z) of the file as (z, y, x, channel)."""
    colours = [stored[name] for name in ("R", "G", "B")] if stored.dtype.fields else [stored]
    stored = np.stack(colours, axis=-1)
    spatial = stored.ndim - 1
    if stored.dtype.kind == "c":
        raise Rejected("wrong-shape", "complex values; export the magnitude")
    shape = stored.shape[:spatial]
    if any(n != 1 for n in shape[3:]) or spatial < 2 or 0 in shape:
        raise Rejected("wrong-shape", f"{' x '.join(map(str, shape))} voxels; one image or volume per file is needed")
    shape = (*shape, 1)[:3]
    return np.moveaxis(stored.reshape(*shape, stored.shape[-1]), (0, 1, 2), (2, 1, 0))
