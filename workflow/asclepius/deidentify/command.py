"""Entry of the stage: one shard of the cohort, from raw files to a container without identity."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from asclepius import keys, tables
from asclepius.cohort.schema import MANIFEST as COHORT
from asclepius.deidentify.crosswalk import Crosswalk, Row
from asclepius.deidentify.image import Cleaner, Image
from asclepius.deidentify.patient import Patient
from asclepius.deidentify.profile.decide import Policy
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.deidentify.release import Container, Release, Tree
from asclepius.deidentify.schema import AUDIT, MANIFEST
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
        release: written: their files, a zip or a folder as the settings say.
        quarantine: written: images left out, and why.
        audit: written: what was changed, without any original value.
        crosswalk: written, encrypted: pseudonyms and what they stand for; empty if the settings want none.

    Raises:
        StudyError: the source or the key is missing.
    """
    rows = tables.read(manifest, COHORT)
    for root in rows["root"].unique():
        if not Path(root).exists():
            raise StudyError(f"{root}: the source is gone since the cohort was listed; restore it and run again")
    master = keys.load(key)
    pseudonyms = Pseudonyms(master)
    policy = Policy(settings.active, strict=settings.preset == "strict")
    left_out = Quarantine("deidentify")
    way_back = Crosswalk(crosswalk, master)
    way_back.start()
    released, changes = [], []
    kind = Container if settings.release == "container" else Tree
    with kind.writing(release) as container:
        cleaner = Cleaner(settings, container)
        for original, group in rows.groupby("patient", sort=True):
            visits = number_visits(group)
            patient = Patient.of(original, pseudonyms, policy, tuple(settings.words))
            names: list[Row] = [("patient", original, patient.name), ("days", str(patient.days), patient.name)]
            for row, token, outcome in _patient(cleaner, container, group.to_dict("records"), patient):
                names.append(("image", row["source"], token))
                if isinstance(outcome, Rejected):
                    left_out.add(token, patient.name, outcome)
                    continue
                released.append(_released(row, token, patient, visits[row["visit"]], outcome, release))
                changes += _changes(token, outcome)
            names += [("uid", old, new) for old, new in pseudonyms.taken()]
            if settings.crosswalk:
                way_back.append(names)
    columns = [*MANIFEST.columns, *(name for name in rows.columns if name.startswith("x_"))]
    tables.write(table, _frame(released, columns), MANIFEST)
    tables.write(quarantine, left_out.frame(), QUARANTINE)
    tables.write(audit, _frame(changes, list(AUDIT.columns)), AUDIT)
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
    cleaner.start(rows, patient)
    mark = container.mark()
    outcomes = _once(cleaner, rows, patient)
    while cleaner.late:
        container.rollback(mark)
        outcomes = _once(cleaner, rows, patient)
    return outcomes


def _once(
    cleaner: Cleaner, rows: list[dict[str, Any]], patient: Patient
) -> list[tuple[dict[str, Any], str, Image | Rejected]]:
    cleaner.late = False
    return [(row, *_image(cleaner, row, patient)) for row in rows]


def _image(cleaner: Cleaner, row: dict[str, Any], patient: Patient) -> tuple[str, Image | Rejected]:
    token = patient.pseudonyms.image(row["source"])
    try:
        if row["format"] == "npz":  # arrays without identity: a view, not a copy
            return token, Image([], None, {})
        return token, cleaner.image(row, token, patient)
    except Rejected as rejected:
        return token, rejected


def _released(
    row: dict[str, Any], token: str, patient: Patient, visit: int, image: Image, release: Path
) -> dict[str, Any]:
    """A row of the released table: only what is named here, and the columns a person has allow-listed, passes."""
    view = row["format"] == "npz"
    passed = ("scanner", "modality", "label", "official", "boxes", "format", "row", "shard")
    characteristics = "patient_characteristics" in patient.policy.options
    return {
        **{name: value for name, value in row.items() if name in passed or name.startswith("x_")},
        "image": token,
        "patient": patient.name,
        "visit": visit,
        "site": patient.pseudonyms.site(row["site"]),
        "age": min(row["age"], OLDEST) if characteristics and row["age"] == row["age"] else None,
        "sex": row["sex"] if characteristics else None,
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
