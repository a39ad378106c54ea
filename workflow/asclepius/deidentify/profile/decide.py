"""What happens to a DICOM attribute: table E.1-1 of PS3.15 with the chosen options, then rules by value representation.

The table says of itself that it is not sufficient (E.1), so every attribute that it does not list is treated by its
value representation.
"""

from dataclasses import dataclass
from enum import Enum, auto
from functools import cache

from pydicom.datadict import dictionary_VR, keyword_for_tag

from asclepius.deidentify.profile.tables import Attribute, attribute_type, attributes, plain_text


class Treatment(Enum):
    """What is done to one attribute."""

    KEEP = auto()
    REMOVE = auto()
    EMPTY = auto()
    DUMMY = auto()
    PSEUDONYM = auto()
    UID = auto()
    DATE = auto()
    TIME = auto()  # kept if it is a time, else emptied
    AGE = auto()
    TEXT = auto()  # identifiers leave it
    CLEAN = auto()  # identifiers leave it, and every word that is not known to be harmless
    TERM = auto()  # a coded string: terms that identify leave it
    NUMBER = auto()  # emptied if it is no number
    BULK = auto()  # binary, kept if no identifier stands in it
    SEQUENCE = auto()  # its items are treated one by one
    CONTENT = auto()  # content items of a structured report, by their concept


# The standard's action codes, as the audit shows them.
CODE = {
    Treatment.REMOVE: "X",
    Treatment.EMPTY: "Z",
    Treatment.DUMMY: "D",
    Treatment.PSEUDONYM: "D",
    Treatment.UID: "U",
}


@dataclass(frozen=True)
class Decision:
    """Args:
    treatment: what is done.
    keyword: the attribute's name for the audit, e.g. PatientBirthDate; "private" for private elements.
    needed: the object's definition asks for a value (type 1): what would be emptied gets a dummy.
    """

    treatment: Treatment
    keyword: str
    needed: bool = False


_PSEUDONYMS = frozenset({"PatientID", "PatientName"})
LONG_TEXT = frozenset({"LT", "ST", "UC", "UT"})
SHORT_TEXT = frozenset({"LO", "SH"})
TEXTUAL = LONG_TEXT | SHORT_TEXT | {"CS"}
NUMERIC = frozenset({"DS", "IS"})
BINARY = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "US or SS", "US or SS or OW", "US or OW"})
BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "UN"})
_GONE = frozenset({"AE", "PN", "UR"})
# Bulk data that an object is made of: waveforms, look-up tables, surfaces, pixels.
_BULK_GROUPS = (0x0028, 0x5400, 0x0066, 0x7FE0)
# Names of firms: a patient called Siemens does not take them away.
_MAKERS = frozenset({"Manufacturer", "ManufacturerModelName"})


