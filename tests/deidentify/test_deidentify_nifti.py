import gzip
import io
from collections import Counter

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asclepius.deidentify import nifti
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


@given(st.integers(0, 500))
def test_a_cut_file_is_never_released(length):
    data = volume().to_bytes()
    end = len(data) - 1 if length > len(data) else length
    with pytest.raises(Rejected) as caught:
        nifti.clean(data[:end], Counter())
    assert caught.value.reason in ("empty", "truncated", "unreadable")


def test_cut_gzip_and_other_files():
    packed = gzip.compress(volume().to_bytes())
    for data, reason in (
        (packed[:-20], "truncated"),
        (packed[:30] + b"\xff" * 40 + packed[70:], "unreadable"),
        (b"\x5c\x01\0\0" + bytes(400), "unreadable"),
        (b"text" * 200, "unreadable"),
    ):
        with pytest.raises(Rejected) as caught:
            nifti.clean(data, Counter())
        assert caught.value.reason == reason
