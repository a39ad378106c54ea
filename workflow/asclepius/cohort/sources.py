"""Which reader a source needs, and the phantom as a DICOM source like any other."""

from pathlib import Path

from asclepius.cohort import dicom, medmnist, msd, nifti, pictures
from asclepius.cohort.inventory import Inventory
from asclepius.cohort.settings import CohortSettings, LabelSettings, SourceSettings
from asclepius.errors import StudyError

LOOKED_FOR = {
    "dicom": dicom.LOOKED_FOR,
    "nifti": nifti.LOOKED_FOR,
    "images": pictures.LOOKED_FOR,
    "medmnist": medmnist.LOOKED_FOR,
    "msd": msd.LOOKED_FOR,
}


def of_phantom(settings: CohortSettings, folder: Path) -> CohortSettings:
    """The settings with which the simulated cohort is read: labels by series, everything else from its table.

    With `unit: slice` each slice is an image that has its patient's label, without the masks and boxes of the volume.
    """
    flat = settings.unit == "slice"
    labels = LabelSettings(
        path=folder / "labels.csv",
        key="series",
        match="SeriesInstanceUID",
        column="diagnosis",
        per="visit",
        classes=["healthy", "nodule"],
        positive="nodule",
    )
    changes = {
        "source": "dicom",
        "path": folder,
        "images": "images",
        "labels": labels,
        "patient": "PatientID",
        "visit": "StudyDate",
        "unit": "slice" if flat else "volume",
        "modality": settings.modality or ["CT"],
        **{name: name for name in ("site", "age", "sex", *([] if flat else ["mask", "boxes"]))},
    }
    return settings.model_copy(update=changes)


def read(settings: SourceSettings, unit: str, key: str) -> tuple[Inventory, SourceSettings]:
    """What the source holds, and its settings with what the source itself decides (a BIDS label table).

    Args:
        unit: "volume", "slice" or "image".
        key: the section in the config, "cohort" or "cohort.external".

    Raises:
        StudyError: the path is missing, or nothing readable lies there.
    """
    if settings.path is None:
        raise StudyError(f"config: {key}.path: say where the images are")
    if not settings.path.exists():
        raise StudyError(f"config: {key}.path: {settings.path} does not exist (working directory {Path.cwd()})")
    if settings.source == "nifti":
        settings = nifti.prepared(settings)
    if settings.source in ("dicom", "nifti") and settings.labels.path is None and settings.labels.classes is None:
        raise StudyError(
            f"config: {key}.labels.path: say which table holds the labels; or, where the first folders below "
            f"{key}.path are the classes, list them in {key}.labels.classes"
        )
    readers = {
        "dicom": lambda: dicom.read(settings, unit),
        "nifti": lambda: nifti.read(settings),
        "images": lambda: pictures.read(settings),
        "medmnist": lambda: medmnist.read(settings),
        "msd": lambda: msd.read(settings),
    }
    if settings.source not in readers:
        raise StudyError(f"config: {key}.source: {settings.source!r} cannot be read here; use {', '.join(readers)}")
    found = readers[settings.source]()
    if found.images.empty:
        reasons = found.rejected["reason"].value_counts()
        left = "; left out: " + ", ".join(f"{n} {reason}" for reason, n in reasons.items()) if len(reasons) else ""
        raise StudyError(
            f"{key}: no image to use in {settings.path}; looked for {LOOKED_FOR[settings.source]}"
            f"{left}; check {key}.path, {key}.images and {key}.source"
        )
    return found, settings
