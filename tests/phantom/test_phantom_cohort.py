"""Who is in the cohort, what is planted in it, and that the seed alone decides."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.errors import StudyError
from asclepius.phantom import dicom, patients
from asclepius.phantom.command import planted, run
from asclepius.phantom.settings import PhantomSettings

IDENTIFYING = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "AccessionNumber",
    "StudyDate",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "ReferringPhysicianName",
    "InstitutionName",
    "InstitutionAddress",
)


def _digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_seed_decides_every_byte(tmp_path):
    small = PhantomSettings(patients=10, second_visits=0.1, matrix=48, seed=5)
    for name, chosen in (("a", small), ("b", small), ("c", small.model_copy(update={"seed": 6}))):
        run(settings=chosen, out=tmp_path / name)
    first, second, other = (_digests(tmp_path / name) for name in "abc")
    assert first == second
    assert not set(first.values()) & set(other.values())


def test_refuses_a_folder_that_holds_something(tmp_path):
    (tmp_path / "old.dcm").write_bytes(b"old")
    with pytest.raises(StudyError, match="not an empty folder"):
        run(settings=PhantomSettings(patients=10), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["old.dcm"]


def test_planted_faults(cohort):
    files = cohort.series
    labelled = {row["SeriesInstanceUID"] for row in cohort.rows}
    gaps, cut, drawn, copied = Counter(), 0, 0, 0
    for uid in labelled:
        heights = cohort.heights(uid)
        steps = np.diff(heights)
        gaps[round(steps.max() / np.median(steps)) - 1] += 1
        sizes = [path.stat().st_size for path, _ in files[uid]]
        cut += max(sizes) - min(sizes) > 500
        drawn += files[uid][0][1].BurnedInAnnotation == "YES"
        folders = {path.parent for path, _ in files[uid]}
        if len(folders) == 2:
            copied += 1
            one, two = (_digests(folder) for folder in sorted(folders))
            assert one == two
    assert {gap: number for gap, number in gaps.items() if gap} == {1: 1, 5: 1}
    assert (cut, drawn, copied) == (1, 1, 1)
    others = Counter(files[uid][0][1].Modality for uid in files.keys() - labelled)
    assert others == {"MR": 1, "OT": 1}
    orientations = {tuple(h.ImageOrientationPatient) for u in files for _, h in files[u] if h.Modality == "MR"}
    assert len(orientations) == 3


def test_the_truncated_file_ends_within_its_pixels(cohort):
    found = []
    for files in cohort.series.values():
        largest = max(path.stat().st_size for path, _ in files)
        found += [(path, header) for path, header in files if largest - path.stat().st_size > 500]
    [(_, header)] = found
    assert 0 < len(header.PixelData) < header.Rows * header.Columns * 2


def test_burned_in_letters_are_brighter_than_bone(cohort):
    for files in cohort.series.values():
        header = files[0][1]
        if header.Modality == "CT" and header.get("BurnedInAnnotation") == "YES":
            top = header.pixel_array[: header.Rows // 3]
            assert (top == dicom.TEXT).sum() > 60


def test_every_planted_identifier_is_in_the_images(cohort, identifiers):
    texts = [str(path.relative_to(cohort.folder)) for path in cohort.folder.rglob("*.dcm")]
    for files in cohort.series.values():
        _, header = files[0]
        texts += [str(header), "\n".join(str(element.value) for element in header.iterall() if element.VR != "OW")]
    text = "\n".join(texts)
    assert set(identifiers) >= {"names", "ids", "dates", "accessions", "phones", "addresses", "uids", "places"}
    for kind, values in identifiers.items():
        assert values, kind
        for value in values:
            assert value in text, (kind, value)


def test_identifying_attributes_are_all_listed(cohort, identifiers):
    """A leak test searches for the list: what a header says and the list does not would go unseen."""
    listed = {value for values in identifiers.values() for value in values}
    for files in cohort.series.values():
        for path, header in files[:2]:
            for keyword in IDENTIFYING:
                value = header.get(keyword)
                if value is not None:
                    assert {str(value), *str(value).split("=")} & listed, (keyword, path)
            assert str(header.SOPInstanceUID).rsplit(".", 1)[0] in listed
            assert any(name in path.parts[-4] for name in listed)


def test_a_nodule_grows_between_visits(cohort):
    import nibabel

    volumes: dict[str, list[tuple[str, float]]] = {}
    for row in cohort.rows:
        if row["mask"]:
            image = nibabel.load(cohort.folder / row["mask"])
            volume = float(image.get_fdata().sum() * abs(np.linalg.det(image.affine)))
            volumes.setdefault(row["PatientID"], []).append((row["StudyDate"], volume))
    pairs = [sorted(found) for found in volumes.values() if len(found) == 2]
    assert pairs
    for (_, before), (_, after) in pairs:
        assert after > 1.15 * before  # a diameter grows by 8 % at least, a volume by 26 %; slices blur it


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(10, 40),
    prevalence=st.floats(0.02, 0.98),
    twice=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_enrolment_holds_for_any_settings(count, prevalence, twice, seed):
    chosen = PhantomSettings(patients=count, prevalence=prevalence, second_visits=twice, seed=seed)
    cohort = patients.enrol(chosen)
    sick = sum(patient.sick for patient in cohort)
    assert len(cohort) == count
    assert sick == min(max(round(prevalence * count), 1), count - 1)
    assert sum(len(patient.visits) == 2 for patient in cohort) == round(twice * count)
    at = Counter(patient.site.name for patient in cohort)
    assert set(at) == {site.name for site in patients.SITES}
    if sick >= 3:
        assert {patient.site.name for patient in cohort if patient.sick} == set(at)
    for patient in cohort:
        days = [visit.day for visit in patient.visits]
        assert days == sorted(days)
        assert 18 <= patient.age(days[0]) <= 96
    for attribute in ("identifier", "phone", "name"):
        assert len({getattr(patient, attribute) for patient in cohort}) == count
    assert len({visit.accession for patient in cohort for visit in patient.visits}) == sum(
        len(p.visits) for p in cohort
    )
    faults = [visit.faults for patient in cohort for visit in patient.visits]
    if count >= 20:
        assert all(
            sum(getattr(f, name) for f in faults) == 1 for name in ("truncated", "localiser", "copied", "burned_in")
        )
        assert sorted(f.missing for f in faults if f.missing) == [1, 5]
    assert max(len(v) for v in planted(chosen.seed, cohort)["uids"]) <= 58


def test_the_default_cohort():
    cohort = patients.enrol(PhantomSettings())
    faults = [visit.faults for patient in cohort for visit in patient.visits]
    assert (len(cohort), sum(patient.sick for patient in cohort), len(faults)) == (180, 36, 207)
    assert Counter(f.missing for f in faults if f.missing) == {1: 3, 5: 1}
    assert sum(f.burned_in for f in faults) == 3
    assert any(patient.age(patient.visits[0].day) >= 90 for patient in cohort)
    older = [np.mean([p.age(p.visits[0].day) for p in cohort if p.sick == sick]) for sick in (True, False)]
    assert older[0] > older[1]
