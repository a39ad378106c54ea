"""NIfTI scans: header cleaned, and the face too where it must go."""

import gzip
from collections import Counter

import nibabel
import numpy as np

from asclepius.deidentify import nifti
from asclepius.deidentify.patient import Change
from asclepius.errors import Rejected

_LABELS = 64  # whole numbers of at most so many values are a segmentation, not a scan
LEVEL = 3


def clean(data: bytes, audit: Counter[Change], *, faces: bool, words: str = "") -> tuple[bytes, bytes | None]:
    """A NIfTI file without identity, and the mask of what was taken from the picture, if anything was.

    Args:
        faces: take the face out of head scans.
        words: what tells whether it is one, e.g. the names of its folders.

    Raises:
        Rejected: as `nifti.clean`; face: it may show a head, and where its face is was not found beyond doubt.
    """
    out = nifti.clean(data, audit)
    if not faces:
        return out, None
    from asclepius.deidentify.faces.deface import is_head
    from asclepius.deidentify.faces.nifti import deface_nifti

    plain = gzip.decompress(out) if out[:2] == nifti.GZIP else out
    image = _image(plain)
    if _is_segmentation(image) or not is_head("", words, _outline(image)):
        return out, None
    blanked, mask, quality = deface_nifti(plain)
    figures = ", ".join(f"{name} {value:.3g}" for name, value in quality.items())
    audit["voxels", f"face ({figures})", "C"] += 1
    packed = gzip.compress(mask, LEVEL, mtime=0)
    return (gzip.compress(blanked, LEVEL, mtime=0) if out[:2] == nifti.GZIP else blanked), packed


def _image(data: bytes) -> nibabel.Nifti1Image:
    kind = nibabel.Nifti2Image if data[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nibabel.Nifti1Image
    try:
        return kind.from_bytes(data)
    except Exception:  # nibabel raises nearly anything for a damaged header
        raise Rejected("unreadable", "the NIfTI header cannot be read") from None


def _is_segmentation(image: nibabel.Nifti1Image) -> bool:
    values = np.asanyarray(image.dataobj).ravel()
    some = values[:: max(values.size // 1_000_000, 1)]
    return bool((some == np.rint(some)).all()) and len(np.unique(some)) <= _LABELS


def _outline(image: nibabel.Nifti1Image) -> object:
    """One voxel of the size of the whole."""
    sides = np.abs([*np.multiply(image.shape[:3], image.header.get_zooms()[: len(image.shape[:3])]), 1.0, 1.0])[:3]
    import SimpleITK as sitk  # slow to import: only for who takes faces out

    outline = sitk.Image(1, 1, 1, sitk.sitkUInt8)
    outline.SetSpacing([float(max(side, 1e-3)) for side in sides])
    return outline
