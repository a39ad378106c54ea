"""Entry of the stage: one shard of the cohort, from raw files to a container without identity."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from asclepius import keys, tables
from asclepius.cohort.schema import MANIFEST as COHORT
from asclepius.deidentify.crosswalk import Pseudonyms
from asclepius.deidentify.dicom.reading import quiet
from asclepius.deidentify.dicom.rewriting import Patient
from asclepius.deidentify.image import Cleaner, Image
from asclepius.deidentify.release import Release
from asclepius.deidentify.schema import AUDIT, CROSSWALK, MANIFEST
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.deidentify.values import OLDEST
from asclepius.errors import Rejected, StudyError
from asclepius.rejects import QUARANTINE, Quarantine

_DIGITS = re.compile(r"(\d+)")


def run(
    *,
    settings: DeidentifySettings,
    key: Path | None,
    shard: int,
    manifest: Path,
    table: Path,
    release: Path,
    quarantine: Path,
    audit: Path,
    crosswalk: Path,
) -> None:
    """Remove identity from one shard of a cohort.

    Args:
        settings: the `deidentify` section of the config.
        key: the study's key; none stands for the phantom's published one.
        shard: number of the shard.
        manifest: the shard's table from the cohort stage.
        table: written: the released images.
        release: written: zip with their files.
        quarantine: written: images left out, and why.
        audit: written: what was changed, without any original value.
        crosswalk: written, readable by its owner alone: pseudonyms and what they stand for.

    Raises:
        StudyError: the source or the key is missing.
    """
    rows = tables.read(manifest, COHORT)
    for root in rows["root"].unique():
        if not Path(root).exists():
            raise StudyError(f"{root}: the source is gone since the cohort was listed; restore it and run again")
    pseudonyms = Pseudonyms(keys.load(key))
    left_out = Quarantine("deidentify")
    released, changes, names = [], [], []
    with quiet(), Release.writing(release) as container:
        cleaner = Cleaner(settings, container)
        for original, group in rows.groupby("patient", sort=True):
            visits = number_visits(group)
            patient = Patient(pseudonyms.patient(original), pseudonyms.days(original), pseudonyms)
            patient.identifiers.add_number(original)
            for row, token, outcome in _patient(cleaner, container, group.to_dict("records"), patient):
                names.append(
                    {"image": token, "source": row["source"], "patient": patient.name, "original_patient": original}
                )
                if isinstance(outcome, Rejected):
                    left_out.add(token, patient.name, outcome)
                    continue
                released.append(_released(row, token, patient.name, visits[row["visit"]], pseudonyms, outcome, release))
                changes += _changes(token, outcome)
    columns = [*MANIFEST.columns, *(name for name in rows.columns if name.startswith("x_"))]
    tables.write(table, _frame(released, columns), MANIFEST)
    tables.write(quarantine, left_out.frame(), QUARANTINE)
    tables.write(audit, _frame(changes, list(AUDIT.columns)), AUDIT)
    tables.write(crosswalk, _frame(names, list(CROSSWALK.columns)), CROSSWALK, private=True)
    print(f"shard {shard}: {len(released)} images released, {len(left_out.rows)} in quarantine")


def number_visits(rows: pd.DataFrame) -> dict[str, int]:
    """A patient's visits as 1, 2, ... in order of date, then of name (ses-2 before ses-10)."""
    first = rows.assign(date=rows["date"].fillna("")).groupby("visit")["date"].min()
    order = sorted(first.index, key=lambda visit: (first[visit], _natural(visit)))
    return {visit: number for number, visit in enumerate(order, start=1)}


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(text)]


def _patient(
    cleaner: Cleaner, container: Release, rows: list[dict[str, Any]], patient: Patient
) -> list[tuple[dict[str, Any], str, Image | Rejected]]:
    """All images of a patient; again from the start if a later file names what an earlier one might hold."""
    if len(rows) > 1:
        for row in rows:
            cleaner.learn(row, patient)
    mark = container.mark()
    while True:
        cleaner.late = False
        outcomes = [(row, *_image(cleaner, row, patient)) for row in rows]
        if not cleaner.late:
            return outcomes
        container.rollback(mark)


def _image(cleaner: Cleaner, row: dict[str, Any], patient: Patient) -> tuple[str, Image | Rejected]:
    token = patient.pseudonyms.image(row["source"])
    try:
        if row["format"] == "npz":  # arrays without identity: a view, not a copy
            return token, Image([], None, {})
        return token, cleaner.image(row, token, patient)
    except Rejected as rejected:
        return token, rejected


def _released(
    row: dict[str, Any], token: str, patient: str, visit: int, pseudonyms: Pseudonyms, image: Image, release: Path
) -> dict[str, Any]:
    """A row of the released table: only what is named here, and the columns a person has allow-listed, passes."""
    view = row["format"] == "npz"
    passed = ("scanner", "modality", "label", "official", "sex", "boxes", "format", "row", "shard")
    return {
        **{name: value for name, value in row.items() if name in passed or name.startswith("x_")},
        "image": token,
        "patient": patient,
        "visit": visit,
        "site": pseudonyms.site(row["site"]),
        "age": min(row["age"], OLDEST) if row["age"] == row["age"] else None,
        "path": str(_array_file(row) if view else release),
        "member": row["member"] if view else json.dumps(image.members),
        "mask": image.mask,
        "position": -1,
    }


def _array_file(row: dict[str, Any]) -> Path:
    """The .npz that a view looks into."""
    root, files = Path(row["root"]), json.loads(row["files"])
    return root / files[0] if files and root.is_dir() else root


def _changes(token: str, image: Image) -> list[dict[str, Any]]:
    return [
        {"image": token, "file": file, "tag": tag, "keyword": keyword, "action": action, "count": count}
        for file, counter in image.audit.items()
        for (tag, keyword, action), count in sorted(counter.items())
    ]


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns)
