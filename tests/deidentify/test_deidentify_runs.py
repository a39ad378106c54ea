"""Runs of elements are for speed alone: files are the same bytes, and as strictly proven, with and without them."""

import struct
from collections.abc import Callable
from unittest.mock import patch

import pytest
from deidentify_cases import ct, encoded
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.deidentify.dicom import reading, runs
from asclepius.deidentify.dicom.harvest import learn
from asclepius.deidentify.dicom.rewriting import Written, rewrite
from asclepius.deidentify.dicom.runs import runs_of
from asclepius.deidentify.dicom.syntax import Coding, walk
from asclepius.deidentify.patient import Patient
from asclepius.deidentify.profile.decide import Policy
from asclepius.deidentify.proof import walker
from asclepius.deidentify.proof.dicom import prove
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import Rejected

PLAIN = Coding(implicit=False, little=True)
# Elements that come and go between the files of a series: public, stated anew by us, private with their creators.
OPTIONAL = {
    0x00080012: ("DA", [b"20210304", b"20210305"]),
    0x00080070: ("LO", [b"Acme", b"Zweistein"]),
    0x00090010: ("LO", [b"SIEMENS CT VA0  COAD", b"ACME HEADER 1.0 "]),
    0x00091010: ("LO", [b"PID-778899", b"harmless"]),
    0x00100010: ("PN", [b"Zweistein^Zoe ", b"Other^Name"]),
    0x00104000: ("LT", [b"call Zweistein", b"none"]),
    0x00120063: ("LO", [b"some method"]),
    0x00180050: ("DS", [b"1.25", b"2.5 "]),
    0x00190010: ("LO", [b"SIEMENS CT VA0  COAD"]),
    0x001910B0: ("IS", [b"12", b"13"]),
    0x00200013: ("IS", [b"1 ", b"2 ", b"3 "]),
    0x00280303: ("CS", [b"UNMODIFIED"]),
    0x00321060: ("LO", [b"Thorax", b"Thorax of Zoe "]),
}
Elements = list[tuple[int, bytes]]


@st.composite
def series(draw: st.DrawFn) -> list[tuple[Elements, bool]]:
    """Files that differ by some elements; in some the order of the elements is broken."""
    files = []
    for _ in range(draw(st.integers(2, 6))):
        chosen = draw(st.lists(st.sampled_from(sorted(OPTIONAL)), unique=True))
        elements = [(tag, draw(st.sampled_from(OPTIONAL[tag][1]))) for tag in chosen]
        files.append((elements, draw(st.integers(0, 9)) == 0))
    return files


def file(elements: Elements, broken: bool) -> bytes:
    """A CT slice with further elements, at their places or, if broken, two of them too early."""
    data = encoded(ct())
    begin = 132 + 12 + struct.unpack("<L", data[140:144])[0]
    places = walk(data, begin, len(data), PLAIN)
    found = {tag: data[at:end] for tag, at, end in places}
    for tag, value in elements:
        vr = OPTIONAL[tag][0].encode()
        head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value))
        found[tag] = head + value
    order = sorted(found)
    if broken:
        order = [order[5], *order[:5], *order[6:]]
    return data[:begin] + b"".join(found[tag] for tag in order)


def patient() -> Patient:
    return Patient.of("PID-778899", Pseudonyms(bytes(32)), Policy(DeidentifySettings().active, strict=False))


def released(files: list[bytes], prepare: Callable[[Patient], None], like: bool) -> list[Written]:
    someone, before, written = patient(), None, []
    for data in files:
        learn(reading.read(data), someone)
    for data in files:
        prepare(someone)
        before = source = reading.read(data, before if like else None)
        written.append(rewrite(source, someone, "fallback"))
        prove(b"".join(written[-1].parts), someone, written[-1].pixels)
    return written


@pytest.mark.parametrize("most", [2, 48])
@settings(deadline=None, max_examples=50)
@given(drawn=series())
def test_a_file_is_the_same_whatever_came_before_it(drawn, most):
    files = [file(*one) for one in drawn]
    with patch.object(runs, "_MOST", most), patch.object(walker, "_MOST", most):
        quick = released(files, lambda _: None, like=True)
    slow = released(files, Patient.forget, like=False)
    for one, other in zip(quick, slow, strict=True):
        assert b"".join(one.parts) == b"".join(other.parts)
        assert one.audit == other.audit


@settings(deadline=None)
@given(series())
def test_runs_hold_the_elements_of_the_file(drawn):
    like = []
    for one in drawn:
        data = file(*one)
        begin = 132 + 12 + struct.unpack("<L", data[140:144])[0]
        like, pixels = runs_of(data, begin, len(data), PLAIN, like)
        places = walk(data, begin, len(data), PLAIN)
        assert [(tag, raw) for run in like for tag, raw in zip(run.tags, run.raws, strict=True)] == [
            (tag, data[at:end]) for tag, at, end in places[:-1]
        ]
        assert pixels == places[-1]


@settings(deadline=None)
@given(series(), st.data())
def test_the_proof_finds_what_a_later_file_hides_among_known_bytes(drawn, data):
    """The second reader too compares with the file before: a name put into a later file must not slip through."""
    files = [file(elements, False) for elements, _ in drawn]
    someone = patient()
    for one in files:
        learn(reading.read(one), someone)
    for one in files[:-1]:
        clean = rewrite(reading.read(one), someone, "fallback")
        prove(b"".join(clean.parts), someone, clean.pixels)
    clean = rewrite(reading.read(files[-1]), someone, "fallback")
    sound = b"".join(clean.parts)
    places = walk(sound, sound.index(b"\x08\0\x05\0CS"), len(sound), PLAIN)
    tag, _, end = data.draw(st.sampled_from(places[:-1]))
    planted = struct.pack("<HH2sH", tag >> 16, (tag & 0xFFFF) + 1, b"LO", 10) + b"PID-778899"
    with pytest.raises(Rejected):
        prove(sound[:end] + planted + sound[end:], someone, clean.pixels)
    prove(sound, someone, clean.pixels)
