"""Every transfer syntax with a decoder gives the picture back; the others are refused by name."""

import io

import numpy as np
import pydicom
import pydicom.uid as uid
import pytest
import resample_streams as streams
from PIL import Image
from pydicom.encaps import encapsulate
from resample_cases import dicom_bytes, shared

from asclepius.deidentify.pixels.jpeg import with_whole_scans
from asclepius.errors import Rejected
from asclepius.resample import dicom

RAMP = (np.add.outer(np.arange(16), np.arange(16)) * 100).astype(np.uint16)
GREY8 = (RAMP // 20).astype(np.uint8)


def compressed(syntax: str) -> bytes:
    """The ramp 4 x 4 times, compressed by pydicom's own encoders."""
    dataset = pydicom.dcmread(io.BytesIO(dicom_bytes(np.tile(RAMP, (4, 4)), Modality="MR")))
    dataset.compress(syntax, **({"j2k_cr": [4]} if syntax == uid.JPEG2000 else {}))
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def wrapped(pixels: np.ndarray, syntax: str, stream: bytes) -> bytes:
    return dicom_bytes(pixels, syntax=syntax, PixelData=encapsulate([stream]), Modality="MR")


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(GREY8).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def values(data: bytes) -> np.ndarray:
    return dicom.read([data], 0.0, 2).pixels[0, ..., 0]


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        pytest.param(lambda: dicom_bytes(RAMP, syntax=uid.ImplicitVRLittleEndian), 0, id="implicit"),
        pytest.param(lambda: dicom_bytes(RAMP, syntax=uid.ExplicitVRLittleEndian), 0, id="explicit"),
        pytest.param(lambda: dicom_bytes(RAMP, syntax=uid.ExplicitVRBigEndian), 0, id="big endian"),
        pytest.param(lambda: dicom_bytes(RAMP, syntax=uid.DeflatedExplicitVRLittleEndian), 0, id="deflated"),
        pytest.param(lambda: compressed(uid.RLELossless), 0, id="RLE"),
        pytest.param(lambda: compressed(uid.JPEG2000Lossless), 0, id="JPEG 2000 lossless"),
        pytest.param(lambda: compressed(uid.JPEG2000), 40, id="JPEG 2000"),
        pytest.param(lambda: wrapped(RAMP, uid.HTJ2KLossless, streams.HTJ2K), 0, id="HTJ2K lossless"),
        pytest.param(lambda: wrapped(RAMP, uid.HTJ2KLosslessRPCL, streams.HTJ2K), 0, id="HTJ2K RPCL"),
        pytest.param(lambda: wrapped(RAMP, uid.HTJ2K, streams.HTJ2K_LOSSY), 40, id="HTJ2K"),
        pytest.param(lambda: wrapped(RAMP, uid.JPEGLSLossless, streams.JPEG_LS), 0, id="JPEG-LS lossless"),
        pytest.param(lambda: wrapped(RAMP, uid.JPEGLSNearLossless, streams.JPEG_LS_NEAR), 2, id="JPEG-LS near"),
        pytest.param(lambda: wrapped(RAMP, uid.JPEGLossless, streams.JPEG_LOSSLESS), 0, id="JPEG lossless"),
    ],
)
def test_a_picture_comes_back(data, tolerance):
    found = values(data()).astype(int)
    np.testing.assert_allclose(found, np.tile(RAMP, [side // 16 for side in found.shape]), atol=tolerance)


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit])
def test_an_8_bit_jpeg_comes_back(syntax):
    np.testing.assert_allclose(values(wrapped(GREY8, syntax, jpeg())).astype(int), GREY8, atol=4)


def test_scans_of_a_sequential_jpeg_are_made_whole():
    good = jpeg()
    end = good.index(b"\xff\xda") + 2 + int.from_bytes(good[good.index(b"\xff\xda") + 2 :][:2], "big")
    bad = good[: end - 3] + b"\0\0\0" + good[end:]
    assert with_whole_scans(bad) == good
    assert with_whole_scans(good) == good
    progressive = good.replace(b"\xff\xc0", b"\xff\xc2", 1)[: end - 3] + b"\0\0\0" + good[end:]
    assert with_whole_scans(progressive) == progressive
    assert with_whole_scans(b"") == b""
    assert with_whole_scans(good[:30]) == good[:30]


@pytest.mark.parametrize(
    ("name", "twin"), [("wg04/MR4_JPLY.dcm", "wg04/MR4_JPLL.dcm"), ("pydicom/JPEG-lossy.dcm", "pydicom/JPEG-LL.dcm")]
)
def test_12_bit_jpeg_of_writers_that_leave_the_scan_open_is_read(name, twin):
    files = [(shared("dicom_formats") / path).read_bytes() for path in (name, twin)]
    lossy, exact = (dicom.decoded(dicom.parsed(data)).astype(float) for data in files)
    assert np.abs(lossy - exact).mean() < 4
    assert np.corrcoef(lossy.ravel(), exact.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.94"])
def test_a_syntax_without_decoder_is_refused_by_name(syntax):
    data = wrapped(RAMP, syntax.replace("110", "102"), b"\xff\x0a" + bytes(30))
    data = data.replace(b"1.2.840.10008.1.2.4.102", syntax.encode())  # pydicom writes no JPEG XL
    with pytest.raises(Rejected, match="undecodable: the pixels cannot be decoded") as caught:
        values(data)
    assert uid.UID(syntax).name in caught.value.sentence


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEGLossless, uid.HTJ2K, uid.JPEG2000])
def test_a_stream_without_its_end_is_refused(syntax):
    stream = {uid.JPEGLSLossless: streams.JPEG_LS, uid.JPEGLossless: streams.JPEG_LOSSLESS}.get(syntax, streams.HTJ2K)
    with pytest.raises(Rejected, match="truncated: compressed pixels stop before"):
        values(wrapped(RAMP, syntax, stream[:-20]))
