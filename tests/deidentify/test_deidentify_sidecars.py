import csv
import io
import json
import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.deidentify import sidecars
from asclepius.errors import Rejected

SECRETS = ("Gruenwald", "778899", "20210304")
RULES = list(csv.DictReader((Path(sidecars.__file__).parent / "bids_keys.csv").open(encoding="utf-8")))


def scan(text):
    """As the caller's: what identifies goes, the rest stays."""
    for secret in SECRETS:
        text = text.replace(secret, "")
    return text.strip()


def cleaned(content, **options):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    audit = Counter()
    return json.loads(sidecars.clean_json(raw, scan, audit, **options)), audit


# What dcm2niix writes without its own anonymisation, shortened.
SIDECAR = {
    "Modality": "MR", "MagneticFieldStrength": 3, "ImagingFrequency": 123.257, "Manufacturer": "Siemens",
    "InstitutionName": "Elsewhere Clinic", "InstitutionalDepartmentName": "Radiology", "InstitutionAddress": "Street 1",
    "DeviceSerialNumber": "55512", "StationName": "MRC123", "SeriesInstanceUID": "1.3.12.2.1107.5.2.19.4",
    "PatientName": "Gruenwald^Zoe", "PatientID": "778899", "PatientBirthDate": "1931-07-08", "PatientSex": "F",
    "PatientAge": "093Y", "PatientWeight": 63.5, "AccessionNumber": "ACC-1", "AcquisitionTime": "10:11:12.500000",
    "AcquisitionDateTime": "2021-03-04T10:11:12", "ProcedureStepDescription": "Head of Gruenwald",
    "SeriesDescription": "t1 mprage Gruenwald", "ProtocolName": "t1_mprage", "ImageType": ["ORIGINAL", "PRIMARY", "M"],
    "SliceTiming": [0, 1.25, 0.0625], "EchoTime": 0.00298, "NonlinearGradientCorrection": True, "ImageComments": "call",
    "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0], "PhaseEncodingDirection": "j-", "IntendedFor": ["a/sub-01.nii"],
    "global": {"const": {"PatientName": "Gruenwald"}}, "ConversionSoftware": "dcm2niix", "Gruenwald": 1,
}  # fmt: skip


def test_a_sidecar_keeps_physics_and_loses_the_patient():
    out, audit = cleaned(SIDECAR)
    assert out == {
        "Modality": "MR", "MagneticFieldStrength": 3, "ImagingFrequency": 123.257, "Manufacturer": "Siemens",
        "PatientSex": "F", "PatientAge": 89, "PatientWeight": 63.5, "SeriesDescription": "t1 mprage",
        "ProtocolName": "t1_mprage", "ImageType": ["ORIGINAL", "PRIMARY", "M"], "SliceTiming": [0, 1.25, 0.0625],
        "EchoTime": 0.00298, "NonlinearGradientCorrection": True, "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0],
        "PhaseEncodingDirection": "j-", "ConversionSoftware": "dcm2niix",
    }  # fmt: skip
    assert audit["PatientName", "JSON key", "X"] == audit["other", "JSON key", "X"] == 1
    assert audit["SeriesDescription", "JSON key", "C"] == 1
    assert not any("Gruenwald" in part for change in audit for part in change)


def test_a_code_that_the_scan_changes_is_no_code():
    out, _ = cleaned({"BodyPartExamined": "HEAD 778899", "ImageType": ["ORIGINAL", "Gruenwald M"], "Modality": "MR"})
    assert out == {"Modality": "MR"}


def test_without_characteristics():
    out, _ = cleaned(SIDECAR, characteristics=False)
    assert not {"PatientSex", "PatientAge", "PatientWeight"} & set(out)


