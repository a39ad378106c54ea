"""The conformance statement that PS3.15 E.1.3 asks for, written from the code that does the work.

python -m asclepius.deidentify.conformance > docs/conformance.md
"""

import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from pydicom.charset import python_encoding
from pydicom.datadict import DicomDictionary
from pydicom.uid import UID

import asclepius
from asclepius.deidentify import pseudonyms, values
from asclepius.deidentify.dicom import encoding, reading, syntax
from asclepius.deidentify.profile import options, tables
from asclepius.deidentify.profile.decide import Decision, Policy, Treatment, standard_vr

# How an action is written: the standard's code, and what our cleaning means for that kind of value.
WORDS = {
    Treatment.KEEP: "K",
    Treatment.SEQUENCE: "K items",
    Treatment.CONTENT: "C concepts",
    Treatment.DATE: "C date",
    Treatment.TIME: "K time",
    Treatment.AGE: "C age",
    Treatment.TEXT: "C text",
    Treatment.CLEAN: "C words",
    Treatment.TERM: "C terms",
    Treatment.NUMBER: "C number",
    Treatment.BULK: "C binary",
    Treatment.UID: "U",
    Treatment.PSEUDONYM: "D pseudonym",
    Treatment.DUMMY: "D",
    Treatment.EMPTY: "Z",
    Treatment.REMOVE: "X",
}
LEGEND = {
    "K": "kept as it is",
    "K items": "the sequence stays; these rules hold for every attribute in its items, at any depth",
    "K time": "kept if it is a date or time written as the standard says; else emptied",
    "C concepts": "content items are treated by their concept name (table E.3.4-1), then by these rules",
    "C date": "days are moved back by the patient's offset, the time of day stays; what is no full date is emptied",
    "C age": f"kept up to {values.OLDEST} years, older ones become {values.OLDEST}; what is no age is emptied",
    "C text": "names, numbers, dates, addresses and the like are cut out; the rest stays",
    "C words": "as C text, and only words of a list of medical and technical terms stay",
    "C terms": "as C text, term by term",
    "C number": "kept if it is a number; else emptied",
    "C binary": "kept if none of the patient's identifiers is found in it; else emptied",
    "U": "replaced by a new UID; UIDs of the standard itself (SOP classes, transfer syntaxes …) stay",
    "D pseudonym": "replaced by the patient's pseudonym",
    "D": "replaced by a dummy value (below); in a sequence that must stay, by a dummy code or dummy text in its items",
    "Z": "emptied; where the object's definition asks for a value (type 1), a dummy instead",
    "X": "removed",
}
_TABLES = {"attributes": "E.1-1", "concepts": "E.3.4-1", "private": "E.3.10-1", "types": "attribute types of PS3.3"}
_RANK = list(LEGEND)
_DUMMIES = "AE AS CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UC UI UL UR US UT"
_SAFE_PRIVATE = "X; safe ones C"
_PRESETS = tuple(options.PRESETS)
_HOW = {
    "pixels": "text burned into the pixels is found and blanked; see Pixels",
    "faces": "faces in head MR and CT are blanked; see Pixels",
    "graphics": "overlays and curves are removed; graphic annotations of presentation states are cleaned as text",
    "structured_content": "content items by table E.3.4-1; removed items leave a dummy text, so that references stay",
    "descriptors": "free text is cleaned by identifiers, patterns and a list of words",
    "full_dates": "dates and times stay; excludes modified dates",
    "modified_dates": "whole days, one offset per patient",
    "patient_characteristics": f"sex, size, weight and the like stay; ages over {values.OLDEST} become {values.OLDEST}",
    "device": "serial numbers, stations and the like stay",
    "uids": "UIDs stay",
    "safe_private": "private attributes of table E.3.10-1, by creator, group and element; values cleaned",
    "institution": "names and addresses of institutions stay",
}


def statement() -> str:
    """The statement as Markdown: claims, options by preset, action for every attribute, and everything E.1.3 lists."""
    parts = (
        _claim(),
        _options(),
        _attributes(),
        _unlisted(),
        _dummies(),
        _references(),
        _inserted(),
        _encoding(),
        _pixels(),
        _restrictions(),
    )
    return "\n\n".join(parts) + "\n"


def policy(preset: str) -> Policy:
    """The decisions of a preset."""
    return Policy(options.PRESETS[preset], strict=preset == "strict")


def _claim() -> str:
    releases = ", ".join(f"{name} {tables.RELEASE[table]}" for table, name in _TABLES.items())
    return f"""# DICOM conformance statement: de-identification

Written by `python -m asclepius.deidentify.conformance`; do not edit. Asclepius {asclepius.__version__}.

Asclepius claims conformance to the Basic Application Level Confidentiality Profile (DICOM PS3.15 E.2) as a
de-identifier of files (PS3.10), with the options below. It is no re-identifier (E.1.2): no file holds an original
value. It opens and accepts no DICOM association.

Releases of the tables: {releases}."""


