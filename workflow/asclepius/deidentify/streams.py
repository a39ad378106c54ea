"""Files read and written in pieces, gzip-compressed (RFC 1952) or as they are."""

import zlib
from typing import BinaryIO, Protocol

from isal import isal_zlib

from asclepius.errors import Rejected

GZIP = b"\x1f\x8b"
LEVEL = 3
CHUNK = 1 << 20  # bytes


class Stream(Protocol):
    """Anything with bytes to read."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""


class Plain:
    """A file whose first bytes have been looked at."""

    def __init__(self, seen: bytes, file: BinaryIO):
        self._seen, self._file = seen, file

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        if self._seen:
            seen, self._seen = self._seen[:size], self._seen[size:]
            return seen
        return self._file.read(size)


class Gzip:
    """The content of a gzip file (RFC 1952), all members; `behind` holds what follows the last one."""

    def __init__(self, file: Stream):
        self._file = file
        self._raw = b""
        self._stream = None
        self.behind = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end.

        Raises:
            Rejected: cut short or damaged.
        """
        while not self.behind:
            if self._stream is None and not self._member():
                break
            self._raw = self._raw or self._file.read(CHUNK)
            try:
                data = self._stream.decompress(self._raw, size)
            except isal_zlib.error:
                raise Rejected("unreadable", "the gzip compression is damaged") from None
            if self._stream.eof:
                self._raw, self._stream = self._stream.unused_data, None
            elif not (data or self._raw):
                raise Rejected("truncated", "the gzip file ends too early")
            else:
                self._raw = self._stream.unconsumed_tail
            if data:
                return data
        return b""

    def _member(self) -> bool:
        if len(self._raw) < 10:
            self._raw += self._file.read(CHUNK)
        if self._raw[:2] != GZIP:
            self.behind = self._raw
            return False
        self._stream = isal_zlib.decompressobj(wbits=31)
        return True


class Sink:
    """Where the cleaned file goes, compressed or as it is. zlib, whose bytes depend on no CPU."""

    def __init__(self, target: BinaryIO, packed: bool):
        self._target = target
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, 31) if packed else None

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._target.write(self._packer.compress(data) if self._packer else data)

    def end(self) -> None:
        """Write what the compression still holds back."""
        if self._packer:
            self._target.write(self._packer.flush())


def opened(source: BinaryIO) -> tuple[Stream, bool, bool]:
    """A file's content, whether it is gzip-compressed, and whether that names a file, time or comment."""
    seen = source.read(10)
    plain = Plain(seen, source)
    if seen[:2] != GZIP:
        return plain, False, False
    return Gzip(plain), True, any(seen[3:8])


def read(stream: Stream, size: int) -> bytes:
    """As many bytes as there are, `size` at most."""
    parts = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
