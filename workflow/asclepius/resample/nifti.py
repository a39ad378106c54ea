"""NIfTI-1 and NIfTI-2 files to scans."""

import zlib
from dataclasses import replace

import nibabel
import numpy as np
from isal import igzip, isal_zlib
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from asclepius.errors import Rejected
from asclepius.resample.geometry import LPS_TO_RAS, Grid, canonical, same_place
from asclepius.resample.grey import rescaled
from asclepius.resample.interpolate import resample
from asclepius.resample.scan import Scan

LONGEST = 540  # bytes of a NIfTI-2 header
GZIP = b"\x1f\x8b"
MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}


def looks_like(data: bytes) -> bool:
    """Whether the bytes are NIfTI, plain or gzip."""
    return data[:2] == GZIP or _version(data) is not None


def read(data: bytes, channels: int = 1) -> Scan:
    """A volume, axes as stored in the file; a file of one slice is a flat image.

    The sform holds where both it and the qform are set, as in nibabel, FSL and FreeSurfer: it is what later
    registration wrote. Where it is no grid of right angles the qform stands in.

    Args:
        channels: number of volumes that one file may hold; they become the image's channels.

    Raises:
        Rejected: "empty", "truncated", "unreadable", "wrong-shape" (another number of volumes) or "geometry".
    """
    data = inflated(data)
    version = _version(data)
    if version is None:
        raise Rejected("unreadable", "not a NIfTI file")
    try:
        image = version.from_bytes(data)
        header, proxy = image.header, image.dataobj
        stored = np.ndarray(proxy.shape, proxy.dtype, data, proxy.offset, order="F")  # a view: nothing is copied
    except (ImageFileError, HeaderDataError, KeyError):
        raise Rejected("unreadable", "the NIfTI header is damaged") from None
    except (OSError, ValueError, TypeError, EOFError):
        raise Rejected("truncated", "the file holds fewer voxels than its header says; copy it again") from None
    pixels = _pixels(stored, channels)
    grid, notes = grid_of(header, pixels.shape[:3])
    as_stored = grid
    pixels, grid = _flat(pixels, grid)
    slope = 1.0 if proxy.slope is None else proxy.slope
    return Scan(rescaled(pixels, slope, proxy.inter or 0.0), grid, as_stored, notes)


def read_channels(files: list[bytes]) -> Scan:
    """Several volumes of one visit as the channels of one image, on the grid of the first.

    Raises:
        Rejected: as `read`, saying which file; "geometry" if one does not tell where it lies.
    """
    scans = []
    for place, data in enumerate(files):
        try:
            scans.append(read(data))
        except Rejected as rejected:
            raise Rejected(rejected.reason, f"channel {place + 1} of {len(files)}: {rejected.sentence}") from None
    first = scans[0]
    pixels = [first.pixels]
    for place, scan in enumerate(scans[1:], start=2):
        if scan.grid.shape == first.grid.shape and same_place(scan.grid, first.grid):
            pixels.append(scan.pixels)
            continue
        if first.grid.flat or scan.grid.flat:
            raise Rejected("geometry", f"channel {place} is a single slice of another grid than the first channel")
        pixels.append(resample(scan.pixels, scan.grid, first.grid, "linear", 0.0))
        first.notes.append(f"channel {place} resampled to the grid of the first")
    first.notes += [note for scan in scans[1:] for note in scan.notes if note not in first.notes]
    first.pixels = np.concatenate(pixels, axis=-1)
    return first


def read_grid(data: bytes) -> Grid:
    """The grid of a file as `read` gives it, from its header alone.

    Raises:
        Rejected: "unreadable" or "geometry".
    """
    head = data[:LONGEST]
    if data[:2] == GZIP:
        try:
            head = isal_zlib.decompressobj(wbits=31).decompress(data, LONGEST)
        except isal_zlib.error:
            raise Rejected("truncated", "the gzip stream is damaged; copy the file again") from None
    version = _version(head)
    try:
        header = version.header_class(head[: version.header_class.template_dtype.itemsize])
        shape = (*header.get_data_shape()[:3], 1, 1)[:3]
    except (AttributeError, HeaderDataError, WrapStructError):
        raise Rejected("unreadable", "not a NIfTI file, or its header is damaged") from None
    grid, _ = grid_of(header, shape[::-1])
    return _flat(np.broadcast_to(np.uint8(0), (*grid.shape, 1)), grid)[1]