def test_dataset_description_keeps_three_keys():
    out, _ = cleaned({
        "Name": "Study of Dr Gruenwald", "BIDSVersion": "1.9.0", "DatasetType": "raw", "License": "CC0",
        "Authors": ["Gruenwald"], "GeneratedBy": [{"Name": "x"}],
    })  # fmt: skip
    assert out == {"BIDSVersion": "1.9.0", "DatasetType": "raw", "License": "CC0"}


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
planted = st.builds(
    lambda a, secret, b: a + secret + b, st.text(max_size=9), st.sampled_from(SECRETS), st.text(max_size=9)
)
anything = st.recursive(
    plain | planted | st.sampled_from([778899, 20210304, "20210304", 778899.0]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(planted | st.sampled_from(["EchoTime"]), inner, max_size=3)
    ),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([rule["key"] for rule in RULES]) | planted, anything, max_size=8))
def test_no_value_anywhere_carries_an_identifier(content):
    out, _ = cleaned(content)
    text = json.dumps(out, ensure_ascii=False)
    assert not any(secret in text for secret in SECRETS)
    assert not any(isinstance(value, dict) for value in out.values())
    assert cleaned(out)[0] == out


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_json_or_a_reason(data):
    try:
        out = sidecars.clean_json(data, scan, Counter())
    except Rejected as rejected:
        reason = rejected.reason
    else:
        reason = None
        assert isinstance(json.loads(out), dict)
    assert reason in (None, "unreadable", "empty")


def test_odd_encodings_and_values():
    out, _ = cleaned(b'\xef\xbb\xbf{"EchoTime": 0.1, "ProtocolName": "Gr\xfcnwald", "SeriesDescription": "t1"}')
    assert out == {"EchoTime": 0.1, "SeriesDescription": "t1"}  # no UTF-8: that value alone goes
    out, _ = cleaned('{"EchoTime": 0.1}'.encode("utf-16"))
    assert out == {"EchoTime": 0.1}
    out, audit = cleaned(b'{"EchoTime": NaN, "FlipAngle": 1e999, "RepetitionTime": 1, "RepetitionTime": 2}')
    assert out == {"RepetitionTime": 2}
    assert audit["duplicate key", "JSON key", "X"] == 1
    assert cleaned({"EchoTime": "n/a", "SliceTiming": [0, None], "ProtocolName": "x" * 300})[0] == {"EchoTime": "n/a"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"[1]", "unreadable"),
        (b'{"a": ', "unreadable"),
        (b'{"EchoTime":' + b"[" * 100_000, "unreadable"),
        (b'{"EchoTime": ' + b"9" * 5000 + b"}", "unreadable"),
        (b" " * 5 + b"1" * (sidecars.LARGEST + 1), "unreadable"),
    ],
)
def test_what_is_no_sidecar(data, reason):
    with pytest.raises(Rejected) as caught:
        sidecars.clean_json(data, scan, Counter())
    assert caught.value.reason == reason


def rename(name):
    return None if "broken" in name else name.replace("sub-Gruenwald", "sub-A1").replace("ses-20210304", "ses-1")


def table(*rows, **options):
    audit = Counter()
    data = "\n".join("\t".join(row) for row in rows).encode()
    out = sidecars.clean_table(data, scan, audit, rename, **options).decode()
    return [line.split("\t") for line in out.splitlines()], audit


def test_participants():
    rows, audit = table(
        ("participant_id", "Age", "sex", "handedness", "group", "hospital", "date_of_birth", "weight"),
        ("sub-Gruenwald", "93", "female", "R", "patient of Gruenwald", "Elsewhere", "1931-07-08", "63.5"),
        ("sub-broken", "40", "M", "L", "control", "Elsewhere", "1931-07-08", "70"),
        ("sub-Other", "forty", "?", "Gruenwald", "n/a", "", "", "778899"),
    )
    assert rows == [
        ["participant_id", "age", "sex", "handedness", "group", "weight"],
        ["sub-A1", "89", "F", "R", "patient of", "63.5"],
        ["sub-Other", "n/a", "n/a", "n/a", "n/a", "n/a"],
    ]
    assert audit["other", "table column", "X"] == 1
    assert audit["date_of_birth", "table column", "X"] == 1
    assert audit["row", "table", "X"] == 1
    assert table(("participant_id", "age"), ("sub-1", "5"), characteristics=False)[0] == [["participant_id"], ["sub-1"]]


