"""`asclepius reidentify`: from pseudonyms back to the source, with the key, and never unnoticed."""

import argparse
import csv
import datetime
import getpass
import os
from pathlib import Path
from typing import Any

from asclepius import keys, tables
from asclepius.deidentify.crosswalk import Crosswalk, Row
from asclepius.errors import StudyError

LOG = "reidentify.log"


def add_parser(subparsers: Any, text: str) -> argparse.ArgumentParser:
    """The sub-command's options."""
    parser = subparsers.add_parser("reidentify", help=text, description=text)
    parser.add_argument("restricted", type=Path, help="folder that holds the crosswalk")
    parser.add_argument("pseudonyms", nargs="*", help="patients, UIDs, images or released file names")
    parser.add_argument("--key", required=True, type=Path, help="file of the study's master key")
    parser.add_argument("--reason", required=True, help="why; written to the log")
    parser.add_argument(
        "--export", action="store_true", help="write patients.csv and uids.csv (old, new) beside the crosswalk, plain"
    )
    parser.set_defaults(call=_call)
    return parser


def _call(given: dict[str, Any]) -> int:
    wanted, restricted = set(given["pseudonyms"]), given["restricted"]
    if not wanted and not given["export"]:
        raise StudyError("name at least one pseudonym, or use --export for all of them")
    rows = crosswalk_rows(restricted, keys.load(given["key"]))
    # The log comes first: what could not be written down is not told.
    _note(restricted, "export of all" if given["export"] else " ".join(sorted(wanted)), given["reason"])
    if given["export"]:
        export(restricted, rows)
    found = [(kind, old, new) for kind, old, new in rows if new in wanted]
    for kind, old, new in found:
        print(f"{new}\t{kind}\t{old}")
    missing = wanted - {new for _, _, new in found}
    if missing:
        raise StudyError(f"not in this crosswalk: {', '.join(sorted(missing))}")
    return 0


def crosswalk_rows(restricted: Path, master: bytes) -> list[Row]:
    """All rows of the crosswalks below a folder.

    Raises:
        StudyError: there is none, or the key is of another study.
    """
    files = sorted(Path(restricted).rglob("crosswalk*.bin")) + sorted(Path(restricted).rglob("crosswalk/*.bin"))
    if not files:
        raise StudyError(f"{restricted}: no crosswalk there; was it switched off (deidentify.crosswalk)?")
    return [row for file in files for row in Crosswalk(file, master).rows()]


def export(restricted: Path, rows: list[Row]) -> None:
    """Old and new patient IDs and UIDs as plain tables, in the form that the MIDI-B challenge asks for."""
    for name, kind, columns in (
        ("patients.csv", "patient", ("id_old", "id_new")),
        ("uids.csv", "uid", ("id_old", "id_new")),
    ):
        pairs = sorted({(old, new) for found, old, new in rows if found == kind})
        with tables.replacing(restricted / name, private=True) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(pairs)


def _note(restricted: Path, what: str, reason: str) -> None:
    """One line more in the log: when, who, what, why."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    handle = os.open(restricted / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as log:
        log.write(f"{now}\t{getpass.getuser()}\t{what}\t{' '.join(reason.split())}\n")
