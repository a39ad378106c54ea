"""Every DICOM file at hand through the folder command: released clean and valid, or refused with a reason."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pydicom.data
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "deidentify"))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import fuzz_deidentify
from deidentify_peers import install
from hard_cases import Planted
from hard_leaks import Seen, normal, parsed, pixels, walk
from hard_run import deidentified
from hard_validity import DCIODVFY, Relations, faults, new_errors
from pydicom.dataset import Dataset

pytestmark = pytest.mark.study
SETS = ("dicom_formats", "dicom_seg", "cxr_dicom", "us_burned_in_text_dicom")
VOLUMES = ("brain_tumor_mr_dicom", "head_mr_face")  # to be run whole: a face is found in a volume
_NAMES = "PatientName OtherPatientNames ReferringPhysicianName OperatorsName PerformingPhysicianName PatientBirthName"
_IDS = "PatientID AccessionNumber OtherPatientIDs"
_DATES = "StudyDate SeriesDate AcquisitionDate ContentDate PatientBirthDate"
_UIDS = "StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID ReferencedSOPInstanceUID"
# Words of headers that were emptied before, or that a device wrote.
_PLACEHOLDERS = """anonymous anonymized anonymised anonym unknown none null unnamed name patient test removed last first
 empty default case phantom doctor head"""
CLEANED_PIXELS = {"113101", "113102"}  # CID 7050: Clean Pixel Data, Clean Recognizable Visual Features


def harvested(dataset: Dataset) -> list[Planted]:
    """What a real header says of its patient."""
    found = set()
    terms = normal(" ".join(str(one.value) for _, one in walk(dataset) if one.VR == "CS"))
    for _, one in walk(dataset):
        values = [str(value) for value in (one.value if one.VM > 1 else [one.value]) if value]
        for value in values:
            if one.keyword in _NAMES.split():
                parts = [part for part in re.split(r"[\s^=,;._/\\()\[\]\-0-9]+", value) if len(part) > 4]
                common = [*_PLACEHOLDERS.split(), *terms.split()]  # a phantom may be called like its study
                found |= {
                    (part, "name", one.keyword) for part in parts if not any(normal(part) in word for word in common)
                }
            elif one.keyword in _IDS.split() and len(value) > 4 and len(set(value)) > 2:
                found |= set() if normal(value) in _PLACEHOLDERS.split() else {(value.strip(), "id", one.keyword)}
            elif one.keyword in _DATES.split() and re.fullmatch(r"(19|20)\d{6}", value) and not value.endswith("0101"):
                found.add((value, "date", one.keyword))
            elif one.keyword in _UIDS.split() and len(value) > 15 and not value.startswith("1.2.840.10008."):
                found.add((value, "uid", one.keyword))
    return [Planted(*one) for one in found]


def wheel_files() -> list[Path]:
    """The test files in pydicom's wheel; `get_testdata_files` would fetch more."""
    root = Path(pydicom.data.__file__).parent
    return [path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix not in (".py", ".pyc")]


def files_of(name: str, real_data: Path) -> list[Path]:
    if name == "pydicom":
        return wheel_files()
    return [path for path in sorted((real_data / name).rglob("*")) if path.is_file() and path.suffix != ".md"]


def _checked(source: Path, before: Dataset, out: Path, asked: list[Planted], relations: Relations) -> list[str]:
    """What is wrong with a released file."""
    data = out.read_bytes()
    after = parsed(data)
    seen = Seen(data, after)
    found = [f"{one.kind} {one.text!r} survives" for one in asked if seen.holds(one)]
    if data[128:132] != b"DICM":  # pydicom's wheel holds JSON, a set its table
        return found
    found += faults(data, before)
    found += relations.compare(str(before.get("PatientID")), before, after)
    codes = {item.get("CodeValue") for item in after.get("DeidentificationMethodCodeSequence", ())}
    if pixels(before) != pixels(after) and not codes & CLEANED_PIXELS and not _decode_alike(before, after):
        found.append("pixels differ, and no method code says why")
    if DCIODVFY:
        found += [f"dciodvfy: {said}" for said in new_errors(source, out)]
    return found


def _decode_alike(before: Dataset, after: Dataset) -> bool:
    """Whether pixels differ only in what no decoder shows: comments in streams, bytes behind the last, unused bits."""
    try:
        return bool((before.pixel_array == after.pixel_array).all())
    except Exception:
        return False


