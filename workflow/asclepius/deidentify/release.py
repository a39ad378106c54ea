"""The container of released files: an uncompressed zip with nothing in it that tells of the source."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asclepius.tables import replacing

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold; the same input gives the same bytes


class Release:
    """Writes members one after the other; a failed image's members are taken back."""

    def __init__(self, archive: zipfile.ZipFile):
        self._archive = archive

    @classmethod
    @contextmanager
    def writing(cls, path: Path) -> Iterator["Release"]:
        """The container takes its place only if the block ends well."""
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            yield cls(archive)

    def add(self, name: str, data: bytes) -> None:
        info = zipfile.ZipInfo(name, _DATE)
        info.create_system = 3
        info.external_attr = 0o644 << 16
        self._archive.writestr(info, data)

    def mark(self) -> tuple[int, int]:
        """The present end, to come back to."""
        return len(self._archive.filelist), self._archive.start_dir

    def rollback(self, mark: tuple[int, int]) -> None:
        """Forget all members added since the mark; their bytes are cut off the file."""
        count, offset = mark
        for info in self._archive.filelist[count:]:
            del self._archive.NameToInfo[info.filename]
        del self._archive.filelist[count:]
        self._archive.start_dir = offset
        self._archive.fp.seek(offset)
        self._archive.fp.truncate()
