import csv
import json
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.uid import UID_dictionary

from asclepius import provenance
from asclepius.deidentify.profile import tables
from asclepius.deidentify.profile.convert import convert, csv_table, table_text
from asclepius.errors import StudyError

PUBLISHED = ("ps3.15_E.1-1_2024b.csv", "ps3.15_E.3.4-1_2023b.csv", "ps3.15_E.3.10-1_2023b.csv")
OPTION_HEADERS = [
    "Rtn. Safe Priv. Opt.",
    "Rtn. UIDs Opt.",
    "Rtn. Dev. Id. Opt.",
    "Rtn. Inst. Id. Opt.",
    "Rtn. Pat. Chars. Opt.",
    "Rtn. Long. Full Dates Opt.",
    "Rtn. Long. Modif. Dates Opt.",
    "Clean Desc. Opt.",
    "Clean Struct. Cont. Opt.",
    "Clean Graph. Opt.",
]
HEADERS = {
    "table_E.1-1": [
        "Attribute Name",
        "Tag",
        "Retd. (from )",
        "In Std. Comp. IOD (from )",
        "Basic Prof.",
        *OPTION_HEADERS,
    ],
    "table_E.3.4-1": [
        *("Code Meaning", "Code Value", "Coding Scheme Designator", "Value Type", "Retd. (from )"),
        *("In Std. Tpl. (from )", "Basic Prof.", *OPTION_HEADERS[1:8]),
    ],
    "table_E.3.10-1": ["Data Element", "Private Creator", "VR", "VM", "Meaning"],
}


@pytest.fixture(scope="module")
def published(real_data):
    found = [real_data.parent / "standards" / name for name in PUBLISHED]
    for path in found:
        if not path.exists():
            pytest.skip(f"{path} is not there")
    return found


def docbook(path, contents, release="2031c", headers=HEADERS):
    """A part15.xml as the standard publishes it: header cells in bold with links, empty cells as <td/>."""

    def heading(text):
        linked = escape(text).replace("(from )", '(from <olink targetdoc="PS3.6" targetptr="PS3.6"/>)')
        return f'<th align="center"><para xml:id="p"><emphasis role="bold">{linked}</emphasis></para></th>'

    def cell(text):
        return f"<td>\n  <para>{escape(text)}</para>\n</td>" if text else "<td/>"

    made = "".join(
        f'<section><table frame="box" xml:id="{label}"><caption>A table</caption><thead><tr valign="top">'
        + "".join(map(heading, headers[label]))
        + "</tr></thead><tbody>"
        + "".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows)
        + "</tbody></table></section>"
        for label, rows in contents.items()
    )
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<book xmlns="http://docbook.org/ns/docbook" xmlns:xl="http://www.w3.org/1999/xlink" label="PS3.15">'
        f"<title>PS3.15</title><subtitle>DICOM PS3.15 {release} - Security</subtitle>{made}</book>",
        encoding="utf-8",
    )
    return path


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


SMALL = {
    "table_E.1-1": [
        ["Patient’s Name", "(0010,\u200b0010)", "N", "Y", "Z"],
        ["Study Date", "(0008,0020)", "N", "Y", "Z", "", "", "", "", "", "K", "C", "", "", ""],
        ["Patient's Newest Thing", "(0010,FFF1)", "N", "Y", "X/Z/\nU*", "", "K"],
        ["Overlay Data", "(60xx,3000)", "N", "Y", "X", *[""] * 9, "C"],
        ["Private Attributes", "(gggg,eeee) where gggg is odd", "N", "N", "X", "C"],
    ],
    "table_E.3.4-1": [["Comment", "121106", "DCM", "TEXT", "N", "Y", "X", *[""] * 6, "C"]],
    "table_E.3.10-1": [["(7053,xx09)", "Philips PET Private Group", "DS", "1", 'Factor "a", b']],
}


def test_the_shipped_tables_are_the_standards(published, tmp_path):
    for path in convert(published, tmp_path):
        expected = (tables.DATA / path.name).read_text(encoding="utf-8")
        if path.name == "releases.csv":
            expected = expected.replace(f"types,{tables.RELEASE['types']}\n", "")
        assert path.read_text(encoding="utf-8") == expected, path.name