def _options() -> str:
    rows = [
        (code, meaning, *("yes" if option in options.PRESETS[preset] else "" for preset in _PRESETS), _HOW[option])
        for option, (code, meaning) in options.CODES.items()
    ]
    code, meaning = options.PROFILE
    table = _table(
        ("Code (CID 7050)", "Profile or option", *_PRESETS, "How"),
        [(code, meaning, *["yes"] * len(_PRESETS), ""), *rows],
    )
    return f"""## Options

`deidentify.options` takes any of them; presets are sets of them. Where two options speak of an attribute, cleaning goes
before keeping. The preset strict also empties text that table E.1-1 does not list, unless it is known to say how the
picture was made. Options of pixels are claimed in a file only if its pixels were cleaned.

{table}"""


def _attributes() -> str:
    policies = {preset: policy(preset) for preset in _PRESETS}
    rows = []
    for name, tag, row in _listed():
        cells = [_action(policies[preset], row, tag) for preset in _PRESETS]
        rows.append((name, row.name, row.basic, *cells))
    counts = [
        (word, *(sum(word in row[3 + column].split(" / ") for row in rows) for column in range(len(_PRESETS))))
        for word in _RANK
    ]
    return f"""## Attributes of table E.1-1

{_table(("Action", "What it means"), LEGEND.items())}

Several actions: the type of the attribute in the object's definition decides (X for type 3, Z for 2, D for 1, as table
E.1-1a says), or whether it stands in a sequence. In objects of an unknown class the strictest type of all counts.
Attributes by action:

{_table(("Action", *_PRESETS), [row for row in counts if any(row[1:])])}

{_table(("Tag", "Attribute", "E.1-1", *_PRESETS), rows)}"""


def _unlisted() -> str:
    policies = [policy(preset) for preset in _PRESETS]
    found: dict[str, list[Counter[str]]] = {}
    for tag, (vr, *_) in DicomDictionary.items():
        if tables.attribute(tag) is None and tag >> 16 >= 0x0008:
            counters = found.setdefault(vr, [Counter() for _ in policies])
            for counter, one in zip(counters, policies, strict=True):
                counter[_word(one.decide(tag, vr, ""))] += 1
    rows = [
        (vr, *(", ".join(sorted(counter, key=lambda word: (-counter[word], word))) for counter in counters))
        for vr, counters in sorted(found.items())
        if vr != "NONE"
    ]
    return f"""## Attributes that the table does not list

By value representation, the most frequent action first. If a file states another value representation than the data
dictionary, the more careful action counts; what only one of the two calls a sequence is removed. Tags that the
dictionary lacks, group lengths, commands, elements of directories, the preamble and everything behind the pixels are
removed. Private elements are removed unless safe ones are kept.

{_table(("VR", *_PRESETS), rows)}"""


def _dummies() -> str:
    rows = [(vr, _shown(values.dummy(vr))) for vr in _DUMMIES.split()]
    return f"""## Dummy values

The same for all patients. An encapsulated document becomes an empty document of its type.

{_table(("VR", "Dummy"), rows)}"""


def _references() -> str:
    return f"""## Pseudonyms, UIDs and dates

- All follow from the study's 32-byte key by HMAC-SHA-256, with a key of its own for each purpose (HKDF, RFC 5869).
  Equal input gives equal output in every file, study, process and later run with that key; another key gives values
  that cannot be linked. This is the scope of referential integrity.
- UIDs: 2.25 and a UUID (PS3.5 annex B.2), at every depth. References between files stay true.
- Dates of a patient move back by the same number of whole days, 1 to {pseudonyms.LONGEST_SHIFT}; days between
  examinations and times of day stay, so minutes between tracer and scan do.
- Pseudonyms and what they stand for can be listed in a crosswalk, kept apart from the files. No file holds an Encrypted
  Attributes Sequence, so there are no transfer syntaxes and no recipients' keys for one."""