def _flat(pixels: np.ndarray, grid: Grid) -> tuple[np.ndarray, Grid]:
    """A single slice as a flat image, an axial one with left and front as in DICOM."""
    if grid.shape[0] > 1:
        return pixels, grid
    turned, upright = canonical(pixels, grid)
    if upright.shape[0] == 1:
        pixels, grid = turned, upright
    return pixels, replace(grid, flat=True)


def inflated(data: bytes) -> bytes:
    """The file without gzip.

    Raises:
        Rejected: "empty" or "truncated".
    """
    if not data:
        raise Rejected("empty", "the file is empty")
    if data[:2] != GZIP:
        return data
    try:
        return igzip.decompress(data)
    except (EOFError, zlib.error, igzip.BadGzipFile, OSError):
        raise Rejected("truncated", "the gzip stream ends early or is damaged; copy the file again") from None


def grid_of(header: nibabel.Nifti1Header, shape: tuple[int, int, int]) -> tuple[Grid, list[str]]:
    """Where the header says the voxels lie, and what was odd about it.

    Args:
        shape: (z, y, x).

    Raises:
        Rejected: "geometry" if no form of the header is a grid.
    """
    scale = MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)

    def grid(affine: np.ndarray) -> Grid:
        moved = LPS_TO_RAS @ affine
        moved[:3] *= scale
        return Grid(shape, moved)

    sform = grid(header.get_sform()) if header["sform_code"] > 0 else None
    try:
        qform = grid(header.get_qform()) if header["qform_code"] > 0 else None
    except HeaderDataError:  # a quaternion longer than 1
        qform = None
    if sform is None and qform is None:
        only = grid(header.get_base_affine())
        only.check()
        return only, ["no orientation in the header; axes taken as stored"]
    try:
        chosen = sform or qform
        chosen.check()
    except Rejected:
        if sform is None or qform is None:
            raise
        qform.check()
        return qform, ["the sform is sheared or empty; the qform holds"]
    if sform is None or qform is None or same_place(sform, qform):
        return chosen, []
    apart = np.linalg.norm(sform.corners - qform.corners, axis=1).max()
    return sform, [f"sform and qform differ by up to {apart:.1f} mm; the sform holds"]


def _version(data: bytes) -> type | None:
    for size, version in ((348, nibabel.Nifti1Image), (540, nibabel.Nifti2Image)):
        if data[:4] in (size.to_bytes(4, "little"), size.to_bytes(4, "big")):
            return version
    return None


def _pixels(stored: np.ndarray, channels: int) -> np.ndarray:
    """Axes (x, y, z, ...) of the file as (z, y, x, channel)."""
    if stored.dtype.kind == "c":
        raise Rejected("wrong-shape", "complex values; export the magnitude")
    volumes = [n for n in stored.shape[3:] if n != 1]
    if stored.ndim < 2 or 0 in stored.shape or volumes not in ([], [channels]):
        raise Rejected(
            "wrong-shape",
            f"{' x '.join(map(str, stored.shape))} voxels; one image or volume per file is needed, or as many as "
            "resample.channels says",
        )
    shape = (*stored.shape[:3], 1)[:3]
    if stored.dtype.fields:
        if volumes:
            raise Rejected("wrong-shape", "several volumes in colour; export single ones")
        stored = np.stack([stored[name] for name in ("R", "G", "B")], axis=-1)
    return stored.reshape(*shape, -1, order="F" if stored.flags.f_contiguous else "C").transpose(2, 1, 0, 3)
