"""The quality stage: what is kept, what is not, and why."""

from pathlib import Path

import pandas as pd

from asclepius import rejects, tables
from asclepius.cohort.settings import LabelSettings
from asclepius.deidentify.schema import MANIFEST
from asclepius.errors import REASONS, Rejected, StudyError
from asclepius.provenance import write_json
from asclepius.quality.classes import task as task_of
from asclepius.quality.duplicates import conflicting, repeated
from asclepius.quality.exclusions import excluded
from asclepius.quality.flow import STAGES, diagram
from asclepius.quality.measures import flags as flags_of
from asclepius.quality.schema import FLAGS, IMAGES
from asclepius.quality.settings import QualitySettings
from asclepius.rejects import QUARANTINE, Quarantine
from asclepius.resample.schema import INDEX


def run(
    *,
    settings: QualitySettings,
    labels: LabelSettings,
    max_rejected: float,
    manifest: Path,
    indexes: list[Path],
    quarantines: list[Path],
    images: Path,
    flags: Path,
    quarantine: Path,
    listing: Path,
    flow: Path,
    task: Path,
) -> None:
    """Join what was released with what was stored and decide what the study uses.

    Raises:
        StudyError: more images failed than `cohort.max_rejected` allows, or what is left makes no study.
    """
    released = tables.read(manifest, MANIFEST)
    earlier = tables.concat([tables.read(path, QUARANTINE) for path in quarantines], QUARANTINE)
    index = tables.concat([tables.read(path, INDEX) for path in indexes], INDEX)
    stored = joined(released, index, earlier)
    found = flags_of(stored, settings)
    aside = set_aside(stored, found, settings, labels.multilabel)
    used = stored[~stored["image"].isin(aside["image"])]
    everything = ordered(tables.concat([earlier, aside], QUARANTINE), released)
    counts = diagram(released, everything, used, labels.multilabel)

    tables.write(images, used[[*IMAGES.columns, *extra(used)]], IMAGES)
    seen = pd.concat([stored[["image"]], found, stored["image"].isin(used["image"]).rename("included")], axis=1)
    tables.write(flags, seen, FLAGS)
    tables.write(quarantine, everything, QUARANTINE)
    tables.write_text(listing, everything.to_csv(index=False))
    tables.write_text(flow, write_json(counts))
    report(counts, seen)
    refuse_if_too_many(everything, counts["found"]["images"], max_rejected)
    task_of({name: n["images"] for name, n in counts["classes"].items()}, labels, everything).write(task)


def joined(manifest: pd.DataFrame, index: pd.DataFrame, quarantine: pd.DataFrame) -> pd.DataFrame:
    """Stored images in order of position, with everything later stages need.

    Raises:
        StudyError: an image is neither stored nor in quarantine, or stored without having been released.
    """
    lost = set(manifest["image"]) - set(index["image"]) - set(quarantine["image"])
    stray = set(index["image"]) - set(manifest["image"])
    if lost or stray:
        raise StudyError(
            f"{len(lost)} released images are neither stored nor in quarantine and {len(stray)} stored ones were not "
            "released: files of two runs are mixed; delete the study's resample/ folder and run again"
        )
    # Boxes and rows of the store replace those of the source.
    left = manifest.drop(columns=["path", "member", "row", "format", "mask", "boxes"])
    table = left.merge(index.drop(columns="shard"), on="image", how="inner", validate="one_to_one")
    return table.sort_values(["position", "image"], kind="stable").reset_index(drop=True)


def extra(table: pd.DataFrame) -> list[str]:
    """The cohort's own columns."""
    return [name for name in table.columns if name not in IMAGES.columns]


def set_aside(table: pd.DataFrame, found: pd.DataFrame, settings: QualitySettings, multilabel: bool) -> pd.DataFrame:
    """Quarantine rows of this stage; an image that one rule sets aside is not judged by the next."""
    quarantine = Quarantine("quality")
    left = table

    def take(reason: str, sentences: pd.Series) -> None:
        nonlocal left
        for image, patient, sentence in zip(
            left.loc[sentences.index, "image"], left.loc[sentences.index, "patient"], sentences, strict=True
        ):
            quarantine.add(image, patient, Rejected(reason, sentence))
        left = left.drop(index=sentences.index)

    take("excluded", excluded(left, settings.exclude))
    if settings.drop_blank:
        blank = left.index[found.loc[left.index, "blank"]]
        take("blank", pd.Series("every stored pixel has the same value", index=blank))
    take("excluded", conflicting(left, multilabel))
    take("duplicate", repeated(left))
    return quarantine.frame()


def ordered(quarantine: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """Quarantine by stage, then by position in the source where known; never by a pseudonym's value alone."""
    stage = quarantine["stage"].map({name: rank for rank, name in enumerate(STAGES)}).fillna(len(STAGES))
    place = quarantine["image"].map(manifest.set_index("image")["position"]).fillna(-1)
    sorting = pd.DataFrame({"stage": stage, "place": place})
    return quarantine.loc[sorting.sort_values(["stage", "place"], kind="stable").index].reset_index(drop=True)


def refuse_if_too_many(quarantine: pd.DataFrame, found: int, limit: float) -> None:
    """Stop when more images failed than the study allows.

    Raises:
        StudyError: counts by reason and the first sentence of each; the tables of a stage that refuses are deleted.
    """
    failed = quarantine[quarantine["reason"].isin([name for name, reason in REASONS.items() if reason.failure])]
    try:
        rejects.refuse_if_too_many(list(failed["reason"]), found - len(failed), limit, "quality")
    except StudyError as error:
        first = failed.drop_duplicates(["stage", "reason"])
        lines = [f"  {row.stage}, {row.reason}: {row.sentence}" for row in first.itertuples(index=False)]
        raise StudyError("\n".join([f"{error}. The first of each:", *lines])) from None


def report(counts: dict, seen: pd.DataFrame) -> None:
    """Print the flow and the flags."""
    lines = [f"found: {counts['found']['images']} images of {counts['found']['patients']} patients"]
    lines += [
        f"  {s['stage']}: {s['reason']}: {s['images']} images of {s['patients']} patients" for s in counts["steps"]
    ]
    lines += [f"included: {counts['included']['images']} images of {counts['included']['patients']} patients"]
    lines += [f"  {name}: {n['images']} images of {n['patients']} patients" for name, n in counts["classes"].items()]
    kept = seen[seen["included"]]
    flagged = {name: int(kept[name].sum()) for name in ("blank", "low_contrast", "saturated")}
    flagged["with copies"] = int((kept["copies"] > 1).sum())
    lines += ["flagged, yet included: " + ", ".join(f"{n} {name}" for name, n in flagged.items())]
    print("\n".join(lines), flush=True)
