import gzip
import io
import struct
import tracemalloc
from collections import Counter

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius.deidentify import nifti
from asclepius.deidentify.identifiers import Identifiers
from asclepius.errors import Rejected


def volume(kind=nib.Nifti1Image, dtype=np.int16, order="<"):
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(dtype)
    image = kind(array, np.diag([2.0, 2, 3, 1]), header)
    image.header["descrip"] = b"Gruenwald 1931"
    image.header["aux_file"] = b"/home/gruenwald.nii"
    image.header["intent_name"] = b"Zoe"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"PID-778899"))
    return image


def gruenwald():
    identifiers = Identifiers()
    identifiers.add_name("Gruenwald^Zoe")
    identifiers.add_number("778899")
    return identifiers


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [False, True])
def test_text_goes_and_voxels_stay(kind, order, packed):
    image = volume(kind, order=order)
    data = image.to_bytes() + b"Gruenwald behind the end"
    if packed:
        buffer = io.BytesIO()
        with gzip.GzipFile("gruenwald.nii", "wb", fileobj=buffer, mtime=1234567) as file:
            file.write(data)
        data = buffer.getvalue() + b"Gruenwald"
    audit = Counter()
    out = nifti.clean(data, audit)
    nifti.prove(out, gruenwald())
    if packed:
        assert out[3:8] == bytes(5)  # no name, no time
        assert b"uenwald" not in out
        out = gzip.decompress(out)
    assert b"uenwald" not in out
    assert b"778899" not in out
    again = kind.from_bytes(out)
    assert np.array_equal(again.get_fdata(), image.get_fdata())
    assert np.array_equal(again.affine, image.affine)
    assert again.get_data_dtype() == image.get_data_dtype()
    assert {tag for tag, _, _ in audit} >= {"descrip", "extensions", "trailing bytes"}
    assert nifti.clean(out, Counter()) == out


@pytest.mark.parametrize(("kind", "size"), [(nib.Nifti1Image, 348), (nib.Nifti2Image, 540)])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_place_of_the_header_carries_a_name(kind, size, data):
    """A name written anywhere over a sound header goes; as a plausible number it is found by the proof."""
    raw = bytearray(volume(kind, order=data.draw(st.sampled_from("<>"))).to_bytes())
    at = data.draw(st.integers(4, size + 4 - 9))
    raw[at : at + 9] = b"GRUENWALD"
    try:
        out = nifti.clean(bytes(raw), Counter())
        nifti.prove(out, gruenwald())
        reason = None
    except Rejected as rejected:
        reason = rejected.reason
    if reason:
        assert reason in ("unreadable", "truncated", "identity")
    else:
        assert b"GRUENWALD" not in out[:size]
        assert not any(out[148:252] if size == 348 else out[240:344])


@given(st.binary(min_size=348, max_size=600))
def test_arbitrary_bytes_are_refused_or_proven(junk):
    for head in (b"", b"\x5c\x01\0\0", b"\0\0\x02\x1c"):
        try:
            out = nifti.clean(head + junk, Counter())
        except Rejected:
            continue
        nifti.prove(out, Identifiers())


def test_numbers_that_are_none():
    image = volume()
    header = bytearray(image.to_bytes())
    struct.pack_into("<I", header, 132, 0x7FC04A4F)  # slice_duration: a NaN with two letters in it
    struct.pack_into("<f", header, 136, 1e-40)  # toffset
    struct.pack_into("<f", header, 76 + 6 * 4, 777.0)  # pixdim of an axis that is not there
    struct.pack_into("<h", header, 40 + 6 * 2, 777)
    struct.pack_into("<f", header, 56, 778899.0)  # a parameter without an intent
    struct.pack_into("<f", header, 112, float("nan"))  # scl_slope
    audit = Counter()
    out = nifti.clean(bytes(header), audit)
    again = nib.Nifti1Header(out[:348])
    assert [float(again[name]) for name in ("slice_duration", "toffset", "intent_p1")] == [0, 0, 0]
    assert list(again["pixdim"][4:]) == [1] * 4
    assert list(again["dim"]) == [3, 3, 4, 5, 1, 1, 1, 1]
    assert {tag for tag, _, _ in audit} >= {"slice_duration", "toffset", "dim", "scl_slope"}
    assert np.array_equal(nib.Nifti1Image.from_bytes(out).get_fdata(), image.get_fdata())


def test_a_damaged_transform_goes_whole_and_a_sound_one_stays_to_the_bit():
    image = volume()
    angle = np.diag([2.0, 2, 3, 1])
    angle[:2, :2] = [[1.9, -0.6], [0.6, 1.9]]
    angle[2, 0] = 1e-17  # what a rotation leaves
    image.set_sform(angle, 1)
    image.set_qform(angle, 2, strip_shears=True)
    header = bytearray(image.to_bytes())
    out = nifti.clean(bytes(header), Counter())
    assert out[252:328] == header[252:328]
    struct.pack_into("<f", header, 284, float("nan"))
    out = nifti.clean(bytes(header), Counter())
    assert out[280:328] == bytes(48)
    assert out[252:256] == b"\2\0\0\0"  # sform_code gone, qform_code not


