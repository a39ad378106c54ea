"""The command's work: look, clean patient by patient, and write down what was done."""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from asclepius import keys, tables
from asclepius.deidentify.crosswalk import Crosswalk
from asclepius.deidentify.folder.clean import FolderCleaner, Outcome, load
from asclepius.deidentify.folder.inventory import Entry, Inventory
from asclepius.deidentify.patient import Change
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import StudyError

Progress = Callable[[str, int, int], None]  # what, done, of


@dataclass
class Summary:
    """What the command did.

    Args:
        released, quarantined: files.
        patients: with a released file.
        reasons: quarantined files by reason.
        audit: tag, keyword, action to files and values.
    """

    released: int = 0
    quarantined: int = 0
    patients: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    files: Counter[Change] = field(default_factory=Counter)
    values: Counter[Change] = field(default_factory=Counter)


def deidentify_folder(
    source: Path,
    out: Path,
    *,
    key: Path,
    restricted: Path,
    settings: DeidentifySettings,
    jobs: int = 1,
    progress: Progress = lambda *_: None,
) -> Summary:
    """Remove identity from all files below a folder.

    Args:
        source: read only.
        out: made if need be; holds nothing but released files.
        key: file of the master key; made if there is none.
        restricted: takes quarantine.csv, crosswalk.bin; readable by its owner alone.
        jobs: processes; each takes whole patients.
        progress: called with a stage's name, files done and all files.

    Raises:
        StudyError: folders that are missing or lie in each other, a full disk, or a key that does not fit.
    """
    source, out, restricted = (Path(path).resolve() for path in (source, out, restricted))
    _check(source, out, restricted, Path(key).resolve())
    out.mkdir(parents=True, exist_ok=True)
    restricted.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(restricted, 0o700)
    keys.ensure(key)
    way_back = Crosswalk(restricted / "crosswalk.bin", keys.load(key)) if settings.crosswalk else None
    database = restricted / f".inventory-{os.getpid()}.sqlite"
    summary = Summary()
    try:
        with (
            Inventory(source, database) as inventory,
            _quarantine(restricted / "quarantine.csv") as left_out,
            _processes(jobs, (source, out, settings, key)) as pool,
        ):
            for seen in inventory.take(pool):
                progress("looking", seen, 0)
            total, done = len(inventory), 0
            if total:
                progress("cleaning", 0, total)  # its clock starts here, not when the first patient is done
            cleaned = _together(inventory, pool, jobs) if pool else _alone(inventory, load(source, out, settings, key))
            for outcome, files in cleaned:
                done += files
                _add(summary, outcome, left_out)
                if way_back is not None:
                    way_back.append(outcome.rows)
                progress("cleaning", done, total)
    except BrokenProcessPool:
        raise StudyError("a process was killed, perhaps for want of memory; run again with fewer --jobs") from None
    except OSError as error:
        raise StudyError(f"{error.filename or out}: {error.strerror}; nothing half-written was left there") from None
    finally:
        database.unlink(missing_ok=True)
    tables.write_text(restricted / "audit.csv", _audit(summary))
    return summary


def _check(source: Path, out: Path, restricted: Path, key: Path) -> None:
    if not source.is_dir():
        raise StudyError(f"{source}: no such folder")
    for inner, outer, why in (
        (out, source, "released files must not lie among raw ones"),
        (source, out, "raw files must not lie among released ones"),
        (restricted, out, "what identifies patients must not lie among released files"),
        (key, out, "the key must not lie among released files"),
        (restricted, source, "the source is only read"),
    ):
        if inner == outer or outer in inner.parents:
            raise StudyError(f"{inner} lies in {outer}: {why}; name another place")


@contextmanager
def _processes(jobs: int, arguments: tuple) -> Iterator[ProcessPoolExecutor | None]:
    """Processes with a cleaner each; None if this one is to do all."""
    if jobs <= 1:
        yield None
        return
    # Forked: nothing runs in threads yet, and a spawned process would import everything anew.
    with ProcessPoolExecutor(jobs, get_context("fork"), _start, arguments) as pool:
        yield pool


def _alone(inventory: Inventory, cleaner: FolderCleaner) -> Iterator[tuple[Outcome, int]]:
    for patient, entries in inventory.patients():
        yield cleaner.patient(patient, entries), len(entries)


def _together(inventory: Inventory, pool: ProcessPoolExecutor, jobs: int) -> Iterator[tuple[Outcome, int]]:
    waiting: dict[Future[Outcome], int] = {}
    for patient, entries in inventory.patients():
        waiting[pool.submit(_work, patient, entries)] = len(entries)
        if len(waiting) > 2 * jobs:
            yield from _finished(waiting)
    while waiting:
        yield from _finished(waiting)


def _finished(waiting: dict[Future[Outcome], int]) -> Iterator[tuple[Outcome, int]]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield future.result(), waiting.pop(future)


_cleaner: FolderCleaner | None = None  # of this worker process


def _start(source: Path, out: Path, settings: DeidentifySettings, key: Path) -> None:
    global _cleaner
    _cleaner = load(source, out, settings, key)


def _work(patient: str, entries: list[Entry]) -> Outcome:
    return _cleaner.patient(patient, entries)


@contextmanager
def _quarantine(path: Path) -> Iterator[Callable[[list[str]], None]]:
    """A table that is whole when the block ends; it names files of the source, so only its owner may read it."""
    with tables.replacing(path, private=True) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "patient", "reason", "sentence"])
        yield writer.writerow


def _add(summary: Summary, outcome: Outcome, left_out: Callable[[list[str]], None]) -> None:
    summary.released += outcome.released
    summary.patients += outcome.released > 0
    summary.files.update(outcome.files)
    summary.values.update(outcome.values)
    for name, reason, sentence in outcome.rejected:
        summary.quarantined += 1
        summary.reasons[reason] += 1
        left_out([name.encode("utf-8", "backslashreplace").decode(), outcome.patient, reason, sentence])


def _audit(summary: Summary) -> str:
    """Files and values per attribute and action, as deidentify/audit.csv of the workflow."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["tag", "keyword", "action", "files", "values"])
    for change in sorted(summary.values):
        writer.writerow([*change, summary.files[change], summary.values[change]])
    return lines.getvalue()
