"""Whether a cleaned DICOM file is as good as the file it was: syntax, values, pixels, relations, intervals."""

import re
import shutil
import struct
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from hard_leaks import parsed, walk
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian
from pydicom.valuerep import validate_value

PREFIX = b"\0" * 128 + b"DICM"
DCIODVFY = shutil.which("dciodvfy")
_STANDARD = "1.2.840.10008."
_CHECKED = "AE AS CS DA DS DT IS LO LT PN SH ST TM UI UR"


def faults(data: bytes, before: Dataset | None = None) -> list[str]:
    """What is wrong with a file's bytes and values, beyond what was wrong with its source."""
    found = []
    if not data.startswith(PREFIX):
        return ["preamble or prefix"]
    length = struct.unpack_from("<L", data, 140)[0]
    if data[132:140] != b"\x02\0\0\0UL\x04\0" or data[144 + length : 146 + length] == b"\x02\0":
        found.append("file meta information's length")
    after = parsed(data)
    if not after.keys():
        return [*found, "pydicom reads nothing"]
    meta = after.file_meta
    for inner, outer in (("SOPInstanceUID", "MediaStorageSOPInstanceUID"), ("SOPClassUID", "MediaStorageSOPClassUID")):
        if after.get(inner) != meta.get(outer):
            found.append(f"{outer} differs")
    known = {path for path, _ in _wrong_values(before)} if before is not None else set()
    found += [f"value of {_name(path)}: {why}" for path, why in _wrong_values(after) if path not in known]
    tags = [path[-1] for path, _ in walk(after) if len(path) == 1]
    if tags != sorted(tags):
        found.append("order of tags")
    return found


def _name(path: tuple[int, ...]) -> str:
    return " > ".join(f"{part:08X}" if part > 0xFFFF else str(part) for part in path)


def _wrong_values(dataset: Dataset) -> list[tuple[tuple[int, ...], str]]:
    found = []
    for path, one in walk(dataset):
        if one.VR not in _CHECKED or one.value is None:
            continue
        values = one.value if isinstance(one.value, list) or hasattr(one.value, "append") else [one.value]
        for value in values:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    validate_value(one.VR, _written(value), config.RAISE)
            except Exception as problem:
                found.append((path, str(problem)[:100]))
                break
    return found


def _written(value: object) -> object:
    return str(getattr(value, "original_string", value)) if not isinstance(value, str | bytes) else value


def dciodvfy(path: Path) -> set[str] | None:
    """Kinds of errors that dicom3tools' checker finds, values left out; None where it stops before the object's end."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = parsed(path.read_bytes())
        if dataset.get("file_meta") and dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            path = Path(folder) / "inflated.dcm"  # which it does not do itself
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.save_as(path)
        done = subprocess.run([DCIODVFY, str(path)], capture_output=True, timeout=60, check=False)
    lines = (done.stderr + done.stdout).decode("latin-1").splitlines()
    if all(" - " in line or "Error" in line for line in lines):  # it names the kind of object only when it got so far
        return None
    return {re.sub(r"= <[^>]*>|[\d.]{6,}", "", line) for line in lines if "Error" in line}


def new_errors(before: Path, after: Path, like: Path | None = None) -> list[str]:
    """Kinds of errors that the source did not have.

    Args:
        like: stands in for a source that cannot be checked; without it nothing is said then.
    """
    known = dciodvfy(before)
    if known is None and like is not None:
        known = dciodvfy(like)
    if known is None:
        return []
    found = dciodvfy(after)
    return ["dciodvfy stops"] if found is None else sorted(found - known)


class Relations:
    """What all files of one key must agree on: which UID became which, and by how many days each patient moved.

    Dates of birth do not count: no option of PS3.15 keeps them.
    """

    def __init__(self, *, dates: bool) -> None:
        self.dates = dates
        self.new: dict[str, str] = {}
        self.moved: dict[str, set[timedelta]] = {}

    def compare(self, patient: str, before: Dataset, after: Dataset) -> list[str]:
        """Add a pair of data sets; what contradicts the pairs before."""
        out = {path: one for path, one in walk(after)}
        found = []
        for path, one in walk(before):
            other = out.get(path)
            if other is None or one.VR != other.VR:
                continue
            if one.VR == "UI":
                found += [f"{_name(path)}: {said}" for said in self._uids(_several(one.value), _several(other.value))]
            elif self.dates and one.VR in ("DA", "DT") and path[-1] != 0x00100030:
                found += [f"{_name(path)}: {said}" for said in self._days(patient, str(one.value), str(other.value))]
        return found

    def _uids(self, old: list[str], new: list[str]) -> Iterable[str]:
        if len(old) != len(new):
            return
        for one, other in zip(old, new, strict=True):
            if one.startswith(_STANDARD):
                if one != other:
                    yield f"a UID of the standard became {other}"
            elif one and other and self.new.setdefault(one, other) != other:
                yield "one UID became two"

    def _days(self, patient: str, old: str, new: str) -> Iterable[str]:
        first, second = _day(old), _day(new)
        if first and second:
            moved = self.moved.setdefault(patient, set())
            moved.add(second - first)
            if len(moved) > 1:
                yield "dates of one patient moved by different days"
            if second >= first:
                yield "a date did not move back"

    def merged(self) -> list[str]:
        """UIDs that became one."""
        return [uid for uid, count in Counter(self.new.values()).items() if count > 1]


def _several(value: object) -> list[str]:
    if value is None:
        return []
    return [str(value)] if isinstance(value, str) else [str(one) for one in value]


def _day(text: str) -> date | None:
    match = re.match(r"(\d{4})(\d\d)(\d\d)", text)
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
