"""Pseudonyms: keyed, the same in any process and order, nothing remembered between runs."""

import hashlib
import hmac

from asclepius import keys

LONGEST_SHIFT = 3650  # days


class Pseudonyms:
    """All new names of a study; each kind has its own derived key.

    Args:
        master: the study's 32-byte key.
    """

    def __init__(self, master: bytes):
        self._image, self._patient, self._site, self._uid, self._date = (
            keys.derive(master, purpose) for purpose in ("image", "patient", "site", "uid", "date")
        )
        self._uids: dict[str, str] = {}

    def image(self, source: str) -> str:
        """16 hexadecimal digits."""
        return keys.token(self._image, source)

    def patient(self, patient: str) -> str:
        """P- and 10 hexadecimal digits."""
        return f"P-{keys.token(self._patient, patient, 10)}"

    def site(self, site: str | None) -> str | None:
        """S- and 4 hexadecimal digits."""
        return None if site is None else f"S-{keys.token(self._site, site, 4)}"

    def days(self, patient: str) -> int:
        """How many days all dates of a patient move back: 1 to 3650."""
        return 1 + keys.number(self._date, patient, LONGEST_SHIFT)

    def taken(self) -> list[tuple[str, str]]:
        """Old and new UIDs since the last call."""
        pairs = list(self._uids.items())
        self._uids.clear()
        return pairs

    def uid(self, uid: str) -> str:
        """A UUID-derived UID (PS3.5 annex B.2): equal for equal UIDs, so references between files stay."""
        found = self._uids.get(uid)
        if found is None:
            value = int.from_bytes(hmac.new(self._uid, uid.encode(), hashlib.sha256).digest()[:16], "big")
            # Version and variant bits of a name-based UUID (RFC 9562, version 8).
            value = value & ~(0xF000 << 64) | 0x8000 << 64
            value = value & ~(0xC000 << 48) | 0x8000 << 48
            found = self._uids[uid] = f"2.25.{value}"
        return found
