"""One source from its files to labelled images, and the checks on the cohort as a whole."""

from dataclasses import dataclass

import pandas as pd

from asclepius.cohort import labels, sources, vocabulary
from asclepius.cohort.inventory import KEYS
from asclepius.cohort.settings import SourceSettings
from asclepius.cohort.stamp import stamps
from asclepius.errors import StudyError
from asclepius.rejects import refuse_if_too_many

EXTERNAL = "external"


@dataclass
class Part:
    """Args:
    images: the manifest's columns without shard, and x_ columns; in natural order of the source.
    rejected: rows of REJECTED.
    notes: lines for the log.
    """

    images: pd.DataFrame
    rejected: pd.DataFrame
    notes: list[str]


def of_source(settings: SourceSettings, unit: str, limit: float, key: str) -> Part:
    """Read a source, label its images and name patients and visits.

    Args:
        limit: share of images that may fail.
        key: the section in the config, "cohort" or "cohort.external".

    Raises:
        StudyError: nothing readable, labels that contradict each other, or too many failures.
    """
    found, settings = sources.read(settings, unit, key)
    labelled = labels.assign(found, settings, key)
    _excuse_masks(labelled.rejected, labelled.images["mask"])
    rejected = pd.concat([found.rejected, labelled.rejected], ignore_index=True)
    notes = [*found.notes]
    if labelled.unused:
        notes.append(f"{labelled.unused} rows of {settings.labels.path} speak of no image")
    images = labelled.images
    failures = [*found.rejected["reason"], *labelled.rejected["reason"]]
    refuse_if_too_many(failures, len(images), limit, key)
    images["patient"] = images["patient"].where(images["patient"].notna(), images["source"])
    images["visit"] = images["visit"].where(images["visit"].notna(), "1")
    check_agreement(images, settings, key)
    masks = images["mask"].dropna().unique()
    missing = {mask for mask in masks if not (settings.path / mask).exists()}
    if missing:
        notes.append(f"{len(missing)} masks of {len(masks)} do not exist; those images have none")
        images["mask"] = images["mask"].where(~images["mask"].isin(missing))
    images["stamp"] = stamps(images, settings.path)
    return Part(images.drop(columns=list(KEYS)), rejected, notes)


def _excuse_masks(rejected: pd.DataFrame, masks: pd.Series) -> None:
    """An image without a label that is the mask of another one, drawn as a DICOM series, is no failure."""
    folders = {mask.rstrip("/") for mask in masks.dropna().unique()}
    drawn = [
        reason == "unlabelled" and path.rpartition("/")[0] in folders
        for reason, path in zip(rejected["reason"], rejected["path"], strict=True)
    ]
    rejected.loc[drawn, ["reason", "sentence"]] = ["excluded", "the mask of another image"]


def check_agreement(images: pd.DataFrame, settings: SourceSettings, key: str) -> None:
    """Refuse a patient, or a visit, of two labels where the settings say that it has one.

    Raises:
        StudyError: says how many, where in the label table, and the remedy; never who.
    """
    per = settings.labels.per
    if per == "image":
        return
    owner = ["patient"] if per == "patient" else ["patient", "visit"]
    several = images.groupby(owner, sort=False)["label"].transform("nunique") > 1
    if not several.any():
        return
    count = images.loc[several, owner].drop_duplicates().shape[0]
    table = settings.labels.path
    where = f" ({labels.lines_of(images.loc[several, 'line'], table)})" if table is not None else ""
    wider = "visit or image" if per == "patient" else "image"
    raise StudyError(
        f"{key}.labels: {count} of the {per}s carry more than one label although labels.per is {per}{where}; "
        f"correct the labels, or set labels.per: {wider}"
    )


def with_external(inner: Part, outer: Part, classes: list[str], settings: SourceSettings) -> Part:
    """Both sources as one; the second has the role external, its names and patients a prefix of their own.

    Raises:
        StudyError: the second source has a class that the study does not.
    """
    found = vocabulary.counts(outer.images["label"], settings.labels)
    foreign = [name for name in found if name and name not in classes]
    if foreign:
        count = found[foreign[0]]
        name = repr(foreign[0]) if count >= vocabulary.SAFE_COUNT else "a label that occurs once"
        raise StudyError(
            f"cohort.external.labels: {len(foreign)} labels are no classes of the study ({', '.join(classes)}), "
            f"such as {name}; map them with cohort.external.labels.merge or list cohort.external.labels.classes"
        )
    images, rejected = outer.images.copy(), outer.rejected.copy()
    for name in ("source", "patient"):
        images[name] = f"{EXTERNAL}/" + images[name].astype("str")
    rejected["source"] = f"{EXTERNAL}/" + rejected["source"].astype("str")
    rejected["patient"] = (f"{EXTERNAL}/" + rejected["patient"].astype("str")).where(rejected["patient"].notna())
    images["official"] = EXTERNAL
    return Part(
        pd.concat([inner.images, images], ignore_index=True),
        pd.concat([inner.rejected, rejected], ignore_index=True),
        [*inner.notes, *(f"external: {note}" for note in outer.notes)],
    )
