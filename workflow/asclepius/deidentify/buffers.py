"""Files as bytes: small ones read at once, others mapped, so that nothing is copied and memory stays flat."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

Buffer = bytes | mmap.mmap
MAPPED = 4 << 20  # bytes; reading less is faster than mapping it
CHUNK = 16 << 20


@contextmanager
def opened(path: Path | str) -> Iterator[Buffer]:
    """A file's bytes while the block runs."""
    with open(path, "rb", buffering=0) as file, read_back(file) as data:
        yield data


@contextmanager
def read_back(file: BinaryIO) -> Iterator[Buffer]:
    """All bytes of an open file while the block runs."""
    size = file.seek(0, 2)
    file.seek(0)
    if size < MAPPED:
        yield file.read(size)
        return
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        yield mapped
    finally:
        with suppress(BufferError):  # a view is alive in an exception's traceback; the mapping goes with it
            mapped.close()


def chunks(view: memoryview, overlap: int = 0) -> Iterator[memoryview]:
    """A long value in pieces; pages of a mapped file that were read are given back."""
    for at in range(0, len(view), CHUNK):
        yield view[at : at + CHUNK + overlap]
        if len(view) > CHUNK and isinstance(view.obj, mmap.mmap):
            view.obj.madvise(mmap.MADV_DONTNEED)