def _reasons(restricted: Path) -> list[str]:
    with open(restricted / "quarantine.csv", encoding="utf-8") as table:
        return [row["reason"] for row in csv.DictReader(table)]


@pytest.mark.parametrize("name", ["pydicom", *SETS])
def test_each_file_is_clean_or_refused(name, real_data, tmp_path, capsys):
    found, reasons, released = {}, Counter(), 0
    for number, path in enumerate(files_of(name, real_data)):
        root = tmp_path / str(number)
        (root / "in").mkdir(parents=True)
        shutil.copyfile(path, root / "in" / path.name)
        result = deidentified(root / "in", root)
        out = [one for one in result.out.rglob("*") if one.is_file()]
        told = _reasons(result.restricted)
        label = f"{path.parent.name}/{path.name}"
        if len(out) + len(told) != 1 or not all(told):
            found[label] = [f"{len(out)} files released, refused for {told}"]
        elif out:
            before = parsed(path.read_bytes())
            # Files of one patient were made at several sites, with UIDs and dates of their own: each stands alone.
            found[label] = _checked(path, before, out[0], harvested(before), Relations(dates=True))
        reasons.update(told)
        released += len(out)
        shutil.rmtree(root)
    with capsys.disabled():
        print(f"\n{name}: {released} files released, refused: {dict(reasons)}")
    assert released
    assert not any(found.values()), "\n".join(f"{label}: {said[:4]}" for label, said in found.items() if said)


@pytest.mark.parametrize("name", VOLUMES)
def test_volumes_are_clean_or_refused(name, real_data, tmp_path, capsys):
    """Whole series: every identifier of the set in no file; UIDs, dates and pixels as above."""
    paths = [path for path in files_of(name, real_data) if path.read_bytes()[128:132] == b"DICM"]
    sources = {}
    for number, path in enumerate(paths):
        (tmp_path / "in").mkdir(exist_ok=True)
        shutil.copyfile(path, tmp_path / "in" / f"{number:04d}.dcm")
        before = parsed(path.read_bytes())
        sources.setdefault(_key(before), []).append((path, before))
    result = deidentified(tmp_path / "in", tmp_path)
    reasons = Counter(_reasons(result.restricted))
    out = [one for one in result.out.rglob("*") if one.is_file()]
    asked = list({one for pairs in sources.values() for _, before in pairs for one in harvested(before)})
    relations, found = Relations(dates=True), {}
    for path in out:
        known = sources.get(_key(parsed(path.read_bytes())), [])
        if len(known) == 1:
            found[path.name] = _checked(*known[0], path, asked, relations)
    with capsys.disabled():
        print(f"\n{name}: {len(out)} of {len(paths)} files released, refused: {dict(reasons)}; {len(found)} compared")
    assert result.released + sum(reasons.values()) >= len(paths)
    assert not any(found.values()), "\n".join(f"{label}: {said[:4]}" for label, said in found.items() if said)


def _key(dataset: Dataset) -> tuple[str, ...]:
    """What tells the slices of a few series apart and stays."""
    keywords = ("SOPClassUID", "SeriesNumber", "InstanceNumber", "ImagePositionPatient", "EchoTime", "Rows")
    return tuple(str(dataset.get(keyword)) for keyword in keywords)


def test_mutated_files_neither_crash_nor_hang_nor_leak(tmp_path, capsys):
    found = fuzz_deidentify.fuzz(60, seed=1, keep=tmp_path / "failing")
    with capsys.disabled():
        print(f"\nmutations: {found}")
    assert found["files"] > 500
    assert found["released"] > found["files"] // 10


def test_guided_mutations(tmp_path, capsys):
    """A minute of atheris, which is installed for this test alone."""
    if not install(tmp_path / "packages", "atheris"):
        pytest.skip("atheris cannot be installed")
    script = Path(fuzz_deidentify.__file__)
    done = subprocess.run(
        [sys.executable, str(script), "--atheris", "--seconds", "60", "--keep", str(tmp_path / "corpus")],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "packages")}, cwd=tmp_path,
        capture_output=True, text=True, errors="replace", check=False, timeout=400,
    )  # fmt: skip
    with capsys.disabled():
        print(f"\natheris: {[line for line in done.stderr.splitlines() if line.startswith('Done')]}")
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
