"""A folder that its owner alone can read."""

import os
from pathlib import Path

from asclepius.errors import StudyError


class PrivateFolder:
    """Writes files of mode 0600 into folders of mode 0700.

    Raises:
        StudyError: the folder already holds something; what it holds could pass for part of the cohort.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise StudyError(f"{path}: is not an empty folder; name a new one, or remove it first")
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def write(self, relative: str, data: bytes) -> None:
        """Write a new file; folders on its way are made."""
        self._make((self.path / relative).parent)
        handle = os.open(self.path / relative, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)

    def _make(self, folder: Path) -> None:
        if not folder.exists():
            self._make(folder.parent)
            folder.mkdir(mode=0o700)
