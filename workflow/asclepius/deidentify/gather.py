"""Second entry of the stage: the shards' tables as one, in the order of the source."""

from pathlib import Path

import pandas as pd

from asclepius import keys
from asclepius import tables as table
from asclepius.cohort.schema import ORDER, REJECTED
from asclepius.deidentify.certificate import Method
from asclepius.deidentify.certificate import certificate as certify
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.deidentify.schema import AUDIT, MANIFEST
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import Rejected, StudyError
from asclepius.rejects import QUARANTINE, Quarantine


def run(
    *,
    study: str,
    settings: DeidentifySettings,
    key: Path | None,
    tables: list[Path],
    quarantines: list[Path],
    audits: list[Path],
    order: Path,
    rejected: Path,
    manifest: Path,
    quarantine: Path,
    audit: Path,
    certificate: Path,
) -> None:
    """Put the shards of a de-identified cohort together.

    Args:
        study: its name, for the certificate.
        settings: the `deidentify` section of the config.
        key: the study's key; none stands for the phantom's published one.
        tables: the shards' released images.
        quarantines: the shards' images left out.
        audits: what was changed in each shard.
        order: every image of the source with its position.
        rejected: what the cohort stage could not use.
        manifest: written: all released images, by position.
        quarantine: written: all images left out so far, under pseudonyms.
        audit: written: CSV, one line per attribute and action: images and values changed in the whole cohort.
        certificate: written: HTML, the whole on one page.

    Raises:
        StudyError: the shards were made with another key or from another cohort.
    """
    pseudonyms = Pseudonyms(keys.load(key))
    ranks = table.read(order, ORDER)
    positions = {
        pseudonyms.image(source): rank for source, rank in zip(ranks["source"], ranks["position"], strict=True)
    }

    released = table.concat([table.read(path, MANIFEST) for path in tables], MANIFEST)
    early = _rejected(table.read(rejected, REJECTED), pseudonyms)
    left_out = table.concat([early, *(table.read(path, QUARANTINE) for path in quarantines)], QUARANTINE)
    _check_complete(positions, set(released["image"]), set(left_out["image"]))

    released["position"] = [positions[image] for image in released["image"]]
    released = released.sort_values("position", kind="stable", ignore_index=True)
    # A rejected file that belongs to no image has no position: those come first, as found.
    rank = pd.Series([positions.get(image, -1) for image in left_out["image"]], index=left_out.index, dtype="int64")
    left_out = left_out.iloc[rank.argsort(kind="stable")].reset_index(drop=True)
    table.write(manifest, released, MANIFEST)
    table.write(quarantine, left_out, QUARANTINE)
    summary = _summary(audits)
    table.write_text(audit, summary.to_csv(index=False, lineterminator="\n"))
    page = certify(
        study,
        Method.of(settings),
        released=len(released),
        patients=released["patient"].nunique(),
        audit=summary,
        quarantine=left_out,
    )
    table.write_text(certificate, page)
    print(f"{len(released)} images released, {len(left_out)} in quarantine")


def _rejected(frame: pd.DataFrame, pseudonyms: Pseudonyms) -> pd.DataFrame:
    rows = Quarantine("cohort")
    for row in frame.itertuples(index=False):
        patient = None if row.patient is None else pseudonyms.patient(row.patient)
        rows.add(pseudonyms.image(row.source), patient, Rejected(row.reason, row.sentence))
    return rows.frame()


def _check_complete(positions: dict[str, int], released: set[str], left_out: set[str]) -> None:
    unknown = len(released - positions.keys())
    lost = len(positions.keys() - released - left_out)
    if unknown or lost:
        raise StudyError(
            f"the shards do not fit the cohort: {unknown} released images are not in it, {lost} of its images are "
            "in no shard; was the key changed? delete results/<study>/deidentify and run again"
        )


def _summary(audits: list[Path]) -> pd.DataFrame:
    """Images and values per attribute and action; the shards' own tables tell it image by image."""
    by = ["tag", "keyword", "action"]
    parts = []
    for path in audits:
        frame = table.read(path, AUDIT)
        groups = frame.groupby(by, sort=True)
        parts.append(pd.DataFrame({"images": groups["image"].nunique(), "values": groups["count"].sum()}).reset_index())
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*by, "images", "values"])
    return whole.groupby(by, sort=True, as_index=False)[["images", "values"]].sum()
