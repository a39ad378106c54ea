"""Walking a source's folder and naming what lies in it."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from asclepius.errors import StudyError

# What people keep beside images: no word is lost about a file with one of these endings.
TEXTS = (".csv", ".tsv", ".txt", ".json", ".xml", ".md", ".rst", ".html", ".htm", ".pdf", ".log", ".yaml", ".yml")
OFFICE = (".doc", ".docx", ".xls", ".xlsx", ".ini", ".db", ".py", ".ipynb", ".bval", ".bvec")
ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".7z", ".rar")
SIDE_FILES = frozenset((*TEXTS, *OFFICE, *ARCHIVES))
PICTURES = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"))
VOLUMES = (".nii.gz", ".nii")
SKIPPED_FOLDERS = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN"))

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass
class Tally:
    """What was passed over without a word per file: counts by ending."""

    endings: Counter = field(default_factory=Counter)

    def skip(self, name: str) -> None:
        self.endings[suffix(name) or "no ending"] += 1

    def __str__(self) -> str:
        return ", ".join(f"{count} × {ending}" for ending, count in sorted(self.endings.items()))


def walk(folder: Path) -> Iterator[str]:
    """Every file below a folder as a sorted relative path with "/"; hidden ones, loops of links and pipes left out.

    Raises:
        StudyError: the folder does not exist, is a file or cannot be listed.
    """
    seen: set[tuple[int, int]] = set()

    def visit(path: str, prefix: str) -> Iterator[str]:
        found = os.stat(path)
        if (found.st_dev, found.st_ino) in seen:
            return
        seen.add((found.st_dev, found.st_ino))
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in SKIPPED_FOLDERS:
                continue
            if entry.is_file(follow_symlinks=False):  # known without a look at the disk
                yield prefix + entry.name
            elif os.path.isdir(entry.path):
                yield from visit(entry.path, f"{prefix}{entry.name}/")
            elif os.path.isfile(entry.path) or not os.path.exists(entry.path):  # no pipe, which would never end
                yield prefix + entry.name

    if not Path(folder).is_dir():
        what = "is a file, not a folder" if Path(folder).exists() else "does not exist"
        raise StudyError(f"{folder}: {what}; check cohort.path and cohort.images in config.yaml")
    try:
        yield from visit(str(folder), "")
    except OSError as error:
        raise StudyError(f"{error.filename}: cannot be listed ({error.strerror}); mend its permissions") from None


def locate(path: Path, images: str | None) -> tuple[Path, str]:
    """The folder to walk and what stands before its paths to make them relative to `path`: "" or "images/"."""
    below = (images or "").strip("/")
    return (path / below, f"{below}/") if below else (path, "")


def file_list(paths: list[str], prefix: str) -> str:
    """The manifest's `files` cell; ASCII, so that names of any encoding come back as they were."""
    return json.dumps([prefix + path for path in paths])


def printable(name: str) -> str:
    """A path as valid text: bytes of another encoding, which a table cannot hold, become \\x escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def suffix(name: str) -> str:
    """The ending in lower case, ".nii.gz" as one."""
    low = name.lower()
    return ".nii.gz" if low.endswith(".nii.gz") else PurePosixPath(low).suffix


def stem(path: str) -> str:
    """A path without the ending of an image; any other dot is part of the name (1.2.840.113 is no ending)."""
    end = suffix(path)
    if end in PICTURES or end in VOLUMES or end in (".dcm", ".dicom", ".ima"):
        return path[: -len(end)]
    return path


def split_folders(paths: list[str]) -> bool:
    """Whether the first folders are an official split: all of them are, or at least two roles are there."""
    first = {path.split("/", 1)[0].lower() for path in paths if "/" in path}
    roles = {SPLITS[name] for name in first if name in SPLITS}
    return len(roles) >= 2 or (bool(roles) and first <= SPLITS.keys())


def layout(paths: list[str]) -> tuple[list[str | None], list[str | None]]:
    """(official role, class) of each path, from `class/...` or `split/class/...`.

    The role is None without a split; the class is None for a file that lies in no class folder.
    """
    official: list[str | None] = []
    classes: list[str | None] = []
    split = split_folders(paths)
    for path in paths:
        parts = path.split("/")
        role = SPLITS.get(parts[0].lower()) if split and len(parts) > 1 else None
        official.append(role)
        below = parts[1:] if role else parts
        outside = split and role is None
        classes.append(printable(below[0]) if len(below) > 1 and not outside else None)
    return official, classes