def _inserted() -> str:
    days = ", ".join(f"{options.longitudinal(options.PRESETS[preset])} ({preset})" for preset in _PRESETS)
    rows = [
        ("(0012,0062)", "Patient Identity Removed", "YES"),
        ("(0012,0063)", "De-identification Method", options.METHOD),
        ("(0012,0064)", "De-identification Method Code Sequence", "codes of profile and options, as above"),
        ("(0028,0303)", "Longitudinal Temporal Information Modified", days),
        ("(0028,0301)", "Burned In Annotation", "NO, if the pixels were cleaned of text"),
        ("(0028,0302)", "Recognizable Visual Features", "NO, if a face was removed"),
        ("(0010,0010)", "Patient's Name", "pseudonym"),
        ("(0010,0020)", "Patient ID", "pseudonym"),
        ("(0002,xxxx)", "File Meta Information", f"written anew; {encoding.IMPLEMENTATION}, {encoding.VERSION}"),
    ]
    return f"""## Attributes that are inserted

{_table(("Tag", "Attribute", "Value"), rows)}"""


def _encoding() -> str:
    native = sorted(reading.NATIVE)
    syntaxes = "\n".join(f"- {UID(uid).name} ({uid})" for uid in native)
    # "ISO 2022 58" and the like are misspellings that pydicom forgives.
    names = sorted(name for name in python_encoding if re.fullmatch(r"ISO_IR \d+|ISO 2022 IR \d+|GB\w+", name))
    sets = textwrap.fill(f"Specific Character Set: {', '.join(names)}.", 120)
    return f"""## Encoding and objects

Transfer syntaxes read, and written as they were read:

{syntaxes}
- every encapsulated one: its pixels are not decoded unless they must be looked at. A file whose pixels were cleaned may
  change its syntax to a lossless or an uncompressed one.

Sequences and items of defined and undefined length, to a depth of {syntax.DEEPEST}. Elements that need no change keep
their bytes.

{sets}

Cleaned text is written in the file's own character sets. What contradicts the stated set is also read as UTF-8 and
Latin-1, and emptied if an identifier shows in any reading.

SOP classes: all that hold a data set, private ones included. Attribute types are known for {len(tables.sop_classes())}
storage SOP classes. Directories (DICOMDIR) are refused: they list names and paths."""


def _pixels() -> str:
    return """## Pixels

- Pixel data stay byte for byte unless something is blanked in them; bytes behind the last pixel are cut off, comments
  inside JPEG, JPEG-LS and JPEG 2000 are overwritten.
- Clean Pixel Data: whether a file is looked at depends on modality, kind of object and Burned In Annotation. Boxes come
  from a table of devices, from the regions that ultrasound states, and from text detection in every frame; each box is
  blanked whatever stands in it. Changed pixels are compressed again without loss or stored uncompressed. What cannot be
  cleaned is not released.
- Clean Recognizable Visual Features: MR and CT of the head are registered to a template and the face is blanked, the
  same way in all volumes of a frame of reference. A registration that is not sure of itself is not released.
- Icon images are removed."""


def _restrictions() -> str:
    return """## Restrictions

- Digital signatures are removed and not made anew. Original Attributes Sequences are removed.
- Encapsulated documents are replaced, not cleaned.
- A name that stands in free text and in no header of the patient's files is found by its form (title, address …) only;
  the list of words (C words) is the stronger rule.
- Every file is read again after writing and searched for the patient's identifiers. A file in which one is found is not
  released, nor is one that cannot be parsed, whose pixels are cut short, or whose written form breaks PS3.5.
- The key needs 32 bytes. Whoever has it can link pseudonyms to patients."""


def _listed() -> Iterator[tuple[str, int, tables.Attribute]]:
    """Tag as the table writes it, a tag of its kind and the row: single tags, then groups."""
    for tag, row in sorted(tables.attributes().items()):
        yield f"({tag >> 16:04X},{tag & 0xFFFF:04X})", tag, row
    for name, tag in (
        ("(50xx,xxxx)", 0x50000010),
        ("(60xx,3000)", 0x60003000),
        ("(60xx,4000)", 0x60004000),
        ("(odd,xxxx)", 0x00091001),
    ):
        yield name, tag, tables.attribute(tag)


def _action(one: Policy, row: tables.Attribute, tag: int) -> str:
    """Everything that can happen to an attribute, depending on the object and the depth."""
    if tag >> 16 & 1:
        return _SAFE_PRIVATE if "safe_private" in one.options else WORDS[Treatment.REMOVE]
    if tag >> 16 == 0x0002:  # written anew, see the inserted attributes
        return WORDS[Treatment.UID]
    vr = standard_vr(tag) or "UN"
    classes = ("", *tables.sop_classes()) if "/" in row.basic else ("",)
    found = {_word(one.decide(tag, vr, name, nested=nested)) for name in classes for nested in (False, True)}
    return " / ".join(sorted(found, key=_RANK.index))


def _word(decision: Decision) -> str:
    return WORDS[decision.treatment]


def _shown(value: bytes) -> str:
    return value.decode() if value.isalnum() or b":" in value or b"." in value else f"{len(value)} zero bytes"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(statement())