def test_dtypes_of_every_size_keep_their_bytes():
    rng = np.random.default_rng(0)
    rgb = np.zeros((3, 3, 2), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    rgb["G"] = rng.integers(0, 255, rgb.shape)
    for array in (rgb, (rng.random((4, 3, 2)) + 1j).astype(np.complex64), rng.random((3, 4)).astype(np.float64)):
        data = nib.Nifti1Image(array, np.eye(4)).to_bytes()
        out = nifti.clean(data, Counter())
        assert out[352:] == data[352:]
        assert np.array_equal(np.asanyarray(nib.Nifti1Image.from_bytes(out).dataobj), array)


def test_bytes_do_not_hide_behind_a_wrong_number_of_bits():
    data = bytearray(volume().to_bytes())
    struct.pack_into("<h", data, 72, 64)
    out = nifti.clean(bytes(data) + b"Gruenwald" * 200, Counter())
    assert b"Gruenwald" not in out


def test_concatenated_gzip_members():
    data = volume().to_bytes()
    packed = gzip.compress(data[:100]) + gzip.compress(data[100:400]) + gzip.compress(data[400:] + b"Gruenwald")
    assert gzip.decompress(nifti.clean(packed, Counter()))[352:] == volume().to_bytes()[-120:]


def test_the_proof_finds_what_cleaning_might_leave():
    sound = nifti.clean(volume().to_bytes(), Counter())
    for at, value in ((148, b"x"), (328, b"x"), (348, b"\1"), (32, b"\1"), (len(sound), b"x")):
        spoilt = sound[:at] + value + sound[at + 1 :]
        with pytest.raises(Rejected, match="identity"):
            nifti.prove(spoilt, Identifiers())
    with pytest.raises(Rejected, match="identity"):
        nifti.prove(sound[:280] + b"gruenwald" + sound[289:], gruenwald())
    packed = bytearray(gzip.compress(sound, mtime=99))
    with pytest.raises(Rejected, match="identity"):
        nifti.prove(bytes(packed), Identifiers())


@given(st.integers(0, 500))
def test_a_cut_file_is_never_released(length):
    data = volume().to_bytes()
    end = len(data) - 1 if length > len(data) else length
    with pytest.raises(Rejected) as caught:
        nifti.clean(data[:end], Counter())
    assert caught.value.reason in ("empty", "truncated", "unreadable")


def test_cut_gzip_and_other_files():
    packed = gzip.compress(volume().to_bytes())
    far = bytearray(volume().to_bytes())
    struct.pack_into("<f", far, 108, float("nan"))
    for data, reason in (
        (packed[:-20], "truncated"),
        (packed[:30] + b"\xff" * 40 + packed[70:], "unreadable"),
        (gzip.compress(b""), "empty"),
        (b"\x5c\x01\0\0" + bytes(400), "unreadable"),
        (b"text" * 200, "unreadable"),
        (bytes(far), "unreadable"),
        (gzip.compress(volume().to_bytes() + bytes(1 << 25)), "unreadable"),
    ):
        with pytest.raises(Rejected) as caught:
            nifti.clean(data, Counter())
        assert caught.value.reason == reason


def test_a_large_file_streams_in_little_memory(tmp_path):
    """200 MB of voxels, compressed, pass in less than 20 MB."""
    image = nib.Nifti1Header()
    image.set_data_shape((400, 500, 500))
    image.set_data_dtype(np.int16)
    image["vox_offset"], image["magic"] = 352, b"n+1"
    with gzip.open(tmp_path / "a.nii.gz", "wb", compresslevel=1) as file:
        file.write(image.binaryblock + bytes(4))
        for _ in range(200):
            file.write(bytes(1_000_000))
    tracemalloc.start()
    with open(tmp_path / "a.nii.gz", "rb") as source, open(tmp_path / "b.nii.gz", "wb") as target:
        nifti.clean_stream(source, target, Counter())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert nib.load(tmp_path / "b.nii.gz").shape == (400, 500, 500)


def test_real_volumes(real_data):
    """All NIfTI files at hand: voxels and affine stay, the proof holds."""
    paths = sorted(real_data.rglob("*.nii.gz"))
    small = [path for path in paths if path.stat().st_size < 2_000_000]
    assert small
    for path in small[::12]:
        data = path.read_bytes()
        out = nifti.clean(data, Counter())
        nifti.prove(out, gruenwald())
        before, after = nib.Nifti1Image.from_bytes(gzip.decompress(data)), nib.Nifti1Image.from_bytes(
            gzip.decompress(out)
        )  # fmt: skip
        assert np.array_equal(before.dataobj.get_unscaled(), after.dataobj.get_unscaled()), path
        assert np.array_equal(before.affine, after.affine), path
        assert before.header.get_slope_inter() == after.header.get_slope_inter(), path
