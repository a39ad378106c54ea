"""Bits beside the values: cleared where they tell something, untouched in sound images."""

import io

import numpy as np
import pydicom
import pytest
from deidentify_cases import ct, encoded
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, JPEG2000Lossless, RLELossless
from test_deidentify_dicom import patient
from test_deidentify_pixels_raster import pydicom_file

from asclepius.deidentify import buffers
from asclepius.deidentify.dicom import burned_in, reading, unused_bits
from asclepius.deidentify.dicom.harvest import learn
from asclepius.deidentify.dicom.rewriting import rewrite
from asclepius.deidentify.pixels.unused import Cell
from asclepius.deidentify.proof.dicom import prove
from asclepius.deidentify.settings import DeidentifySettings

RNG = np.random.default_rng(7)
VALUES = RNG.integers(0, 4096, (64, 64), dtype=np.uint16)
HIDDEN = VALUES.copy()
HIDDEN[20:30, 10:50:2] |= 1 << 13


def slice_of(cells, *, signed=False, padding=None, syntax=None, precision=12):
    """A CT slice of 12 bits in cells of 16; compressed, streams are of that precision."""
    d = ct()
    d.Rows, d.Columns = cells.shape
    d.BitsStored, d.HighBit, d.PixelRepresentation = precision, precision - 1, int(signed)
    if padding is not None:
        d.add_new(0x00280120, "US", padding)
    big = syntax == ExplicitVRBigEndian
    d.PixelData = (cells.byteswap() if big else cells).tobytes()
    if big:
        d.file_meta.TransferSyntaxUID = syntax
    elif syntax:
        d.compress(syntax, generate_instance_uid=False)
    d.BitsStored, d.HighBit = 12, 11
    buffer = io.BytesIO()
    d.save_as(buffer, enforce_file_format=True, implicit_vr=False, little_endian=not big)
    return buffer.getvalue()


def released(data, **options):
    """(stored cells as they come out, remarks of the audit, whether the pixels' bytes are the same)."""
    who, source = patient(), reading.read(data)
    learn(source, who)
    new = burned_in.clean(source, DeidentifySettings(**options))
    written = rewrite(source, who, "fallback", new)
    out = b"".join(bytes(part) for part in written.parts)
    prove(out, who, written.pixels)
    dataset = pydicom.dcmread(io.BytesIO(out))
    cells = pydicom.pixels.pixel_array(dataset, raw=True, correct_unused_bits=False)
    pixels = source.body[source.pixels.begin : source.pixels.end]
    return cells, {remark for _, remark, _ in written.audit}, bytes(written.pixels) == pixels


@pytest.mark.parametrize("syntax", [None, ExplicitVRBigEndian, RLELossless, JPEG2000Lossless])
def test_an_undeclared_overlay_goes(syntax):
    cells, remarks, _ = released(slice_of(HIDDEN, syntax=syntax, precision=16))
    assert np.array_equal(cells, VALUES)
    assert unused_bits.REMARK in remarks


def test_it_goes_whatever_the_options():
    cells, _, _ = released(slice_of(HIDDEN), options=[])
    assert np.array_equal(cells, VALUES)


def test_nothing_is_claimed_of_text():
    source = reading.read(slice_of(HIDDEN))
    assert not burned_in.clean(source, DeidentifySettings()).done


SIGNED = (VALUES.astype(np.int16) << 4) >> 4
PADDED = np.where(VALUES < 500, 63536, VALUES).astype(np.uint16)


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (VALUES, {}),
        (VALUES, {"syntax": RLELossless, "precision": 16}),
        (SIGNED, {"signed": True}),
        (SIGNED.view(np.uint16), {}),  # a header that forgets the sign
        (PADDED, {"padding": 63536}),
    ],
    ids=["zeros", "zeros in RLE", "sign", "sign without a header's", "padding"],
)
def test_sound_images_keep_their_bytes(cells, options):
    _, remarks, same = released(slice_of(cells, **options))
    assert same
    assert unused_bits.REMARK not in remarks


def test_undeclared_padding_and_text_beside_padding_go():
    assert unused_bits.REMARK in released(slice_of(PADDED))[1]
    mixed = PADDED.copy()
    mixed[5, 5] = 1 << 14
    assert unused_bits.REMARK in released(slice_of(mixed, padding=63536))[1]


def test_streams_without_room_are_not_decoded(monkeypatch):
    from asclepius.deidentify.pixels import clean

    monkeypatch.setattr(clean, "clean", lambda *_, **__: pytest.fail("decoded"))
    cells, remarks, _ = released(slice_of(VALUES, syntax=JPEG2000Lossless))
    assert np.array_equal(cells, VALUES)
    assert unused_bits.REMARK not in remarks


@pytest.mark.parametrize("name", ["MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "JPGExtended.dcm"])
def test_the_precision_of_a_stream_is_read(name):
    source = reading.read(encoded(pydicom_file(name)))
    bits = next(bits for bits in range(33) if not unused_bits.has_room(source, bits))
    assert bits == {"JPGExtended.dcm": 12}.get(name, 16)


@pytest.mark.parametrize("where", [0, -1])
def test_large_files_go_in_pieces(monkeypatch, where):
    cells = VALUES.copy()
    cells[where, where] |= 1 << 12
    monkeypatch.setattr(buffers, "CHUNK", 512)
    monkeypatch.setattr(unused_bits, "_IN_MEMORY", 1024)
    assert np.array_equal(released(slice_of(cells))[0], VALUES)
    assert released(slice_of(VALUES))[2]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_bit_out_of_line_is_seen(data):
    allocated = data.draw(st.sampled_from([8, 16, 32]))
    stored = data.draw(st.integers(2, allocated - 1))
    high = data.draw(st.integers(stored - 1, allocated - 1))
    signed = data.draw(st.booleans())
    cell = Cell(allocated, stored, high, signed)
    raw = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, (4, 30 * allocated // 8), np.uint8)
    cells = cell.proper(raw.view(f"{'i' if signed else 'u'}{allocated // 8}"))
    assert not cell.tells(lambda: cells)
    bits = [bit for bit in range(allocated) if cell.unused >> bit & 1]
    place, bit = data.draw(st.integers(0, cells.size - 1)), data.draw(st.sampled_from(bits))
    changed = cells.copy()
    changed.view(f"u{allocated // 8}").reshape(-1)[place] ^= changed.view(f"u{allocated // 8}").dtype.type(1 << bit)
    # A lone bit may complete the sign of its cell, never that of the others as well.
    assert cell.tells(lambda: changed) or (cells.view(f"u{allocated // 8}") & cell.unused).max() == 0
    assert np.array_equal(cell.proper(changed), cells)
