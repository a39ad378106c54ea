"""The study's secret key and what is derived from it."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from asclepius.errors import StudyError

# The phantom's patients do not exist: its key is published so that its results can be repeated anywhere.
DEMONSTRATION = hashlib.sha256(b"asclepius phantom demonstration key").digest()


def default_path(study: str) -> Path:
    """Where a study's key lies unless `deidentify.key` says otherwise."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "asclepius" / f"{study}.key"


def ensure(path: Path) -> None:
    """Make the 32-byte key once, readable by its owner alone; an existing one is left alone."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")


def load(path: Path | None) -> bytes:
    """The 32-byte master key; None stands for the phantom's published one.

    Raises:
        StudyError: the file is missing or does not hold 64 hexadecimal digits.
    """
    if path is None:
        return DEMONSTRATION
    try:
        key = bytes.fromhex(Path(path).read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise StudyError(f"{path}: the study's key is missing; restore it, or pseudonyms will change") from None
    except ValueError:
        key = b""
    if len(key) != 32:
        raise StudyError(f"{path}: not a key of 64 hexadecimal digits; restore it from your backup")
    return key


def derive(master: bytes, purpose: str) -> bytes:
    """A separate 32-byte key for one purpose (RFC 5869), so that pseudonyms of one kind tell nothing of another."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=b"asclepius", info=purpose.encode()).derive(master)


def token(key: bytes, value: str, length: int = 16) -> str:
    """A keyed pseudonym: `length` hexadecimal digits of HMAC-SHA256 (RFC 2104) of the value."""
    return hmac.new(key, value.encode("utf-8"), hashlib.sha256).hexdigest()[:length]


def number(key: bytes, value: str, modulus: int) -> int:
    """A keyed number below `modulus`, e.g. a patient's shard or date offset."""
    return int.from_bytes(hmac.new(key, value.encode("utf-8"), hashlib.sha256).digest()[:8], "big") % modulus