@cache
def standard_vr(tag: int) -> str | None:
    """The value representation of the data dictionary (PS3.6); None for a tag that it does not hold."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return None


class Policy:
    """The profile with its options, as one decision per attribute.

    Args:
        options: of `options.Option`.
        strict: unlisted text stays only where it is known to say how the picture was made.
    """

    def __init__(self, options: frozenset[str], *, strict: bool = False):
        self.options = options
        self.strict = strict
        self.dated = "full_dates" if "full_dates" in options else "modified_dates"
        self.keeps_dates = bool(options & {"full_dates", "modified_dates"})
        self.keeps_uids = "uids" in options
        self._known: dict[tuple[int, str, str, bool], Decision] = {}

    def decide(self, tag: int, vr: str, sop_class: str, *, nested: bool = False) -> Decision:
        """What happens to an attribute.

        Args:
            tag: group and element as one number.
            vr: value representation found in the file, or that of the dictionary where the file has none.
            sop_class: of the object: whether it needs the attribute depends on its definition.
            nested: in an item of a sequence.
        """
        key = (tag, vr, sop_class, nested)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._decide(tag, vr, sop_class, nested)
        return found

    def _decide(self, tag: int, vr: str, sop_class: str, nested: bool) -> Decision:
        group = tag >> 16
        if group % 2:
            return Decision(Treatment.REMOVE, "private")
        if tag & 0xFFFF == 0:
            return Decision(Treatment.REMOVE, "group length")
        keyword = keyword_for_tag(tag)
        # Command set, file meta (rebuilt), directory, curves, overlays: PS3.15 table E.1-1 and PS3.5.
        if group < 0x0008 or 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF:
            return Decision(Treatment.REMOVE, keyword or f"group {group:04x}")
        known = standard_vr(tag)
        if known is None:
            return Decision(Treatment.REMOVE, "not in the dictionary")
        if keyword in _PSEUDONYMS:
            return Decision(Treatment.PSEUDONYM, keyword)
        row = attributes().get(tag)
        if row is None:
            return Decision(self._unlisted(keyword, group, known, vr), keyword)
        kind = attribute_type(sop_class, tag, nested=nested) if "/" in row.basic else "3"
        return Decision(self._listed(row, known, vr, kind), keyword or row.name, needed=kind in ("1", "1C"))

    def _listed(self, row: Attribute, known: str, vr: str, kind: str) -> Treatment:
        """By the table; where two options speak, the one that takes more away is followed."""
        said = {row.options[option] for option in self.options if option in row.options}
        if self.dated in self.options and self.dated in row.options and known in ("DA", "DT", "TM"):
            return _time(known, full=self.dated == "full_dates")
        action = _simple(row.basic, kind, strict=self.strict)
        if said & {"C", "K"}:
            retained = self._retained(row, known, vr, clean="C" in said)
            gone = retained in (Treatment.REMOVE, Treatment.EMPTY)
            return Treatment.DUMMY if gone and action == "D" else retained
        if action == "U":
            if self.keeps_uids:
                return Treatment.KEEP
            return Treatment.SEQUENCE if "SQ" in (known, vr) else Treatment.UID
        if row.keyword == "EncapsulatedDocument":
            return Treatment.DUMMY
        return {"X": Treatment.REMOVE, "Z": Treatment.EMPTY, "D": Treatment.DUMMY}[action]

    def _retained(self, row: Attribute, known: str, vr: str, *, clean: bool) -> Treatment:
        if row.keyword == "ContentSequence":
            return Treatment.CONTENT
        if (known == "SQ") != (vr == "SQ"):
            return Treatment.REMOVE
        if known == "SQ":
            return Treatment.SEQUENCE
        if known == "UI":
            return Treatment.KEEP if not clean else Treatment.UID
        if known in ("DA", "DT", "TM"):
            return Treatment.EMPTY if not self.keeps_dates else _time(known, full=self.dated == "full_dates")
        if known == "PN":
            return Treatment.EMPTY
        if known in BULK:
            return Treatment.REMOVE
        if known in LONG_TEXT | SHORT_TEXT:
            return Treatment.CLEAN if clean else Treatment.TEXT
        return self._unlisted(row.keyword, row.tag >> 16, known, vr)

    def _unlisted(self, keyword: str, group: int, known: str, vr: str) -> Treatment:
        """A file may claim another VR than the dictionary's: the more careful of the two counts."""
        pair = (vr, known)
        if "SQ" in pair:
            # What only one of both calls a sequence cannot be walked, or hides one.
            return Treatment.SEQUENCE if vr == known else Treatment.REMOVE
        if keyword == "SpecificCharacterSet":
            return Treatment.KEEP
        for name in pair:
            if name in _GONE:
                return Treatment.REMOVE if name == "UR" else Treatment.EMPTY
            if name == "UI":
                return Treatment.KEEP if self.keeps_uids and vr == known else Treatment.UID
            if name == "AS":
                return Treatment.AGE if "patient_characteristics" in self.options else Treatment.EMPTY
            if name in ("DA", "DT", "TM"):
                if not self.keeps_dates:
                    return Treatment.EMPTY
                return _time(name, full=self.dated == "full_dates")
        return self._value(keyword, group, known, vr)

    def _value(self, keyword: str, group: int, known: str, vr: str) -> Treatment:
        if known in BULK or vr in BULK:
            fits = group in _BULK_GROUPS and (vr in BULK or vr in BINARY) and (known in BULK or known in BINARY)
            return Treatment.BULK if fits else Treatment.REMOVE
        if known in TEXTUAL and vr in BINARY:
            return Treatment.REMOVE
        if vr in TEXTUAL or known in TEXTUAL:
            if self.strict and keyword not in plain_text():
                return Treatment.EMPTY
            if vr == known == "CS" or keyword in _MAKERS:
                return Treatment.TERM
            if keyword == "CodeMeaning":
                return Treatment.CLEAN
            return Treatment.CLEAN if known in LONG_TEXT or vr in LONG_TEXT else Treatment.TEXT
        if vr in NUMERIC or known in NUMERIC:
            return Treatment.NUMBER
        return Treatment.BULK


def _time(vr: str, *, full: bool) -> Treatment:
    """Days move; times of day stay, so that the minutes between tracer and scan do."""
    if vr == "TM":
        return Treatment.TIME
    return Treatment.TIME if full else Treatment.DATE


def _simple(action: str, kind: str, *, strict: bool) -> str:
    """A compound code by the attribute's type in the object (PS3.15 table E.1-1a): as much goes as may go.

    References to other images (X/Z/U*) stay, with new UIDs, unless the preset is strict: series belong together.
    """
    if action in ("X", "Z", "D", "U"):
        # Types 1 and 2 ask for the element all the same: a legal file is worth an empty or dummy value.
        return action
    if action == "X/Z/U*":
        return "U" if not strict or kind in ("1", "1C") else "Z" if kind in ("2", "2C") else "X"
    codes = action.split("/")
    wanted = {"1": "D", "1C": "D", "2": "Z", "2C": "Z"}.get(kind, "X")
    order = ["X", "Z", "D"]
    return next((code for code in order[order.index(wanted) :] if code in codes), codes[-1])
