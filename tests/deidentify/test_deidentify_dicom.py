import io
import itertools
import os
import struct
import unicodedata
from collections import Counter

import numpy as np
import pydicom
import pytest
from deidentify_cases import SHARED, ct, encoded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from asclepius.deidentify.dicom import treating
from asclepius.deidentify.dicom.harvest import learn
from asclepius.deidentify.dicom.reading import read
from asclepius.deidentify.dicom.rewriting import rewrite
from asclepius.deidentify.patient import Patient
from asclepius.deidentify.profile.decide import Policy
from asclepius.deidentify.profile.options import PRESETS
from asclepius.deidentify.profile.tables import private_vr
from asclepius.deidentify.proof.dicom import prove
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.errors import Rejected

KEY = bytes(range(32))


def patient(original="PID-778899", key=KEY, options=PRESETS["research"], strict=False):
    return Patient.of(original, Pseudonyms(key), Policy(options, strict=strict))


def released(data, who=None):
    who = who or patient()
    source = read(data)
    learn(source, who)
    written = rewrite(source, who, "fallback")
    out = b"".join(written.parts)
    prove(out, who, written.pixels)
    return out


def values(dataset):
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from values(item)
        else:
            yield element.tag, str(element.value)


def folded(text):
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


SECRETS = [
    "grunwald",
    "zoe",
    "pid-778899",
    "778899",
    "4711",
    "st9876",
    "20210304",
    "19310708",
    "zweistein",
    "elsewhere",
]


def assert_clean(out, secrets=SECRETS):
    dataset = pydicom.dcmread(io.BytesIO(out))
    for tag, value in values(dataset):
        if tag == 0x7FE00010:
            continue
        assert not [s for s in secrets if s in folded(value)], (tag, value)
    body = out.replace(dataset.PixelData, b"")
    for secret in secrets:
        if len(secret) > 3:
            assert secret.encode() not in body.lower()
            assert secret.encode("utf-16-le") not in body.lower()
    return dataset


def test_research_preset_of_a_ct_slice():
    source = ct()
    dataset = assert_clean(released(encoded(source)))
    assert dataset.PatientName == dataset.PatientID == patient().name
    assert (dataset.PatientSex, dataset.PatientAge) == ("F", "089Y")
    assert dataset.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence] == [
        "113100",
        "113105",
        "113107",
        "113108",
        "113109",
        "113111",
    ]
    assert dataset.ImageComments == "ANONYMIZED"
    assert dataset.DeviceSerialNumber == "SN-55512"
    assert dataset.StudyTime == "101112"
    assert dataset.PixelData == source.PixelData
    for kept in ("ImagePositionPatient", "PixelSpacing", "RescaleIntercept", "ConvolutionKernel", "Modality", "Rows"):
        assert dataset[kept] == source[kept], kept
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.SOPClassUID == source.SOPClassUID


def test_strict_preset_keeps_neither_dates_nor_age_nor_free_text():
    source = ct()
    source.SeriesDescription, source.ProtocolName, source.PixelBandwidth = "Chest", "Thorax", "100"
    source.AdditionalPatientHistory = "nothing of note"
    out = pydicom.dcmread(io.BytesIO(released(encoded(source), patient(options=PRESETS["strict"], strict=True))))
    assert not out.StudyDate
    assert out.LongitudinalTemporalInformationModified == "REMOVED"
    for keyword in (
        "PatientAge",
        "SeriesDescription",
        "ProtocolName",
        "AdditionalPatientHistory",
        "AcquisitionDateTime",
    ):
        assert keyword not in out, keyword
    assert not out.PatientSex
    assert (out.Manufacturer, out.ConvolutionKernel, list(out.ImageType)) == ("Acme", "B30f", list(source.ImageType))
    assert list(out.ImagePositionPatient) == [0, 0, 1]


