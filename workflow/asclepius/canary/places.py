"""What the path of a file says: design and shuffle."""

import re
from pathlib import Path

from asclepius.errors import StudyError

SHUFFLE = re.compile(r"/shuffle-(\d+)/")
DESIGN = re.compile(r"/(fair|naive)/shuffle-\d+/")


def shuffle_of(path: Path) -> int:
    """Number of the shuffle a file belongs to."""
    return int(_found(SHUFFLE, path, "shuffle-<s>/"))


def design_of(path: Path) -> str:
    """fair or naive."""
    return _found(DESIGN, path, "<design>/shuffle-<s>/")


def _found(pattern: re.Pattern, path: Path, place: str) -> str:
    found = pattern.search(Path(path).as_posix())
    if found is None:
        raise StudyError(f"canary: {path} does not lie in {place}")
    return found[1]
