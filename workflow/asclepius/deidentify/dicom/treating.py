"""The new value of one element, by its treatment."""

import re

from asclepius.deidentify import values
from asclepius.deidentify.dicom.characters import decode, encode, readings
from asclepius.deidentify.dicom.syntax import Element
from asclepius.deidentify.patient import Patient
from asclepius.deidentify.profile.decide import BINARY, BULK, LONG_TEXT, NUMERIC, SHORT_TEXT, Decision, Treatment
from asclepius.deidentify.text.words import is_term

_TEXTS = frozenset({Treatment.TEXT, Treatment.CLEAN, Treatment.TERM})
_WORDS = LONG_TEXT | SHORT_TEXT | {"PN", "UR"}


# Beyond what PS3.5 allows in coded strings; lower case is common and harmless.
_UNLAWFUL = re.compile(r"[^ -~]")


class Values:
    """Finds new values.

    Args:
        patient: whose file it is.
    """

    def __init__(self, patient: Patient):
        self._patient = patient

    def new(self, element: Element, decision: Decision, encodings: tuple[str, ...], hollow: bool) -> bytes | None:
        """The new value; None where the old one stays.

        Args:
            hollow: text gives way to a dummy.
        """
        old, vr = element.value, element.vr
        treatment = decision.treatment
        if treatment is Treatment.PSEUDONYM:
            return self._patient.name.encode()
        if treatment is Treatment.DUMMY:
            return values.dummy(vr)
        if not old or treatment is Treatment.KEEP:
            return None
        if hollow and vr in _WORDS:
            return values.dummy(vr)
        new = self._changed(treatment, vr, old, encodings)
        if new is None or new == old:
            return None
        # The object may ask for a text: one that is emptied says that it was there.
        return values.dummy(vr) if not new and (decision.needed or treatment in _TEXTS) else new

    def private(self, element: Element, encodings: tuple[str, ...]) -> bytes | None:
        """The new value of a safe private element; None where the old one stays, empty if it must go."""
        vr = element.vr
        if vr in BINARY | BULK:
            treatment = Treatment.BULK
        elif vr in NUMERIC:
            treatment = Treatment.NUMBER
        elif vr in ("DA", "DT", "TM"):
            treatment = Treatment.TIME if vr == "TM" else Treatment.DATE
        elif vr == "UI":
            treatment = Treatment.UID
        elif vr in ("PN", "AS", "AE", "UR"):
            return b""
        else:
            treatment = Treatment.TEXT
        return self._changed(treatment, vr, element.value, encodings)

    def _changed(self, treatment: Treatment, vr: str, old: bytes, encodings: tuple[str, ...]) -> bytes | None:
        """The new value, or None for the old one."""
        patient = self._patient
        if treatment is Treatment.EMPTY:
            return b""
        if treatment is Treatment.BULK:
            return b"" if patient.identifiers.in_bulk(old) else None
        text = decode(old, encodings, vr)
        if treatment is Treatment.UID:
            uids = [uid.strip(" \0") for uid in text.split("\\")]
            new = "\\".join(patient.uid(uid) if uid else "" for uid in uids)
            return None if new == text else new.encode("ascii", "ignore")
        if treatment is Treatment.DATE:
            if "full_dates" in patient.policy.options:
                return None if values.is_moment(text) else b""
            return values.shifted(text, patient.days).encode()
        if treatment is Treatment.TIME:
            fits = values.is_time(text) if vr == "TM" else values.is_moment(text)
            return None if fits else b""
        if treatment is Treatment.AGE:
            new = values.capped(text)
            return None if new == text else new.encode()
        if treatment is Treatment.NUMBER:
            return None if values.is_number(text) else b""
        if treatment is Treatment.TERM:
            return self._term(text, old)
        return self._text(treatment, vr, old, encodings)

    def _term(self, text: str, old: bytes) -> bytes | None:
        terms = text.split("\0")[0].split("\\")
        kept = [
            term
            for term in terms
            if is_term(term) or not (_UNLAWFUL.search(term) or self._patient.text.identifies(term))
        ]
        return None if kept == text.split("\\") else "\\".join(kept).encode("ascii")

    def _text(self, treatment: Treatment, vr: str, old: bytes, encodings: tuple[str, ...]) -> bytes | None:
        """Free text; its several values one by one, and in every reading that a wrong character set allows."""
        whole, *others = readings(old, encodings, vr)
        change = self._patient.text.cleaned if treatment is Treatment.CLEAN else self._patient.text.scanned
        if any(self._patient.text.identifies(other) for other in others) and change(whole) is whole:
            return b""
        stated = whole.split("\0")[0]  # what stands behind the end of a text is nobody's
        parts = [stated] if vr in ("LT", "ST", "UT") else stated.split("\\")
        new = [change(part) for part in parts]
        if stated == whole and all(one is other for one, other in zip(new, parts, strict=True)):
            return None
        return encode("\\".join(new), encodings)