TEXT_TAGS = ["Manufacturer", "SeriesDescription", "ConvolutionKernel", "ManufacturerModelName", "PatientComments"]
TEXT_TAGS += ["InstitutionalDepartmentName", "CodeMeaning", "ContrastBolusAgent"]
CODED_TAGS = ["BodyPartExamined", "ScanOptions", "ImageType", "PatientPosition"]  # ASCII only
CHARSETS = {
    "ISO_IR 192": ["Ærøskøbing^Øystein", "Müller-Lüdenscheidt^Jörg", "王^小东", "Ковалёв^Иван", "김^희중"],
    "ISO_IR 100": ["Müller^Jörg", "Señor^Íñigo"],
    "ISO_IR 144": ["Люкceмбypг^Pоза"],
    "GB18030": ["王^小东", "欧阳^志远"],
    "ISO 2022 IR 87": ["山田^太郎"],
    "ISO 2022 IR 149": ["김^희중"],
    "ISO_IR 13": ["ﾔﾏﾀﾞ^ﾀﾛｳ"],
}


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=200, deadline=None, report_multiple_bugs=False, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_planted_identifiers_never_survive(data):
    charset = data.draw(st.sampled_from(sorted(CHARSETS)))
    name = data.draw(st.sampled_from(CHARSETS[charset]))
    number = data.draw(st.from_regex(r"\A[A-Z]{1,3}-?[0-9]{4,9}\Z"))
    source = ct(name=name, patient=number)
    source.SpecificCharacterSet = ["", charset] if charset.startswith("ISO 2022") else charset
    encoding = pydicom.charset.convert_encodings(source.SpecificCharacterSet)[-1]
    parts = [part for part in name.split("^") if len(part) > 2 or (len(part) == 2 and not part.isascii())]
    parts += [name.replace("^", ""), number, "20210304", "2021-03-04", "04.03.2021"]
    for _ in range(data.draw(st.integers(1, 4))):
        secret = data.draw(st.sampled_from(parts))
        written = data.draw(st.sampled_from([secret, f"seen {secret} again", f"x_{secret}_x", secret.upper()]))
        where, depth = source, data.draw(st.integers(0, 6))
        for _ in range(depth):
            inner = Dataset()
            where.AnatomicRegionSequence = Sequence([inner])
            where = inner
        kind = data.draw(st.sampled_from(["text", "private", "overlay", "unknown", "person"]))
        if kind == "text":
            tags = TEXT_TAGS + CODED_TAGS if written.isascii() else TEXT_TAGS
            setattr(where, data.draw(st.sampled_from(tags)), written)
        elif kind == "private":
            where.private_block(0x0029, secret[:8] if secret.isascii() else "X", create=True).add_new(1, "LO", written)
        elif kind == "person":
            where.add_new(0x0040A123, "PN", written)
        else:
            raw = written.encode(encoding, "replace")
            where.add_new(
                0x60003000 if kind == "overlay" else 0x00092001 + 0x00010000 * 3, "OB", raw + b"\0" * (len(raw) % 2)
            )
    syntax = data.draw(
        st.sampled_from([None, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
    )
    if syntax is not None:
        source.file_meta.TransferSyntaxUID = syntax
        source.set_original_encoding(syntax.is_implicit_VR, syntax.is_little_endian)
    before = source.PixelData
    out = released(encoded(source))
    secrets = [folded(part) for part in parts]
    dataset = pydicom.dcmread(io.BytesIO(out))
    for tag, value in values(dataset):
        if tag.group != 0x7FE0 and tag not in (0x00100010, 0x00100020):
            assert not [s for s in secrets if s in folded(value)], (tag, value, secrets)
    if syntax is not DeflatedExplicitVRLittleEndian:
        body = out.replace(dataset.PixelData, b"")
        for part in parts:
            for codec in {encoding, "utf-8", "utf-16-le", "utf-16-be"}:
                try:
                    needle = part.encode(codec)
                except UnicodeEncodeError:
                    continue
                assert len(needle) < 4 or needle not in body, (part, codec)
    assert dataset.PixelData == before


@pytest.mark.parametrize(("keyword", "vr"), [("LUTData", "OW"), ("GrayLookupTableData", "OW"), ("LUTDescriptor", "US")])
def test_what_is_planted_in_binary_elements_is_emptied(keyword, vr):
    source, item = ct(name="Grunwald^Zoe"), Dataset()
    source.VOILUTSequence = [item]
    value = b"xxGrunwald"
    item.add_new(keyword, vr, list(struct.unpack("<5H", value)) if vr == "US" else value)
    out = released(encoded(source))
    assert b"grunwald" not in out.lower()
    assert not pydicom.dcmread(io.BytesIO(out)).VOILUTSequence[0][keyword].value


def test_proof_fails_when_the_cleaning_does(monkeypatch):
    monkeypatch.setattr(treating.Values, "_text", lambda self, treatment, vr, old, encodings: None)
    monkeypatch.setattr(treating.Values, "_term", lambda self, text, old: None)
    source = ct()
    source.Manufacturer = "Built for Grünwald"
    with pytest.raises(Rejected, match="identity"):
        released(encoded(source))


def test_names_that_are_words_of_the_standard_do_not_empty_the_header():
    out = pydicom.dcmread(
        io.BytesIO(
            released(
                encoded(
                    ct(name="Axial^Primary", patient="1024"),
                ),
                patient("1024"),
            )
        )
    )
    assert list(out.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert out.RescaleIntercept == -1024


def test_preamble_and_trailing_bytes_are_gone():
    data = encoded(ct())
    data = b"GRUNWALD".ljust(128, b"\0") + data[128:] + b"PID-778899 behind the end of the file"
    out = released(data)
    assert out[:128] == bytes(128)
    assert b"778899" not in out


def test_uid_relations_stay_and_uids_are_new():
    first, second = ct(1), ct(2)
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = first.SOPClassUID, first.SOPInstanceUID
    second.SourceImageSequence = [reference]
    who = patient()
    one, two = (pydicom.dcmread(io.BytesIO(released(encoded(d), who))) for d in (first, second))
    assert one.StudyInstanceUID == two.StudyInstanceUID != first.StudyInstanceUID
    assert two.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert two.SourceImageSequence[0].ReferencedSOPClassUID == first.SOPClassUID
    assert one.SOPInstanceUID.is_valid
    assert one.SOPInstanceUID.startswith("2.25.")


def test_intervals_between_visits_stay_and_dates_do_not():
    who = patient()
    days = []
    for day in ("20210304", "20220101", "20240229"):
        out = pydicom.dcmread(io.BytesIO(released(encoded(ct(day=day)), who)))
        assert out.StudyDate != day
        assert out.AcquisitionDateTime == f"{out.StudyDate}101112.345+0200"
        assert out.StudyTime == "101112"
        days.append(pydicom.valuerep.DA(out.StudyDate))
    assert [(b - a).days for a, b in itertools.pairwise(days)] == [303, 789]


def test_same_key_same_bytes_other_key_nothing_in_common():
    data = encoded(ct())
    assert released(data, patient()) == released(data, patient())
    one, two = (pydicom.dcmread(io.BytesIO(released(data, patient(key=key)))) for key in (KEY, b"x" * 32))
    for keyword in ("PatientID", "StudyInstanceUID", "SOPInstanceUID", "StudyDate", "FrameOfReferenceUID"):
        assert one[keyword].value != two[keyword].value, keyword


def test_deep_nesting_is_cleaned():
    source = ct()
    where = source
    for _ in range(30):
        inner = Dataset()
        where.AnatomicRegionSequence = [inner]
        where = inner
    where.PatientComments, where.CodeMeaning = "Grünwald", "of Grünwald"
    where.ScheduledPerformingPhysicianName = "Zweistein^A"
    assert_clean(released(encoded(source)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"", "empty"),
        (lambda data: data[:-40], "truncated"),
        (lambda data: b"no DICOM at all, but some bytes " * 20, "unreadable"),
        (lambda data: data[:200], "unreadable"),
    ],
)
def test_damaged_files_are_refused_with_a_reason(change, reason):
    with pytest.raises(Rejected) as caught:
        released(change(encoded(ct())))
    assert caught.value.reason == reason


def every_file():
    others = (".json", ".txt", ".icc", ".dump", ".gz", "README")
    return sorted(path for path in get_testdata_files() if os.path.isfile(path) and not path.endswith(others))


def check_file(data):
    """Released with equal pixels, or refused with a reason; never a crash."""
    try:
        source = read(data)
        out = released(data)
    except Rejected as rejected:
        return rejected.reason
    before, after = pydicom.dcmread(io.BytesIO(data), force=True), pydicom.dcmread(io.BytesIO(out))
    keyword = next((k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in before), None)
    if keyword is None:
        return "released"
    if after[keyword].value != before[keyword].value:  # comments of a coder were blanked in place
        try:
            expected = before.pixel_array
        except Exception:  # not decodable before either
            return "released"
        assert len(before[keyword].value) - len(after[keyword].value) in range(200)
        assert np.array_equal(after.pixel_array, expected)
    for name in ("Rows", "Columns", "BitsStored", "PhotometricInterpretation", "RescaleSlope", "PixelSpacing"):
        assert after.get(name) == before.get(name), name
    for element in after:
        if element.tag.is_private and not element.tag.is_private_creator:
            assert private_vr(element.private_creator, element.tag.group, element.tag.element & 0xFF), element.tag
    assert after.PatientID == patient().name
    assert source.syntax == after.file_meta.TransferSyntaxUID
    return "released"


@pytest.mark.filterwarnings("ignore")
def test_every_file_of_pydicom_is_released_or_refused():
    outcomes = Counter()
    for path in every_file():
        with open(path, "rb") as handle:
            outcomes[check_file(handle.read())] += 1
    assert outcomes["released"] > 80
    assert not set(outcomes) - {"released", "not-an-image", "unreadable", "undecodable", "truncated"}, outcomes


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", ["cxr_dicom", "brain_tumor_mr_dicom", "dicom_formats", "us_burned_in_text_dicom", "dicom_seg"]
)
def test_real_sets(name):
    folder = SHARED / "data" / name
    if not folder.exists():
        pytest.skip(f"{folder} is not there")
    outcomes = Counter()
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in (".dcm", ""))
    for path in files[::5] if len(files) > 70 else files:
        outcomes[check_file(path.read_bytes())] += 1
    assert outcomes["released"]
    assert not outcomes["identity"], outcomes
