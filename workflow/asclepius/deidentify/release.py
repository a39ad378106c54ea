"""Where released files go: a container per shard, or a tree of files. What lies there has stood its proof."""

import os
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from asclepius.deidentify.buffers import CHUNK, Buffer, chunks, read_back
from asclepius.errors import Rejected
from asclepius.tables import replacing

LARGE = 64 << 20  # bytes; more is not held in memory
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold; the same input gives the same bytes
Part = bytes | memoryview
Proof = Callable[[Buffer], None]


class Release(Protocol):
    """Takes files one after the other; those since a mark can be taken back."""

    def add(self, name: str, parts: Sequence[Part], prove: Proof) -> None:
        """Write a file, prove what was written, and only then let it be seen.

        Raises:
            Rejected: the proof failed; nothing of the file is left.
        """

    def mark(self) -> object: ...

    def rollback(self, mark: object) -> None: ...


@contextmanager
def all_or_none(release: Release, told: set[str]) -> Iterator[None]:
    """What the block adds stays only if the block ends well.

    Args:
        told: kinds of unforeseen errors that the log has shown; a program's mistake can meet every file.

    Raises:
        Rejected: the block's own, or for an error that nobody foresaw.
    """
    mark = release.mark()
    try:
        yield
    except (Rejected, OSError, ImportError, MemoryError):  # a full disk is no fault of the image
        release.rollback(mark)
        raise
    except Exception as error:
        release.rollback(mark)
        kind = type(error).__name__
        if kind not in told:
            told.add(kind)
            traceback.print_exc()
        raise Rejected("unreadable", f"the file is damaged in an unforeseen way ({kind}); see the log") from None


class Container:
    """An uncompressed zip with nothing in it that tells of the source."""

    def __init__(self, archive: zipfile.ZipFile):
        self._archive = archive

    @classmethod
    @contextmanager
    def writing(cls, path: Path) -> Iterator["Container"]:
        """The container takes its place only if the block ends well."""
        with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            yield cls(archive)

    def add(self, name: str, parts: Sequence[Part], prove: Proof) -> None:
        info = zipfile.ZipInfo(name, _DATE)
        info.create_system = 3
        info.external_attr = 0o644 << 16
        if sum(map(len, parts)) <= LARGE:
            data = b"".join(parts)
            prove(data)
            self._archive.writestr(info, data)
            return
        folder = Path(self._archive.filename).parent
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            _write(file, parts)
            info.file_size = file.tell()
            with read_back(file) as data:
                prove(data)
                with memoryview(data) as view, self._archive.open(info, "w", force_zip64=True) as member:
                    for chunk in chunks(view):
                        member.write(chunk)
                        chunk.release()

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


class Tree:
    """A folder of files, each renamed into its place after its proof.

    Args:
        folder: existing.
    """

    def __init__(self, folder: Path):
        self._folder = str(folder)
        self._made: set[str] = set()
        self._added: list[str] = []

    @classmethod
    @contextmanager
    def writing(cls, path: Path) -> Iterator["Tree"]:
        """The folder takes its place, and that of an older one, only if the block ends well."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as temporary:
            folder = Path(temporary) / "release"
            folder.mkdir()
            yield cls(folder)
            if path.exists():
                path.rename(Path(temporary) / "older")
            folder.rename(path)

    def add(self, name: str, parts: Sequence[Part], prove: Proof) -> None:
        path = f"{self._folder}/{name}"
        parent, _, last = path.rpartition("/")
        if parent not in self._made:
            os.makedirs(parent, exist_ok=True)
            for left in Path(parent).glob(".*.part"):  # of a run that was killed
                left.unlink()
            self._made.add(parent)
        temporary = f"{parent}/.{last}.{os.getpid()}.part"
        try:
            with open(temporary, "w+b", buffering=0) as file:
                _write(file, parts)
                with read_back(file) as data:
                    prove(data)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._added.append(path)

    def mark(self) -> int:
        return len(self._added)

    def rollback(self, mark: int) -> None:
        for path in self._added[mark:]:
            Path(path).unlink(missing_ok=True)
        del self._added[mark:]

    def forget(self) -> None:
        """What was added so far stays."""
        self._added.clear()


def _write(file: BinaryIO, parts: Sequence[Part]) -> None:
    total = sum(map(len, parts))
    if total <= CHUNK and os.writev(file.fileno(), parts) == total:
        return
    file.seek(0)
    for part in parts:
        for chunk in chunks(memoryview(part)):
            done = 0
            while done < len(chunk):  # a write may be cut short, by a signal or a full disk
                done += file.write(chunk[done:])
