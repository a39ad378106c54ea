"""Faces in NIfTI: voxels inside the mask overwritten in place, all other bytes as they were.

Orientation: sform, else qform, as the header's codes say (nifti1.h); a wrong one does no harm, as every pose is tried.
"""

import gzip

import nibabel
import numpy as np
import SimpleITK as sitk

from asclepius.deidentify.faces.deface import Defaced, deface
from asclepius.errors import Rejected

_LEVEL = 3
_PLACE = (
    "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip
_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def deface_nifti(data: bytes, modality: str = "") -> tuple[bytes, bytes, dict[str, float]]:
    """(the file without its face, the mask as NIfTI on the same grid, quality).

    Args:
        data: a NIfTI-1 or NIfTI-2 file, not compressed. 4-D: the mean over time finds the face, the mask holds for all.
        modality: "CT" or "MR"; "" is told from the values.

    Raises:
        Rejected: face, or unreadable.
    """
    image = _opened(data)
    raw = _stored(data, image)
    values = raw if raw.ndim == 3 else raw.mean(axis=tuple(range(3, raw.ndim)), dtype=np.float32)
    # NaN stands for nothing measured.
    values = np.nan_to_num(np.asarray(values, np.float32), posinf=0.0, neginf=0.0)
    volume = _volume(values, image.affine)
    low = values.min() * image.dataobj.slope + image.dataobj.inter
    found = deface(volume, modality or ("CT" if low < -500 else "MR"))
    mask = (sitk.GetArrayFromImage(found.mask).transpose(2, 1, 0) > 0) & (not found.nothing)
    return _blanked(data, image, raw, mask, found), _mask_file(image, mask), found.quality


def mask_of_series(mask: np.ndarray, affine: np.ndarray) -> bytes:
    """A mask as NIfTI, compressed.

    Args:
        mask: bool, (z, y, x).
        affine: from indices (x, y, z) to millimetres, axes left, back, head.
    """
    image = nibabel.Nifti1Image(mask.transpose(2, 1, 0).astype(np.uint8), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code="scanner")
    return gzip.compress(image.to_bytes(), _LEVEL, mtime=0)


def _opened(data: bytes) -> nibabel.Nifti1Image:
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        try:
            image = kind.from_bytes(data)
            break
        except Exception:  # nibabel raises many kinds on damaged headers
            continue
    else:
        raise Rejected("unreadable", "no NIfTI header found")
    shape = image.shape
    if len(shape) < 3 or min(shape) < 1:
        raise Rejected("face", "a head picture of fewer than three axes; deface it by hand")
    if image.get_data_dtype().names or image.get_data_dtype().kind not in "iuf":
        raise Rejected("face", "a head volume of colours or complex numbers; deface it by hand")
    return image


def _stored(data: bytes, image: nibabel.Nifti1Image) -> np.ndarray:
    """Voxels as stored, axes (x, y, z, ...), a view of `data`."""
    count = int(np.prod(image.shape))
    try:
        flat = np.frombuffer(data, image.get_data_dtype(), count, image.dataobj.offset)
    except ValueError:
        raise Rejected("truncated", "the file ends within its voxels") from None
    return flat.reshape(image.shape, order="F")


def _volume(values: np.ndarray, affine: np.ndarray) -> sitk.Image:
    linear = _TO_LPS @ affine[:3, :3]
    spacing = np.linalg.norm(linear, axis=0)
    if not np.isfinite(affine).all() or spacing.min() <= 0 or abs(np.linalg.det(linear / spacing)) < 0.1:
        linear, spacing = np.eye(3), np.ones(3)
    left, _, right = np.linalg.svd(linear / spacing)  # the nearest axes at right angles: ITK knows no shear
    image = sitk.GetImageFromArray(values.transpose(2, 1, 0))
    image.SetSpacing(spacing.tolist())
    image.SetDirection((left @ right).ravel().tolist())
    image.SetOrigin((_TO_LPS @ affine[:3, 3]).tolist())
    return image


def _blanked(data: bytes, image: nibabel.Nifti1Image, raw: np.ndarray, mask: np.ndarray, found: Defaced) -> bytes:
    out = bytearray(data)
    voxels = np.frombuffer(out, raw.dtype, raw.size, image.dataobj.offset).reshape(raw.shape, order="F")
    finite = raw[np.isfinite(raw)] if raw.dtype.kind == "f" else raw
    # Of all time points, in stored values: the mean has another lowest value.
    lowest, highest = finite.min(), finite.max()
    voxels[mask] = lowest if found.fill <= (float(lowest) + float(highest)) / 2 else highest
    return bytes(out)


def _mask_file(image: nibabel.Nifti1Image, mask: np.ndarray) -> bytes:
    header = type(image.header)()
    for field in _PLACE:
        header[field] = image.header[field]
    header["pixdim"][:4] = image.header["pixdim"][:4]
    header.set_data_dtype(np.uint8)
    return type(image)(mask.astype(np.uint8), None, header).to_bytes()
