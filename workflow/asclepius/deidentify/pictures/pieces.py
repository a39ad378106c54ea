"""A cleaned picture in its pieces: what stands around the pixels, and the pixels."""

from dataclasses import dataclass, field
from typing import Protocol

from asclepius.errors import Rejected

Bytes = bytes | memoryview


class Searched(Protocol):
    """What a proof asks of a patient's identifiers."""

    def in_bytes(self, data: bytes) -> list:
        """Identifiers found in raw bytes."""

    def in_bulk(self, data: Bytes) -> bool:
        """Whether compressed pixels hold an identifier too long to be there by chance."""


@dataclass
class Pieces:
    """Bytes of a file in order, each known to be pixels or not."""

    _all: list[Bytes] = field(default_factory=list)
    _told: list[Bytes] = field(default_factory=list)
    _pixels: list[Bytes] = field(default_factory=list)

    def add(self, *data: Bytes) -> None:
        """Bytes around the pixels: structure, tables, the few kept values."""
        self._all += data
        self._told += data

    def add_pixels(self, data: Bytes) -> None:
        """Pixels, compressed or not."""
        self._all.append(data)
        self._pixels.append(data)

    def extend(self, other: "Pieces") -> None:
        """All pieces of another."""
        self._all += other._all
        self._told += other._told
        self._pixels += other._pixels

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(map(len, self._all))

    def join(self) -> bytes:
        """The file."""
        return b"".join(self._all)

    def equal(self, data: bytes) -> bool:
        """Whether this is the file given, without a copy of it."""
        at, view = 0, memoryview(data)
        for piece in self._all:
            if view[at : at + len(piece)] != piece:
                return False
            at += len(piece)
        return at == len(data)

    def prove(self, identifiers: Searched) -> None:
        """Search what stands around the pixels, and the compressed pixels for what cannot be chance.

        Raises:
            Rejected: identity.
        """
        if identifiers.in_bytes(b"\0".join(self._told)) or any(map(identifiers.in_bulk, self._pixels)):
            raise Rejected("identity", "the cleaned picture still holds an identifier")
