"""Medical Segmentation Decathlon: dataset.json (Antonelli et al., Nature Communications 13, 4128, 2022)."""

import json
from pathlib import PurePosixPath

from asclepius.cohort import nifti
from asclepius.cohort.folder import file_list, printable
from asclepius.cohort.inventory import Inventory, Rejects, images
from asclepius.cohort.settings import SourceSettings
from asclepius.errors import Rejected, StudyError

LOOKED_FOR = "the list `training` of dataset.json"


def read(settings: SourceSettings) -> Inventory:
    """The training list of dataset.json, each image with its mask; the test list has no labels and is left alone.

    Raises:
        StudyError: no dataset.json, no training list, or no table with class labels.
    """
    table = settings.path / "dataset.json"
    try:
        described = json.loads(table.read_text(encoding="utf-8"))
        entries = [(_clean(entry["image"]), _clean(entry["label"])) for entry in described["training"]]
    except FileNotFoundError:
        raise StudyError(f"{table}: not found; cohort.path must be the folder of an MSD task") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"{table}: not a task of the Decathlon ({error!r}); download it again") from None
    if settings.labels.path is None:
        raise StudyError(
            f"{settings.path}: an MSD segmentation set has masks but no class labels; give a table with a class per "
            "file: cohort.labels.path, labels.match (column with the file name) and labels.column"
        )
    modality = "/".join(str(name) for name in (described.get("modality") or {}).values()) or None
    rejects, kept = Rejects(), []
    for image, mask in sorted(entries):
        try:
            if not (settings.path / image).is_file():
                raise Rejected("unreadable", "dataset.json lists it but the file is missing; download the task again")
            nifti.check(settings.path / image)
            kept.append((image, mask))
        except Rejected as rejected:
            rejects.add(printable(image), printable(image), rejected)
    found = images(
        len(kept),
        source=[printable(image) for image, _ in kept],
        root=str(settings.path),
        files=[file_list([image], "") for image, _ in kept],
        format="nifti",
        modality=modality,
        official="train",
        mask=[mask for _, mask in kept],
        file=[printable(image) for image, _ in kept],
    )
    return Inventory(found, rejects.frame())


def _clean(path: str) -> str:
    return str(PurePosixPath(path))
