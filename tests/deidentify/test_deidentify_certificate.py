import datetime
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.deidentify import certificate as module
from asclepius.deidentify.certificate import Method, certificate
from asclepius.deidentify.profile import options
from asclepius.errors import REASONS

AUDIT = pd.DataFrame(
    [
        ("00100030", "PatientBirthDate", "Z", 4, 1200),
        ("00080080", "InstitutionName", "X", 4, 30),
        ("00081030", "StudyDescription", "X", 3, 12),
        ("descrip", "", "Z", 1, 1),
        ("00080018", "SOPInstanceUID", "U", 4, 900),
    ],
    columns=["tag", "keyword", "action", "images", "values"],
)
QUARANTINE = pd.DataFrame(
    [
        ("a1", "P-1", "deidentify", "burned-in-text", "text at the top"),
        ("a2", "P-1", "deidentify", "burned-in-text", "text at the top"),
        ("a3", None, "cohort", "truncated", "ends early"),
        ("a4", "P-2", "deidentify", "newly-thought-of", "turn it round"),
    ],
    columns=["image", "patient", "stage", "reason", "sentence"],
)


def method(preset="research", **other):
    chosen = options.PRESETS[preset]
    values = {"findings": 0} | other
    return Method(options=chosen, preset=preset, codes=tuple(options.codes(chosen, chosen)), **values)


def page(**other):
    values = {"released": 11234, "patients": 7, "audit": AUDIT, "quarantine": QUARANTINE} | other
    return certificate(values.pop("study", "mystudy"), values.pop("method", method()), **values)


class Text(HTMLParser):
    """Text of a page, and the rows of its tables; refuses tags that are not closed."""

    def __init__(self, html):
        super().__init__()
        self.words, self.rows, self.open, self.tags = [], [], [], set()
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_page_says_how_many_files_and_what_was_done():
    shown = Text(page())
    assert "11 234 files released" in shown.text  # the narrow space is among those joined by split()
    assert "7 patients" in shown.text
    assert "4 files left out" in shown.text
    assert "0 identifiers found afterwards" in shown.text
    assert "113107" in shown.text
    assert "2024b" in shown.text
    rows = {row[0]: row[1:] for row in shown.rows}
    assert list(rows)[-8:] == ["Code", "X", "Z", "U", "Reason", "burned in text", "newly thought of", "truncated"]
    assert rows["X"][1:] == ["2", "42", "InstitutionName, StudyDescription"]
    assert rows["Z"][1:] == ["2", "1\u202f201", "PatientBirthDate, descrip"]
    assert rows["burned in text"][0] == "2"
    # A reason that has no remedy of its own shows the sentence of its file.
    assert rows["newly thought of"] == ["1", "turn it round"]


def test_it_stands_alone():
    html = page()
    assert not Text(html).tags & {"script", "link", "img", "iframe", "object", "a", "form"}
    assert not re.search(r"https?:|url\(|@import|src=|href=", html)


def test_equal_arguments_give_equal_pages_and_no_clock_is_read():
    assert page() == page()
    assert not re.search(r"\b20\d\d-\d\d", page())
    assert "2031-02-03" in page(date=datetime.date(2031, 2, 3))


def test_the_audits_order_does_not_matter():
    assert page(audit=AUDIT.iloc[::-1]) == page(audit=AUDIT)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_names_cannot_break_the_page(name):
    html = page(study=name + "<script>alert(1)</script>", method=method(caveats=("</ul><b>" + name,)))
    assert not Text(html).tags & {"script", "b"}


def test_a_finding_turns_the_page_into_a_warning():
    assert "No known identifier is left" in page()
    html = page(method=method(findings=2))
    assert "Do not pass these files on" in html
    assert "No known identifier is left" not in html
    assert "2 of the patients" in Text(html).text


def test_caveats_follow_from_the_options():
    research, strict = (" ".join(module.caveats(method(preset))) for preset in ("research", "strict"))
    assert "Faces were kept" in research
    assert "Faces were kept" not in strict
    assert "serial numbers" in research
    assert "Dates and times were kept" not in research
    full = Method(frozenset({"full_dates"}), None, (), 0)
    assert "Dates and times were kept" in " ".join(module.caveats(full))
    assert "not searched for burned-in text" in " ".join(module.caveats(full))
    assert "options chosen one by one" in page(method=full)
    assert "ours alone" in page(method=method(caveats=("ours alone",)))


def test_the_proof_claims_no_more_than_was_searched():
    assert "names and dates in the headers" in Text(page()).text
    assert "numbers, UIDs, addresses" in Text(page()).text
    kept = Text(page(method=Method(frozenset({"full_dates", "uids"}), None, (), 0))).text
    assert "names and dates in" not in kept
    assert "numbers, addresses" in kept
    assert "ours alone" in page(method=method(proof="ours alone"))


def test_nothing_changed_and_nothing_left_out_is_said_in_words():
    shown = Text(page(audit=AUDIT.iloc[:0], quarantine=QUARANTINE.iloc[:0], released=1, patients=1))
    assert "Nothing had to be changed." in shown.text
    assert "every file of the source was released" in shown.text
    assert "1 patient 0" in shown.text


def test_a_summary_read_from_csv_is_as_good(tmp_path):
    AUDIT.to_csv(tmp_path / "audit.csv", index=False)
    assert page(audit=pd.read_csv(tmp_path / "audit.csv", dtype={"tag": str})) == page()


def test_many_reasons_stay_on_the_page_and_in_the_count():
    reasons = [name for rank, name in enumerate(sorted(REASONS)) for _ in range(rank + 1)]
    frame = pd.DataFrame({"reason": reasons, "sentence": "s"})
    rows = Text(page(quarantine=frame)).rows
    start = next(i for i, row in enumerate(rows) if row[0] == "Reason")
    files = [int(row[1]) for row in rows[start + 1 :]]
    assert len(files) <= 8
    assert sum(files) == len(frame)
    assert rows[-1][0] == "other reasons"
    assert min(REASONS) in rows[-1][2].replace(" ", "-")


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_reason_has_a_remedy(reason):
    assert reason in module.REMEDIES