def test_scans_sessions_and_events():
    rows, _ = table(
        ("filename", "acq_time"), ("sub-Gruenwald/ses-20210304/anat/sub-Gruenwald_T1w.nii.gz", "2021-03-04T10:11:12")
    )
    assert rows == [["filename"], ["sub-A1/ses-1/anat/sub-A1_T1w.nii.gz"]]
    assert table(("session_id", "acq_time", "pathology"), ("ses-20210304", "x", "n/a"))[0][1] == ["ses-1", "n/a"]
    rows, _ = table(
        ("onset", "duration", "trial_type", "onset", "response"), ("1.5", "n/a", '"face Gruenwald"', "20210304", "x")
    )
    assert rows == [["onset", "duration", "trial_type"], ["1.5", "n/a", "face"]]


@settings(deadline=None)
@given(st.lists(st.lists(planted | st.text(max_size=8), min_size=2, max_size=2), max_size=4))
def test_no_cell_carries_an_identifier(cells):
    for columns in (("onset", "trial_type"), ("age", "group"), ("Gruenwald", "value")):
        try:
            rows, audit = table(columns, *cells)
        except Rejected:
            continue
        assert not any(secret in str(rows[1:]) + str(audit) for secret in SECRETS)
        assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("data", [b"", b"a\tb\n1\n", b'age\n"5\n', b"\xff\xfe"])
def test_damaged_tables_are_refused(data):
    with pytest.raises(Rejected):
        sidecars.clean_table(data, scan, Counter(), rename)


def test_numbers():
    assert sidecars.clean_numbers(b"0 1000\t2000 \r\n-0.5 1e-3 nan\n\n") == b"0 1000 2000\n-0.5 1e-3 nan\n"
    for data in (b"0 Gruenwald", b"20210304", b"0x10", b"1" * 40, b"\x00", b"", b"inf"):
        with pytest.raises(Rejected):
            sidecars.clean_numbers(data)


@settings(deadline=None)
@given(st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=9))
def test_numbers_keep_their_value(numbers):
    out = sidecars.clean_numbers(" ".join(map(str, numbers)).encode())
    assert all(math.isclose(a, float(b)) for a, b in zip(numbers, out.split(), strict=True))


def test_the_list_of_keys_is_sound():
    kinds = {"number", "flag", "code", "text", "age", "sex", "name", "drop"}
    assert {rule["kind"] for rule in RULES} == kinds
    assert len({(rule["place"], rule["key"]) for rule in RULES}) == len(RULES)
    dropped = {rule["key"] for rule in RULES if rule["kind"] == "drop"}
    assert dropped >= {
        "IntendedFor",
        "AcquisitionTime",
        "InstitutionName",
        "PatientName",
        "DeviceSerialNumber",
        "acq_time",
    }
    listed = {rule["key"] for rule in RULES} - dropped
    assert not [
        key for key in listed if any(word in key for word in ("Date", "Address", "UID", "Serial", "Institution"))
    ]


def test_real_table_of_another_shape_keeps_nothing_it_does_not_know(real_data):
    """The metadata of a public set is no BIDS table: only columns of the list come through."""
    with (real_data / "covid_chest_xray" / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    buffer = io.StringIO()
    csv.writer(buffer, delimiter="\t").writerows(rows)
    out = sidecars.clean_table(buffer.getvalue().encode(), scan, Counter(), rename).decode().splitlines()
    known = {rule["key"] for rule in RULES if rule["kind"] != "drop"}
    assert set(out[0].split("\t")) <= known
    assert len(out) == len(rows)
