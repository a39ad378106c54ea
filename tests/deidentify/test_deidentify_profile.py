import datetime

import pytest
from deidentify_cases import SHARED
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, tag_for_keyword

from asclepius.deidentify import values
from asclepius.deidentify.crosswalk import Pseudonyms
from asclepius.deidentify.identifiers import Identifiers
from asclepius.deidentify.profile import TABLE, Treatment, decide, standard_vr
from asclepius.deidentify.standard import convert


def treatment(keyword, vr=None):
    tag = tag_for_keyword(keyword)
    return decide(tag, vr or standard_vr(tag)).treatment


def test_the_shipped_table_is_the_standards():
    source = SHARED / "standards" / "ps3.15_E.1-1_2024b.csv"
    if not source.exists():
        pytest.skip(f"{source} is not there")
    assert convert(source) == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("PatientName", Treatment.PSEUDONYM),
        ("PatientBirthDate", Treatment.EMPTY),
        ("StudyDate", Treatment.DATE),
        ("StudyTime", Treatment.EMPTY),
        ("StudyDescription", Treatment.REMOVE),
        ("AccessionNumber", Treatment.EMPTY),
        ("OtherPatientIDsSequence", Treatment.REMOVE),
        ("SOPInstanceUID", Treatment.UID),
        ("ReferencedImageSequence", Treatment.SEQUENCE),
        ("DeviceSerialNumber", Treatment.DUMMY),
        ("IconImageSequence", Treatment.REMOVE),
        ("EncapsulatedDocument", Treatment.DUMMY),
        ("PixelSpacing", Treatment.NUMBER),
        ("Rows", Treatment.KEEP),
        ("ConvolutionKernel", Treatment.TEXT),
        ("WaveformData", Treatment.REMOVE),
    ],
)
def test_decisions(keyword, expected):
    assert treatment(keyword) is expected


def test_nothing_that_names_dates_or_refers_is_ever_kept():
    for tag, entry in DicomDictionary.items():
        kept = decide(tag, entry[0]).treatment is Treatment.KEEP
        assert not (kept and entry[0] in ("PN", "DA", "DT", "TM", "UI", "AE", "UR", "AS", "LT", "ST", "UT", "UC")), (
            entry
        )


@given(tag=st.integers(0, 0xFFFFFFFF))
def test_private_overlay_and_unknown_elements_are_removed(tag):
    group = tag >> 16
    known = standard_vr(tag) is not None
    if group % 2 or group in range(0x6000, 0x6100) or group in range(0x5000, 0x5100) or not known:
        assert decide(tag, "LO").treatment is Treatment.REMOVE


def test_a_sequence_disguised_as_text_does_not_pass():
    assert treatment("AnatomicRegionSequence", "LO") is Treatment.REMOVE
    assert treatment("Manufacturer", "SQ") is Treatment.REMOVE
    assert treatment("Manufacturer", "OB") is Treatment.REMOVE
    assert treatment("Manufacturer", "PN") is Treatment.EMPTY


@given(st.dates(datetime.date(1900, 1, 1)), st.dates(datetime.date(1900, 1, 1)), st.integers(1, 3650))
def test_shifting_keeps_intervals(one, two, days):
    def moved(day):
        text = values.shifted(day.strftime("%Y%m%d"), days)
        return datetime.datetime.strptime(text, "%Y%m%d").date()

    assert moved(two) - moved(one) == two - one
    assert moved(one) != one


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20210304101112.5+0100", "20210303"),
        ("2021.03.04", "20210303"),
        ("20210304\\20210305", "20210303\\20210304"),
        ("2021", ""),
        ("Grünwald", ""),
        ("20211399", ""),
        ("00010101", ""),
    ],
)
def test_dates_as_found_in_files(text, expected):
    assert values.shifted(text, 1) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("058Y", "058Y"), ("090Y", "089Y"), ("411Y", "089Y"), ("58", "058Y"), ("013M", "013M"), ("old", ""), ("1Y2", "")],
)
def test_ages(text, expected):
    assert values.capped(text) == expected


def found(text, *, name="", number=""):
    known = Identifiers()
    known.add_name(name)
    known.add_number(number)
    return known.within(text), bool(known.in_bytes(text.encode()))


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("MULLER, CT", {"name": "Müller^Jo"}, True),
        ("scan of jomuller", {"name": "Müller^Jo"}, True),
        ("sleep study", {"name": "Lee^An"}, False),
        ("Lee, An", {"name": "Lee^An"}, True),
        ("standard kernel", {"name": "Stan^K"}, False),
        ("id 12-34-56", {"number": "123456"}, True),
        ("0.12345", {"number": "1234"}, False),
        ("no 1234!", {"number": "1234"}, True),
        ("anonymous", {"name": "anonymous"}, False),
    ],
)
def test_what_counts_as_found(text, arguments, expected):
    assert found(text, **arguments)[0] is expected


def test_pseudonyms_are_keyed_and_of_their_own_kind():
    one, two = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)
    assert one.patient("4711") == Pseudonyms(b"a" * 32).patient("4711") != two.patient("4711")
    assert one.patient("4711")[2:] != one.image("4711")[:10]
    assert one.uid("1.2.3") != two.uid("1.2.3")
    assert len(one.uid("1.2.3")) <= 64
    assert 1 <= one.days("4711") <= 3650
    assert one.site(None) is None