def test_docbook_and_published_columns_give_the_same_tables(published, tmp_path):
    contents = {}
    for label, path in zip(HEADERS, published, strict=True):
        with open(path, encoding="utf-8", newline="") as handle:
            rows = list(csv.reader(handle))[1:]
        # E.1-1 was published without its column of retired attributes.
        contents[label] = [[*row[:2], "N", *row[2:]] if label == "table_E.1-1" else row for row in rows]
    convert([docbook(tmp_path / "part15.xml", contents)], tmp_path / "out")
    for name in ("attributes", "concepts", "private"):
        made = (tmp_path / "out" / f"{name}.csv").read_text(encoding="utf-8")
        assert made == (tables.DATA / f"{name}.csv").read_text(encoding="utf-8")


def test_a_newer_docbook_becomes_tables(tmp_path):
    convert([docbook(tmp_path / "part15.xml", SMALL)], tmp_path)
    found = {row["tag"]: row for row in rows_of(tmp_path / "attributes.csv")}
    assert list(found) == ["00080020", "00100010", "0010fff1", "60xx3000", "oddxxxxx"]
    assert found["00100010"]["name"] == "Patient's Name"
    assert found["00080020"] | {"full_dates": "K", "modified_dates": "C"} == found["00080020"]
    # Not in our dictionary: the keyword follows from the name.
    assert (found["0010fff1"]["keyword"], found["0010fff1"]["basic"]) == ("PatientNewestThing", "X/Z/U*")
    assert found["60xx3000"]["graphics"] == "C"
    assert found["oddxxxxx"]["safe_private"] == "C"
    assert rows_of(tmp_path / "private.csv")[0]["meaning"] == 'Factor "a", b'
    assert {row["release"] for row in rows_of(tmp_path / "releases.csv")} == {"2031c"}


@pytest.mark.parametrize(
    ("label", "rows", "message"),
    [
        ("table_E.1-1", [["Patient's Name", "(0010,0010)", "N", "Y", "Q"]], "unknown action"),
        ("table_E.1-1", [["Patient's Name", "(0010,0010)", "N", "Y", ""]], "unknown action"),
        ("table_E.1-1", [["Patient's Name", "(0010,0010)", "N", "Y", "Z", "", "", "D"]], "unknown action"),
        ("table_E.1-1", [["Patient's Name", "0010", "N", "Y", "Z"]], "is no tag"),
        ("table_E.1-1", [["Patient's Name", "(0010,0010)", "N", "Y", "Z", *[""] * 10, "C"]], "more cells"),
        ("table_E.3.10-1", [["(7054,xx09)", "Philips", "DS", "1", "even group"]], "no private tag"),
        ("table_E.3.10-1", [["(7053,1009)", "Philips", "DS", "1", "a block of its own"]], "no private tag"),
    ],
)
def test_a_table_that_cannot_be_understood_stops_the_conversion(tmp_path, label, rows, message):
    source = docbook(tmp_path / "part15.xml", SMALL | {label: rows})
    with pytest.raises(StudyError, match=message):
        convert([source], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_not_the_standard_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"table_E\.3\.10-1 not there"):
        convert([docbook(tmp_path / "a.xml", {k: v for k, v in SMALL.items() if "10" not in k})], tmp_path)
    headers = HEADERS | {"table_E.1-1": [name for name in HEADERS["table_E.1-1"] if "UIDs" not in name]}
    with pytest.raises(StudyError, match="no column for uids"):
        convert([docbook(tmp_path / "b.xml", SMALL, headers=headers)], tmp_path)
    (tmp_path / "c.xml").write_text("<book>")
    with pytest.raises(StudyError, match="well-formed"):
        convert([tmp_path / "c.xml"], tmp_path)
    (tmp_path / "d.csv").write_text("patient,age\n")
    with pytest.raises(StudyError, match="not table"):
        csv_table(tmp_path / "d.csv")
    spanned = docbook(tmp_path / "f.xml", SMALL)
    spanned.write_text(spanned.read_text(encoding="utf-8").replace("<td>", '<td rowspan="2">', 1), encoding="utf-8")
    with pytest.raises(StudyError, match="over several rows"):
        convert([spanned], tmp_path)
    with pytest.raises(StudyError, match="--release"):
        convert([docbook(tmp_path / "e.xml", SMALL, release="draft")], tmp_path)


