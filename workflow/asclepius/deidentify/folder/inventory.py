"""What lies in a folder, whose it is, and what kind of file; kept in a small database so that memory stays flat."""

import os
import re
import sqlite3
import zipfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Literal

from asclepius.deidentify.dicom import reading
from asclepius.deidentify.image import format_of
from asclepius.errors import Rejected

Kind = Literal["dicom", "nifti", "pair", "picture", "json", "table", "numbers", "other"]
_HEAD = 1 << 16
_BATCH, _AHEAD = 256, 8  # files that a process looks at before it answers, and batches under way
_LARGEST_MEMBER = 2 << 30  # bytes of one file in an archive
_SUBJECT = re.compile(r"(?:^|/)sub-([A-Za-z0-9]+)(?:[/_]|$)")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".svs", ".ndpi", ".jp2", ".pgm", ".ppm")
_TABLES = (".tsv", ".csv")
_NUMBERS = (".bval", ".bvec")
_SORTING_TEXT = """
image images imagestr imagests label labels labelstr labelsts mask masks img imgs seg segmentation segmentations train
training test testing val valid validation data dataset raw scans pictures png jpg jpeg tif tiff nifti nii dicom
"""
_SORTING = frozenset(_SORTING_TEXT.split())
COMMON = ""  # the owner of what belongs to no single patient


@dataclass(frozen=True)
class Entry:
    """One file.

    Args:
        path: relative to the folder, with "/".
        member: its name within, if the file is a zip archive.
        kind: how it is to be cleaned.
        patient: what the source calls the patient.
    """

    path: str
    member: str
    kind: Kind
    patient: str

    @property
    def name(self) -> str:
        """Names the file in its folder, archives as folders."""
        return f"{self.path}/{self.member}" if self.member else self.path


class Inventory:
    """The files of a folder by patient.

    Args:
        source: the folder.
        database: made anew, readable by its owner alone.
    """

    def __init__(self, source: Path, database: Path):
        self.source = Path(source)
        os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        self._database = sqlite3.connect(database)
        self._database.execute("pragma journal_mode=off")
        self._database.execute("create table files(patient text, path text, member text, kind text)")

    def __enter__(self) -> "Inventory":
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def take(self, pool: Executor | None = None) -> Iterator[int]:
        """Look at every file; yields how many were seen so far.

        Args:
            pool: processes that look; without them this one does.
        """
        seen = 0
        for entries in _looked_at(self.source, pool):
            rows = [(entry.patient, entry.path, entry.member, entry.kind) for entry in entries]
            self._database.executemany("insert into files values (?, ?, ?, ?)", rows)
            seen += len(rows)
            yield seen
        self._database.commit()

    def __len__(self) -> int:
        return self._database.execute("select count(*) from files").fetchone()[0]

    def patients(self) -> Iterator[tuple[str, list[Entry]]]:
        """Each patient's files, by name."""
        rows = self._database.execute("select patient, path, member, kind from files order by patient, path, member")
        for patient, group in groupby(rows, key=lambda row: row[0]):
            yield patient, [Entry(path, member, kind, patient) for patient, path, member, kind in group]


def content(source: Path, entry: Entry) -> bytes:
    """The bytes of a file in an archive.

    Raises:
        Rejected: damaged, encrypted, or too large to be read at once.
    """
    try:
        with zipfile.ZipFile(source / entry.path) as archive:
            if archive.getinfo(entry.member).file_size > _LARGEST_MEMBER:
                raise Rejected("unreadable", "a file of more than 2 GB in a zip archive; unpack it first")
            return archive.read(entry.member)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, KeyError, ValueError):
        raise Rejected("unreadable", "the zip archive is damaged or encrypted; unpack it first") from None


def _looked_at(source: Path, pool: Executor | None) -> Iterator[list[Entry]]:
    """What lies below a folder, a batch of files after the other, in the order of their names."""
    paths = _walk(source)
    waiting: deque[Future[list[Entry]]] = deque()
    while batch := list(islice(paths, _BATCH)):
        if pool is None:
            yield _entries(source, batch)
            continue
        waiting.append(pool.submit(_entries, source, batch))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    for future in waiting:
        yield future.result()


def _entries(source: Path, paths: list[str]) -> list[Entry]:
    return [entry for path in paths for entry in _entries_of(source, path)]


def _entries_of(source: Path, path: str) -> list[Entry]:
    full = f"{source}/{path}"
    try:
        with open(full, "rb", buffering=0) as file:
            head = file.read(_HEAD)
    except OSError:
        return [Entry(path, "", "other", _by_place(path))]
    if head[:4] == b"PK\3\4":
        try:
            with zipfile.ZipFile(full) as archive:
                return [
                    _entry(path, info.filename, _member_head(archive, info))
                    for info in archive.infolist()
                    if not info.is_dir()
                ]
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError):
            return [Entry(path, "", "other", _by_place(path))]
    return [_entry(path, "", head)]


def _member_head(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as file:
        return file.read(_HEAD)


def _walk(source: Path) -> Iterator[str]:
    """Files below a folder in the order of their names; links to folders are not followed."""
    for folder, folders, files in os.walk(source):
        folders.sort()
        relative = os.path.relpath(folder, source).replace(os.sep, "/")
        for name in sorted(files):
            yield name if relative == "." else f"{relative}/{name}"


def _entry(path: str, member: str, head: bytes) -> Entry:
    name = f"{path}/{member}" if member else path
    kind = _kind(name.lower(), head)
    patient = reading.patient_of(head) if kind == "dicom" else None
    return Entry(path, member, kind, _by_place(name) if patient is None else patient)


def _kind(name: str, head: bytes) -> Kind:
    if reading.is_dicom(head):
        return "dicom"
    if name.endswith((".hdr", ".img", ".hdr.gz", ".img.gz")):
        return "pair"
    for suffixes, kind in ((".json", "json"), (_TABLES, "table"), (_NUMBERS, "numbers")):
        if name.endswith(suffixes):
            return kind
    if name.endswith((".nii", ".nii.gz")) or (format_of(head) == "nifti" and not head.startswith(b"\x1f\x8b")):
        return "nifti"
    return "picture" if name.endswith(_PICTURES) else "other"


def _by_place(name: str) -> str:
    """Whose a file is that does not say so: its BIDS subject, else its outermost folder, else nobody's but its own.

    Folders that only sort files by kind or role do not count: images/17.nii.gz and labels/17.nii.gz are one patient's.
    """
    match = _SUBJECT.search(name)
    if match:
        return f"sub-{match[1]}"
    *folders, last = name.split("/")
    for folder in folders:
        if folder.lower() not in _SORTING:
            return folder
    return COMMON if last.lower().endswith(_TABLES) or last == "dataset_description.json" else last.split(".")[0]
