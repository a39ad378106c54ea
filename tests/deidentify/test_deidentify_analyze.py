import gzip
import io
from collections import Counter

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.deidentify import nifti
from asclepius.deidentify.identifiers import Identifiers
from asclepius.errors import Rejected

HIST = ("descrip", "aux_file", "generated", "scannum", "patient_id", "exp_date", "exp_time", "hist_un0")


def pair(kind=nib.Spm99AnalyzeImage, order="<"):
    """Header and image bytes of a small volume with a patient in every text field."""
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    image = kind(array, np.diag([-2.0, 2, 3, 1]), header)
    files = {name: nib.FileHolder(fileobj=io.BytesIO()) for name in ("header", "image", "mat")}
    image.to_file_map({name: holder for name, holder in files.items() if name in image.files_types_names()})
    return array, files["header"].fileobj.getvalue(), files["image"].fileobj.getvalue()


nib.Spm99AnalyzeImage.files_types_names = classmethod(lambda cls: [name for name, _ in cls.files_types])
nib.Nifti1Pair.files_types_names = nib.Spm99AnalyzeImage.files_types_names


def load(kind, header, image):
    return kind.from_file_map({
        "header": nib.FileHolder(fileobj=io.BytesIO(header)),
        "image": nib.FileHolder(fileobj=io.BytesIO(image)),
        "mat": nib.FileHolder(fileobj=io.BytesIO()),
    } if kind is nib.Spm99AnalyzeImage else {
        "header": nib.FileHolder(fileobj=io.BytesIO(header)),
        "image": nib.FileHolder(fileobj=io.BytesIO(image)),
    })  # fmt: skip


def planted(header, order):
    raw = nib.spm99analyze.Spm99AnalyzeHeader(header, endianness=order, check=False)
    for name in HIST:
        raw[name] = b"GRUENWALD"[: raw[name].dtype.itemsize]
    raw["data_type"], raw["db_name"], raw["vox_units"], raw["cal_units"] = b"GRUENWA", b"GRUENWALD", b"ZOE", b"778899"
    for name in ("views", "vols_added", "start_field", "omax", "smin", "compressed", "verified", "unused1", "dim_un0"):
        raw[name] = 7788
    return raw.binaryblock


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True])
def test_an_analyze_pair_keeps_geometry_and_voxels_alone(order, packed):
    array, header, image = pair(order=order)
    header = planted(header, order)
    audit = Counter()
    given_files = (gzip.compress(header), gzip.compress(image)) if packed else (header, image + b"Gruenwald")
    out_header, out_image = nifti.clean_pair(*given_files, audit)
    if packed:
        assert out_header[:2] == out_image[:2] == nifti.GZIP
        out_header, out_image = gzip.decompress(out_header), gzip.decompress(out_image)
    nifti.prove(out_header, Identifiers())
    assert len(out_header) == 348
    assert out_image == image
    for text in (b"GRU", b"ZOE", b"7788", (7788).to_bytes(2, "little"), (7788).to_bytes(2, "big")):
        assert text not in out_header
    again = load(nib.Spm99AnalyzeImage, out_header, out_image)
    before = load(nib.Spm99AnalyzeImage, header, image)
    assert np.array_equal(again.get_fdata(), array)
    assert np.array_equal(again.affine, before.affine)
    assert np.array_equal(again.header["origin"], before.header["origin"])
    assert {"patient_id", "exp_date", "descrip", "views"} <= {tag for tag, _, _ in audit}


@pytest.mark.parametrize("text", [b"GRUENWALD", b"Z1931", b"\1\0\2\0\3\0ZO"])
def test_an_originator_that_is_a_name_goes(text):
    _, header, image = pair()
    raw = header[:253] + text.ljust(10, b"\0") + header[263:]
    out, _ = nifti.clean_pair(raw, image, Counter())
    assert out[253:263] == bytes(10)


@given(at=st.integers(4, 339), order=st.sampled_from("<>"))
@settings(max_examples=200, deadline=None)
def test_no_place_of_an_analyze_header_carries_a_name(at, order):
    """Behind the numbers nothing stays; among them the proof finds it."""
    _, header, image = pair(order=order)
    identifiers = Identifiers()
    identifiers.add_name("Gruenwald^Zoe")
    raw = header[:at] + b"GRUENWALD" + header[at + 9 :]
    try:
        out, _ = nifti.clean_pair(raw, image, Counter())
        nifti.prove(out, identifiers)
        reason = None
    except Rejected as rejected:
        reason = rejected.reason
    if reason:
        assert reason in ("unreadable", "truncated", "identity")
        assert at < 148
    else:
        assert b"GRUENWALD" not in out
        assert not any(out[148:252])


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_nifti_pair(order):
    array, header, image = pair(nib.Nifti1Pair, order)
    raw = bytearray(header[:348]) + b"\1\0\0\0" + b"\x20\0\0\0\6\0\0\0Gruenwald".ljust(32, b"\0")
    raw[148:157] = b"Gruenwald"
    out, voxels = nifti.clean_pair(bytes(raw), image, Counter())
    assert b"Gruenwald" not in out
    nifti.prove(out, Identifiers())
    assert voxels == image
    assert np.array_equal(load(nib.Nifti1Pair, out, voxels).get_fdata(), array)


def test_half_a_pair_is_refused():
    _, header, image = pair()
    single = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).to_bytes()
    for files, reason in (
        ((header, b""), "empty"),
        ((header, image[:-1]), "truncated"),
        ((header[:300], image), "truncated"),
        ((single, image), "unreadable"),
        ((header[:40] + b"\x63\0" + header[42:], image), "unreadable"),
    ):
        with pytest.raises(Rejected) as caught:
            nifti.clean_pair(*files, Counter())
        assert caught.value.reason == reason
    with pytest.raises(Rejected, match="pair"):
        nifti.clean(header, Counter())