def test_attribute_types_come_from_modules_macros_and_the_strictest_wins(tmp_path):
    def attribute(owner, path, kind):
        return {"moduleId": owner, "macroId": owner, "path": f"{owner}:{path}", "type": kind}

    files = {
        "module_to_attributes": [
            attribute("equipment", "00181000", "3"),
            attribute("enhanced", "00181000", "1"),
            attribute("enhanced", "00400001:00400002:00181000", "2"),
            attribute("normalised", "00181000", "None"),
        ],
        "macro_to_attributes": [attribute("frame", "00181000", "1C"), attribute("frame", "00400001:00181000", "3")],
        "ciod_to_modules": [
            {"ciodId": iod, "moduleId": module}
            for iod, module in (("old", "equipment"), ("older", "equipment"), ("new", "equipment"))
        ]
        + [{"ciodId": "new", "moduleId": "enhanced"}, {"ciodId": "old", "moduleId": "normalised"}],
        "ciod_to_fg_macros": [{"ciodId": "new", "macroId": "frame"}],
        "ciods": [{"id": name, "name": name.title()} for name in ("old", "older", "new")],
        "sops": [{"id": f"1.2.{i}", "name": f"{n} Storage", "ciod": n} for i, n in enumerate(("Old", "Older", "New"))],
    }
    package = tmp_path / "package" / "standard"
    package.mkdir(parents=True)
    for name, value in files.items():
        (package / f"{name}.json").write_text(json.dumps(value))
    with pytest.raises(StudyError, match=r"convert table E\.1-1 first"):
        convert([tmp_path / "package"], tmp_path, "2030")
    serial = ["Device Serial Number", "(0018,1000)", "N", "Y", "X/Z/D"]
    others = [["Accession Number", "(0008,0050)", "N", "Y", "Z"], ["Study Comments", "(0032,4000)", "Y", "N", "X"]]
    xml = docbook(tmp_path / "part15.xml", SMALL | {"table_E.1-1": [serial, *others]})
    convert([xml, tmp_path / "package"], tmp_path, "2030")
    types = {row["nested"]: row for row in rows_of(tmp_path / "types.csv")}
    classes = {row["uid"]: row["types"] for row in rows_of(tmp_path / "sop_classes.csv")}
    assert classes["1.2.0"] == classes["1.2.1"]  # equal in every type: one column
    assert (types["N"]["old"], types["Y"]["old"]) == ("", "")
    assert all(row["keyword"] == "DeviceSerialNumber" for row in types.values())  # in no IOD of the package: no row
    assert (types["N"]["new"], types["Y"]["new"]) == ("1", "1C")
    assert {"table": "types", "release": "2030"} in rows_of(tmp_path / "releases.csv")


def test_a_new_table_re_runs_the_stage():
    names = set()
    provenance._follow("asclepius.deidentify.profile.tables", names)
    assert "asclepius.deidentify.profile.data" in names  # so files beside that module count


def test_every_keyword_is_the_dictionarys():
    for tag, row in tables.attributes().items():
        assert row.keyword == keyword_for_tag(tag)
        assert set(row.options) <= set(tables.OPTIONS)


@settings(deadline=None)
@given(st.integers(0, 0xFFFFFFFF))
@example(0x60013000)
@example(0x50FF0005)
@example(0x60FE4000)
def test_repeating_and_odd_groups_follow_their_pattern(tag):
    group = tag >> 16
    row = tables.attribute(tag)
    if group % 2:
        assert (row.name, row.options) == ("Private Attributes", {"safe_private": "C"})
    elif 0x5000 <= group <= 0x50FF:
        assert row.name == "Curve Data"
    elif 0x6000 <= group <= 0x60FF:
        names = {0x3000: "Overlay Data", 0x4000: "Overlay Comments"}
        assert (row and row.name) == names.get(tag & 0xFFFF)
    else:
        assert row is tables.attributes().get(tag)


@pytest.mark.parametrize("tag", [0x60003000, 0x60FE3000, 0x60024000, 0x50000005, 0x50FE3000])
def test_overlays_and_curves_are_listed(tag):
    assert tables.attribute(tag).options == {"graphics": "C"}


