"""The cohort stage: from a source to the manifest of every shard."""

from pathlib import Path

import numpy as np

from asclepius import keys, tables
from asclepius.cohort import manifest, sources, vocabulary
from asclepius.cohort.schema import ORDER, REJECTED
from asclepius.cohort.settings import CohortSettings
from asclepius.cohort.shards import shard_of, write_shards
from asclepius.errors import REASONS


def run(
    *,
    settings: CohortSettings,
    key: Path | None,
    phantom: Path | None = None,
    shards: Path,
    order: Path,
    rejected: Path,
) -> None:
    """Find the images, patients and labels of a source and divide them into shards.

    Args:
        settings: the config's `cohort` section.
        key: the study's secret key, which spreads patients over shards; None for the phantom's published one.
        phantom: folder of the simulated cohort, for `source: phantom`.
        shards: folder for shard-NNNN.parquet, one row per image; holds raw paths and patient identifiers.
        order: table of the images' rank in the source.
        rejected: table of what was left out, and why.

    Raises:
        StudyError: the source cannot be read, labels contradict each other, or too many images fail.
    """
    master = keys.load(key)
    if settings.source == "phantom" and phantom is not None:
        settings = sources.of_phantom(settings, phantom)
    part = manifest.of_source(settings, settings.unit, settings.max_rejected, "cohort")
    classes = vocabulary.check_classes(part.images["label"], settings.labels, "cohort")
    if settings.external is not None:
        outer = manifest.of_source(settings.external, settings.unit, settings.max_rejected, "cohort.external")
        part = manifest.with_external(part, outer, classes, settings.external)
    images = part.images.drop(columns="line")
    images["shard"] = shard_of(images["patient"], master, settings.shards)
    ranks = images[["source"]].assign(position=np.arange(len(images)))
    left_out = part.rejected.sort_values(["source", "reason"], kind="stable", ignore_index=True)
    write_shards(shards, images, settings.shards)
    tables.write(order, ranks, ORDER, private=True)
    tables.write(rejected, left_out, REJECTED, private=True)
    print("\n".join(summary(part, classes, settings)), flush=True)


def summary(part: manifest.Part, classes: list[str], settings: CohortSettings) -> list[str]:
    """What was found, in lines that name nobody."""
    images = part.images
    counts = vocabulary.counts(images["label"], settings.labels)
    lines = [
        f"{len(images)} images of {images['patient'].nunique()} patients in {settings.shards} shards",
        "classes: " + ", ".join(f"{name} {counts[name]}" for name in classes),
    ]
    reasons = part.rejected["reason"].value_counts().sort_index()
    for reason, count in reasons.items():
        kind = "failed" if REASONS[reason].failure else "left out"
        lines.append(f"{kind}: {count} {reason}")
    return lines + part.notes
