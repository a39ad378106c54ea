"""The way back: pseudonyms and what they stand for, encrypted under the study's key.

A file is a line that names the format, then frames: length (4 bytes), nonce (12), AES-256-GCM ciphertext of JSON lines
[kind, original, pseudonym]. A frame's number is authenticated with it, so that none can be dropped, moved or repeated
unseen. The nonce is drawn from the plain text by HMAC: the same rows give the same bytes, other rows another nonce.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from asclepius import keys
from asclepius.errors import StudyError

_FORMAT = b"asclepius crosswalk 1\n"
Row = tuple[str, str, str]  # kind (patient, days, uid, image), original, pseudonym


class Crosswalk:
    """Writes or reads one crosswalk file.

    Args:
        path: need not exist; readable by its owner alone when made.
        master: the study's key.
    """

    def __init__(self, path: Path, master: bytes):
        self.path = Path(path)
        self._cipher = AESGCM(keys.derive(master, "crosswalk"))
        self._nonce = keys.derive(master, "crosswalk nonce")
        self._frames: int | None = None

    def start(self) -> None:
        """An empty crosswalk in the place of any older one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_FORMAT)
        self._frames = 0

    def append(self, rows: Iterable[Row]) -> None:
        """One frame more.

        Raises:
            StudyError: the existing file is of another key, or damaged.
        """
        text = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows).encode()
        if not text:
            return
        if self._frames is None:
            if self.path.exists():
                self._frames = sum(1 for _ in self._read_frames())
            else:
                self.start()
        number = self._frames.to_bytes(8, "big")
        nonce = hmac.new(self._nonce, number + text, hashlib.sha256).digest()[:12]
        sealed = self._cipher.encrypt(nonce, text, _FORMAT + number)
        with open(self.path, "ab") as file:
            file.write(len(sealed).to_bytes(4, "big") + nonce + sealed)
        self._frames += 1

    def rows(self) -> Iterator[Row]:
        """All rows.

        Raises:
            StudyError: no such file, another key, or damaged.
        """
        for text in self._read_frames():
            for line in text.splitlines():
                yield tuple(json.loads(line))

    def _read_frames(self) -> Iterator[bytes]:
        if not self.path.exists():
            raise StudyError(f"{self.path}: no crosswalk there; was it switched off (deidentify.crosswalk)?")
        with open(self.path, "rb") as file:
            if file.read(len(_FORMAT)) != _FORMAT:
                raise StudyError(f"{self.path}: not a crosswalk of Asclepius")
            number = 0
            while head := file.read(16):
                length = int.from_bytes(head[:4], "big")
                try:
                    yield self._cipher.decrypt(head[4:], file.read(length), _FORMAT + number.to_bytes(8, "big"))
                except (InvalidTag, ValueError):
                    raise StudyError(
                        f"{self.path}: cannot be opened: the key is of another study, or the file was changed"
                    ) from None
                number += 1