def test_a_concept_is_found_by_code_scheme_and_value_type():
    report = tables.concept("371524004", "SCT", "COMPOSITE")
    assert (report.basic, report.options) == ("X", {"uids": "K"})
    assert tables.concept("371524004", "SCT", "TEXT").options == {"descriptors": "C"}
    # Before 2019 reports named SNOMED-RT codes, by three designators.
    for scheme in ("SRT", "SNM3", "99SDM"):
        assert tables.concept("R-42B89", scheme, "TEXT") == tables.concept("371524004", "SCT", "TEXT")
    assert tables.concept("15 ", "NCDR").meaning == "Admission DateTime"
    assert tables.concept("121106", "99LOCAL") is None
    assert tables.concept("1", "DCM") is None


def test_a_concept_in_an_unexpected_value_type_gets_the_harshest_action_and_no_option():
    assert tables.concept("121112", "DCM", "IMAGE").basic == "D"
    # A text where the table knows references only: options for references must not keep it.
    unexpected = tables.concept("121112", "DCM", "TEXT")
    assert (unexpected.basic, unexpected.options) == ("X", {})


@settings(deadline=None)
@given(st.integers(0, 255))
def test_safe_private_attributes_are_safe_in_any_block_of_their_creator_only(block):
    assert tables.safe_private("SIEMENS MR HEADER ", 0x0019, block << 8 | 0x0C)
    assert not tables.safe_private("SIEMENS MR HEADER", 0x0021, 0x0C)
    assert not tables.safe_private("SIEMENS CSA HEADER", 0x0019, 0x0C)
    assert not tables.safe_private("siemens mr header", 0x0019, 0x0C)
    assert tables.private_vr("SIEMENS MR HEADER\0", 0x0019, 0x0E) == "FD"


@pytest.mark.parametrize(
    ("sop_class", "keyword", "nested", "expected"),
    [
        (uid.CTImageStorage, "PatientID", False, "2"),
        (uid.CTImageStorage, "PatientID", True, "1"),
        (uid.CTImageStorage, "ContrastBolusAgent", False, "2"),
        (uid.CTImageStorage, "DeviceSerialNumber", False, "3"),
        (uid.EnhancedMRImageStorage, "DeviceSerialNumber", False, "1"),
        (uid.EnhancedMRImageStorage, "AcquisitionDateTime", False, "1C"),
        (uid.BasicTextSRStorage, "ContentDate", False, "1"),
        (uid.RTPlanStorage, "ContentDate", False, "3"),
        (uid.RTPlanStorage, "RTPlanDate", False, "2"),
        (uid.GrayscaleSoftcopyPresentationStateStorage, "ContentCreatorName", False, "2"),
        ("1.2.3.4", "DeviceSerialNumber", False, "1"),
        ("", "PatientID", False, "2"),
        (uid.CTImageStorage, "AccessionNumber", False, "2"),
        (uid.CTImageStorage, "PatientBirthDate", False, "2"),
        (uid.BasicTextSRStorage, "VerifyingObserverSequence", False, "1C"),
        (uid.CTImageStorage, "VerifyingObserverSequence", False, "3"),
        ("1.2.3.4", "StudyDescription", False, "3"),
        (uid.CTImageStorage, "Rows", False, "3"),
    ],
)
def test_types_are_those_of_the_iod(sop_class, keyword, nested, expected):
    assert tables.attribute_type(sop_class, tag_for_keyword(keyword), nested=nested) == expected


def test_every_compound_code_has_its_types_and_an_unknown_class_the_strictest():
    known = tables.sop_classes()
    assert set(known) <= set(UID_dictionary)
    strict = tables.TYPES.index
    for tag, row in tables.attributes().items():
        if "/" not in row.basic:
            continue
        for nested in (False, True):
            unknown = tables.attribute_type("1.2.3.4", tag, nested=nested)
            found = {tables.attribute_type(one, tag, nested=nested) for one in known}
            assert strict(unknown) == min(map(strict, found)), row.keyword
        assert {(tag, False), (tag, True)} & set(tables._types()), row.keyword


def test_a_table_keeps_its_order_however_its_source_is_sorted():
    rows = [{"tag": f"(0019,xx0{i})", "creator": "A", "vr": "DS", "vm": "1", "meaning": str(i)} for i in range(9)]
    assert table_text("private", rows) == table_text("private", rows[::-1])
