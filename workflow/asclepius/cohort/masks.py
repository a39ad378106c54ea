"""DICOM segmentations and RT structure sets, and the images that they were drawn on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pydicom
from pydicom.dataset import Dataset

# Segmentation, Label Map Segmentation and RT Structure Set Storage (PS3.4 annex B.5).
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
CLASSES = frozenset(("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7", STRUCTURES))


@dataclass(frozen=True)
class Mask:
    """Args:
    path: relative to the folder walked.
    series, instances: UIDs that it refers to.
    frames: Frame of Reference UIDs in which it lies.
    made: date and time, to tell the newest; "" if unknown.
    """

    path: str
    patient: str | None
    series: frozenset[str]
    instances: frozenset[str]
    frames: frozenset[str]
    made: str


@dataclass(frozen=True)
class Drawn:
    """What an image can be referred to by."""

    patient: str | None
    series: str | None
    instances: frozenset[str]
    frame: str | None


def read(full: str, path: str, patient: str | None) -> Mask:
    """The references of a segmentation or structure set."""
    dataset = pydicom.dcmread(full, force=True, stop_before_pixels=True)
    structures = dataset.get("SOPClassUID") == STRUCTURES
    listed = list(_structure_series(dataset)) if structures else list(dataset.get("ReferencedSeriesSequence") or [])
    instances = {
        str(item.get("ReferencedSOPInstanceUID"))
        for series in listed
        for item in series.get("ContourImageSequence" if structures else "ReferencedInstanceSequence") or []
    }
    if not instances:
        instances = set(_sources(dataset, structures))
    name = "StructureSet" if structures else "Content"
    frames = {
        str(item.get("FrameOfReferenceUID", "")) for item in dataset.get("ReferencedFrameOfReferenceSequence", [])
    }
    return Mask(
        path=path,
        patient=patient,
        series=frozenset(str(item.get("SeriesInstanceUID")) for item in listed),
        instances=frozenset(instances),
        frames=frozenset({str(dataset.get("FrameOfReferenceUID", "")), *frames} - {""}),
        made=f"{dataset.get(f'{name}Date') or ''}{dataset.get(f'{name}Time') or ''}",
    )


def _structure_series(dataset: Dataset) -> Iterable[Dataset]:
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        for study in frame.get("RTReferencedStudySequence") or []:
            yield from study.get("RTReferencedSeriesSequence") or []


def _sources(dataset: Dataset, structures: bool) -> Iterable[str]:
    """Images that single frames or contours name."""
    if structures:
        drawn = (item for roi in dataset.get("ROIContourSequence") or [] for item in roi.get("ContourSequence") or [])
        images = (image for contour in drawn for image in contour.get("ContourImageSequence") or [])
    else:
        shared = dataset.get("SharedFunctionalGroupsSequence") or []
        groups = [*shared, *(dataset.get("PerFrameFunctionalGroupsSequence") or [])]
        derivations = (item for group in groups for item in group.get("DerivationImageSequence") or [])
        images = (image for derivation in derivations for image in derivation.get("SourceImageSequence") or [])
    for image in images:
        yield str(image.get("ReferencedSOPInstanceUID"))


def assign(masks: Sequence[Mask], images: Sequence[Drawn], *, single: bool) -> tuple[list[str | None], list[Mask]]:
    """Which mask belongs to which image, by path; and the masks that are left.

    An image takes masks that name one of its instances; without such names, those that name its series; those that
    name no series of the source, by the frame of reference. Of several it takes the newest.

    Args:
        single: images are single files: only masks of one file alone are theirs.
    """
    known = {image.series for image in images}
    chosen: list[str | None] = []
    used: set[str] = set()
    for image in images:
        fits = [mask for mask in masks if mask.patient == image.patient and _fits(mask, image, known, single)]
        best = max(fits, key=lambda mask: (mask.made, mask.path), default=None)
        chosen.append(best.path if best else None)
        used |= {best.path} if best else set()
    return chosen, [mask for mask in masks if mask.path not in used]


def _fits(mask: Mask, image: Drawn, known: set[str | None], single: bool) -> bool:
    if single:
        return len(mask.instances) == 1 and bool(mask.instances & image.instances)
    if mask.instances & image.instances:
        return True
    if mask.series & known:
        return image.series in mask.series and not mask.instances
    return image.frame in mask.frames
