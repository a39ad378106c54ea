"""The quality stage: what is kept, what is not, and why."""

from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import rejects, store, tables
from asclepius.cohort.settings import LabelSettings
from asclepius.deidentify.schema import MANIFEST
from asclepius.errors import REASONS, Rejected, StudyError
from asclepius.provenance import write_json
from asclepius.quality.classes import task as task_of
from asclepius.quality.copies import conflicting, repeated
from asclepius.quality.duplicates import grouped, near_duplicates
from asclepius.quality.exclusions import excluded
from asclepius.quality.flags import flags as flags_of
from asclepius.quality.flow import STAGES, diagram
from asclepius.quality.hashes import parsed
from asclepius.quality.schema import DUPLICATES, FLAGS, IMAGES, MEASURES
from asclepius.quality.settings import FLAG_NAMES, QualitySettings
from asclepius.quality.sheet.page import page as page_of
from asclepius.quality.views import SIDE
from asclepius.rejects import QUARANTINE, Quarantine
from asclepius.resample.schema import INDEX


def run(
    *,
    study: str,
    settings: QualitySettings,
    labels: LabelSettings,
    max_rejected: float,
    manifest: Path,
    indexes: list[Path],
    quarantines: list[Path],
    measures: list[Path],
    miniatures: list[Path],
    pictures: list[Path],
    images: Path,
    flags: Path,
    duplicates: Path,
    quarantine: Path,
    listing: Path,
    flow: Path,
    task: Path,
    page: Path,
) -> None:
    """Join what was released with what was stored and decide what the study uses.

    Args:
        measures, miniatures, pictures: of `shard.run`, each kind in a folder.

    Raises:
        StudyError: more images failed than `cohort.max_rejected` allows, or what is left makes no study.
    """
    released = tables.read(manifest, MANIFEST)
    earlier = tables.concat([tables.read(path, QUARANTINE) for path in quarantines], QUARANTINE)
    index = tables.concat([tables.read(path, INDEX) for path in indexes], INDEX)
    stored = joined(released, index, earlier)
    measured = with_measures(stored, tables.concat([tables.read(path, MEASURES) for path in measures], MEASURES))
    small = seen_small(stored, miniatures[0].parent)
    found = flags_of(measured, small, settings)
    graph, group = alike(measured, small, settings)
    found["copies"] = stored.groupby("content")["content"].transform("size")
    found["near_copies"] = group.groupby(group).transform("size").reindex(group.index).fillna(1)
    stored["duplicates"] = group if settings.near_duplicates == "group" else None
    aside = set_aside(stored, found, settings, labels.multilabel)
    used = stored[~stored["image"].isin(aside["image"])]
    everything = ordered(tables.concat([earlier, aside], QUARANTINE), released)
    counts = diagram(released, everything, used, labels.multilabel)

    tables.write(images, used[[*IMAGES.columns, *extra(used)]], IMAGES)
    seen = pd.concat([stored[["image"]], found, stored["image"].isin(used["image"]).rename("included")], axis=1)
    tables.write(flags, seen, FLAGS)
    tables.write(duplicates, graph, DUPLICATES)
    tables.write(quarantine, everything, QUARANTINE)
    tables.write_text(listing, everything.to_csv(index=False))
    tables.write_text(flow, write_json(counts))
    shown = store.Store(pictures[0].parent)
    tables.write_text(page, page_of(study, measured, seen, group, graph, counts, shown, settings))
    report(counts, seen, graph)
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


def with_measures(stored: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Stored images with what was measured of them.

    Raises:
        StudyError: an image was not measured.
    """
    table = stored.merge(measured, on="image", how="left", validate="one_to_one")
    missing = int(table["phash"].isna().sum())
    if missing:
        raise StudyError(
            f"{missing} stored images were not measured: files of two runs are mixed; delete the study's quality/ "
            "folder and run again"
        )
    return table


def seen_small(stored: pd.DataFrame, folder: Path) -> np.ndarray:
    """The miniatures of stored images, uint8 (image, plane, y, x)."""
    if stored.empty:
        return np.zeros((0, 1, SIDE, SIDE), dtype=np.uint8)
    return store.Store(folder).read(stored["shard"], stored["row"])


def alike(table: pd.DataFrame, miniatures: np.ndarray, settings: QualitySettings) -> tuple[pd.DataFrame, pd.Series]:
    """The graph of near-duplicates and each image's group, see `duplicates.grouped`; images in order of position."""
    if settings.near_duplicates == "off" or table.empty:
        return DUPLICATES.empty(), pd.Series(None, index=table.index, dtype=object)
    pairs = near_duplicates(miniatures, parsed(table["phash"]), parsed(table["dhash"]), settings.similarity)
    return grouped(pairs, table["image"])


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

    take("excluded", excluded(left, found, settings.exclude))
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


def report(counts: dict, seen: pd.DataFrame, graph: pd.DataFrame) -> None:
    """Print the flow, the flags and the near-duplicates."""
    lines = [f"found: {counts['found']['images']} images of {counts['found']['patients']} patients"]
    lines += [
        f"  {s['stage']}: {s['reason']}: {s['images']} images of {s['patients']} patients" for s in counts["steps"]
    ]
    lines += [f"included: {counts['included']['images']} images of {counts['included']['patients']} patients"]
    lines += [f"  {name}: {n['images']} images of {n['patients']} patients" for name, n in counts["classes"].items()]
    kept = seen[seen["included"]]
    flagged = {name.replace("_", " "): int(kept[name].sum()) for name in FLAG_NAMES}
    flagged["with copies"] = int((kept["copies"] > 1).sum())
    lines += ["flagged, yet included: " + ", ".join(f"{n} {name}" for name, n in flagged.items())]
    if not kept["judged"].all():
        lines += [f"too few of their kind to judge: {int((~kept['judged']).sum())} images (quality.few)"]
    lines += [f"near-duplicates: {graph['group'].nunique()} groups, {len(graph)} pairs"]
    print("\n".join(lines), flush=True)
