"""What the path of a file says: recipe and fold, or arm."""

import re
from pathlib import Path

from asclepius.errors import StudyError

BALANCED = re.compile(r"(?:^|/)balance/(?P<recipe>[^/]+)/fold-(?P<fold>\d+)/[^/]+$")
TRAINED = re.compile(r"(?:^|/)train/(?P<arm>[^/]+)/pack-\d+/[^/]+$")


def recipe_of(path: Path) -> tuple[str, int]:
    """Recipe and fold of a file of the balance stage.

    Raises:
        StudyError: the path is not .../balance/<recipe>/fold-<k>/<file>.
    """
    found = BALANCED.search(Path(path).as_posix())
    if found is None:
        raise StudyError(f"audit: {path} does not lie in balance/<recipe>/fold-<k>/, so its fold is unknown")
    return found["recipe"], int(found["fold"])


def arm_of(path: Path) -> str:
    """The arm of a file of the train stage.

    Raises:
        StudyError: the path is not .../train/<arm>/pack-<p>/<file>.
    """
    found = TRAINED.search(Path(path).as_posix())
    if found is None:
        raise StudyError(f"audit: {path} does not lie in train/<arm>/pack-<p>/, so its arm is unknown")
    return found["arm"]
