import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, tag_for_keyword

from asclepius.deidentify import values
from asclepius.deidentify.identifiers import Identifiers
from asclepius.deidentify.profile.decide import Policy, Treatment, standard_vr
from asclepius.deidentify.profile.options import NEEDED, PRESETS, chosen, codes, longitudinal
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.deidentify.text.clean import Text

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
POLICIES = {name: Policy(options, strict=name == "strict") for name, options in PRESETS.items()}


def decide(tag, vr, preset="research", sop_class=CT, options=None):
    return (POLICIES[preset] if options is None else Policy(frozenset(options))).decide(tag, vr, sop_class)


def treatment(keyword, vr=None, **where):
    tag = tag_for_keyword(keyword)
    return decide(tag, vr or standard_vr(tag), **where).treatment


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("PatientName", Treatment.PSEUDONYM),
        ("PatientBirthDate", Treatment.EMPTY),
        ("StudyDate", Treatment.DATE),
        ("StudyTime", Treatment.TIME),
        ("StudyDescription", Treatment.CLEAN),
        ("AccessionNumber", Treatment.EMPTY),
        ("OtherPatientIDsSequence", Treatment.REMOVE),
        ("SOPInstanceUID", Treatment.UID),
        ("ReferencedImageSequence", Treatment.SEQUENCE),
        ("DeviceSerialNumber", Treatment.TEXT),
        ("InstitutionName", Treatment.REMOVE),
        ("PatientAge", Treatment.AGE),
        ("FrameOfReferenceUID", Treatment.UID),
        ("IconImageSequence", Treatment.REMOVE),
        ("EncapsulatedDocument", Treatment.DUMMY),
        ("PixelSpacing", Treatment.NUMBER),
        ("Rows", Treatment.BULK),
        ("ConvolutionKernel", Treatment.TEXT),
        ("WaveformData", Treatment.BULK),
    ],
)
def test_decisions(keyword, expected):
    assert treatment(keyword) is expected


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_that_names_dates_or_refers_is_ever_kept(preset):
    for tag, entry in DicomDictionary.items():
        if entry[4] in ("DeviceUID", "ManufacturerDeviceClassUID"):  # what the option device retains
            continue
        kept = decide(tag, entry[0], preset).treatment is Treatment.KEEP
        assert not (kept and entry[0] in ("PN", "DA", "DT", "TM", "UI", "AE", "UR", "AS", "LT", "ST", "UT", "UC")), (
            entry
        )


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_takes_what_later_stages_need(preset):
    for keyword in NEEDED:
        gone = (Treatment.REMOVE, Treatment.EMPTY, Treatment.DUMMY)
        assert treatment(keyword, preset=preset) not in gone, keyword


@pytest.mark.parametrize(
    ("keyword", "options", "expected"),
    [
        ("StudyDate", [], Treatment.EMPTY),
        ("StudyDate", ["modified_dates"], Treatment.DATE),
        ("StudyDate", ["full_dates"], Treatment.TIME),
        ("DateOfLastCalibration", ["device", "modified_dates"], Treatment.DATE),
        ("DateOfLastCalibration", ["device"], Treatment.EMPTY),
        ("StudyInstanceUID", ["uids"], Treatment.KEEP),
        ("ReferencedImageSequence", ["uids"], Treatment.SEQUENCE),
        ("InstitutionName", ["institution"], Treatment.TEXT),
        ("PatientSex", [], Treatment.EMPTY),
        ("PatientSex", ["patient_characteristics"], Treatment.TERM),
        ("Allergies", ["patient_characteristics"], Treatment.CLEAN),
        ("SeriesDescription", ["descriptors"], Treatment.CLEAN),
        ("ContentSequence", [], Treatment.DUMMY),
        ("ContentSequence", ["structured_content"], Treatment.CONTENT),
        ("GraphicAnnotationSequence", ["graphics"], Treatment.SEQUENCE),
        ("OriginalAttributesSequence", ["descriptors", "uids", "device"], Treatment.REMOVE),
        ("DigitalSignaturesSequence", ["descriptors", "uids", "device"], Treatment.REMOVE),
    ],
)
def test_options_of_the_standard(keyword, options, expected):
    assert treatment(keyword, options=options) is expected


def test_compound_codes_go_by_the_type_in_the_object():
    """Device Serial Number (X/Z/D) is type 3 in CT Image, type 1 in Enhanced CT (PS3.3 C.7.5.1, C.7.5.2)."""
    assert treatment("DeviceSerialNumber", options=[]) is Treatment.REMOVE
    assert treatment("DeviceSerialNumber", options=[], sop_class=ENHANCED_CT) is Treatment.DUMMY


def test_options_are_stated_in_the_file_only_where_true():
    done = codes(PRESETS["tcia"], frozenset({"pixels"}))
    assert ("113101", "Clean Pixel Data Option") in done
    assert "113102" not in dict(done)
    assert [longitudinal(chosen(preset, None)) for preset in PRESETS] == ["REMOVED", "MODIFIED", "MODIFIED"]


def test_two_options_on_dates_are_refused():
    with pytest.raises(ValueError, match="exclude each other"):
        DeidentifySettings(options=["full_dates", "modified_dates"])


@pytest.mark.parametrize(
    ("text", "scanned", "cleaned"),
    [
        ("CT Thorax for Mueller, Karl-Heinz born 12.3.1960", "CT Thorax for born", "CT Thorax for"),
        ("t1_mprage_sag_p2_iso", "t1_mprage_sag_p2_iso", "t1_mprage_sag_p2_iso"),
        ("Mr Robert Miller, tel 555-1234, father", "father", "father"),
        ("MUEL-LER", "", ""),
        ("M\u00fcl\u00adler", "", ""),
        ("\uff2d\u00fcller", "", ""),
        ("accession A1234567 done", "done", "done"),
        ("brother Joe Quatermass", "brother Joe Quatermass", "brother"),
        ("MR Brain W/O 93-year-old", "MR Brain W/O", "MR Brain W/O"),
        ("DR CHEST PA", "DR CHEST PA", "DR CHEST PA"),
        ("call +49 (0)89 1234567 or x@y.de", "or", "or"),
        ("1.2.276.0.7230010.3.1.2.8323329", "", ""),
        ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2", None),
        ("0.5 mm B30f 512", "0.5 mm B30f 512", "0.5 mm B30f 512"),
    ],
)
def test_free_text(text, scanned, cleaned):
    known = Identifiers()
    known.add_name("Müller-Lüdenscheidt^Karl Heinz^^Dr.")
    known.add_date("1960", "03", "12")
    assert Text(known).scanned(text) == scanned
    if cleaned is not None:
        assert Text(known).cleaned(text) == cleaned


@settings(deadline=None)
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


@settings(deadline=None)
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
        ("20210304101112.5+0100", "20210303101112.5+0100"),
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
