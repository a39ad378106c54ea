"""Hard cases in and around the pixels: compressed streams, frames, overlays, curves, icons, lookup tables."""

import struct

import numpy as np
from hard_bytes import element, elements, encapsulated, joined, sequence, text
from hard_cases import Draft, case
from pydicom.dataset import Dataset
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, JPEGBaseline8Bit, RLELossless

PIXELS = 0x7FE00010
# An 8 x 8 grey baseline JPEG, all of one value: SOI DQT SOF0 DHT DHT SOS data EOI.
_TABLE = bytes([255, 219, 0, 67, 0]) + b"\1" * 64
_FRAME = bytes([255, 192, 0, 11, 8, 0, 8, 0, 8, 1, 1, 17, 0])
_DC = bytes([255, 196, 0, 20, 0, 1]) + b"\0" * 15 + b"\0"
_AC = bytes([255, 196, 0, 20, 16, 1]) + b"\0" * 15 + b"\0"
_SCAN = bytes([255, 218, 0, 8, 1, 1, 0, 0, 63, 0, 63])


def jpeg(*segments: bytes) -> bytes:
    data = b"\xff\xd8" + b"".join(segments) + _TABLE + _FRAME + _DC + _AC + _SCAN + b"\xff\xd9"
    return data + b"\0" * (len(data) % 2)


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _grey(d: Draft, frames: int = 1) -> Dataset:
    """A CT of 8 bits, to be compressed."""
    one = d.ct()
    one.BitsAllocated = one.BitsStored = 8
    one.HighBit = 7
    one.LossyImageCompression = "01"
    if frames > 1:
        one.NumberOfFrames = frames
    return one


def _rle(one: Dataset) -> list[bytes]:
    return [RLELosslessEncoder.encode(
        one.PixelData, rows=8, columns=8, samples_per_pixel=1, bits_allocated=16, bits_stored=12,
        pixel_representation=0, number_of_frames=1, photometric_interpretation="MONOCHROME2")]  # fmt: skip


@case()
def encapsulated_rle(d):
    one = d.ct()
    pixels = encapsulated(_rle(one))
    d.file(one, [pixels], without=[PIXELS], syntax=RLELossless)


@case()
def encapsulated_with_offsets(d):
    one, frames = _grey(d, 3), [jpeg()] * 3
    offsets = struct.pack("<3L", *(k * (len(frames[0]) + 8) for k in range(3)))
    d.file(one, [encapsulated(frames, offsets)], without=[PIXELS], syntax=JPEGBaseline8Bit)
    d.keep("NumberOfFrames", 3)


@case(may_quarantine=True)
def jpeg_comment(d):
    said = d.plant(f"FILM{660000 + d.number}", "id", "JPEG comment segment")
    frame = jpeg(_segment(0xFE, f"{d.family} {d.given} {said}".encode()))
    d.file(_grey(d), [encapsulated([frame])], without=[PIXELS], syntax=JPEGBaseline8Bit)


@case(may_quarantine=True)
def jpeg_application_segments(d):
    said = d.plant(f"{d.given.lower()}@{d.town.lower()}.example", "email", "JPEG Exif segment")
    exif = b"Exif\0\0II*\0" + f"{d.family} {said}".encode()
    frame = jpeg(_segment(0xE1, exif), _segment(0xED, b"Photoshop 3.0\0" + d.patient.encode()))
    d.file(_grey(d), [encapsulated([frame])], without=[PIXELS], syntax=JPEGBaseline8Bit)


@case(may_quarantine=True)
def jpeg_behind_the_end(d):
    d.file(_grey(d), [encapsulated([jpeg() + f"{d.family} {d.patient}".ljust(60).encode()])], without=[PIXELS],
           syntax=JPEGBaseline8Bit)  # fmt: skip


@case(may_quarantine=True)
def gap_in_offsets(d):
    """A fragment that no entry of the basic offset table points to."""
    frame, gap = jpeg(), f"{d.family} {d.patient} ".encode().ljust(50)
    offsets = struct.pack("<2L", 0, len(frame) + 8 + len(gap) + 8)
    one = _grey(d, 2)
    d.file(one, [encapsulated([frame, gap, frame], offsets)], without=[PIXELS], syntax=JPEGBaseline8Bit)


@case(may_quarantine=True)
def text_as_offsets(d):
    offsets = f"{d.family} {d.patient}".encode().ljust(40)
    d.file(_grey(d), [encapsulated([jpeg()], offsets)], without=[PIXELS], syntax=JPEGBaseline8Bit)


@case(may_quarantine=True)
def unused_fragment(d):
    frames = [jpeg(), f"{d.given} {d.family} {d.patient}".ljust(64).encode()]
    d.file(_grey(d), [encapsulated(frames)], without=[PIXELS], syntax=JPEGBaseline8Bit)


@case(may_quarantine=True)
def text_in_rle_header(d):
    """The RLE header has 15 offsets; those behind the last segment mean nothing."""
    one = d.ct()
    frame = bytearray(_rle(one)[0])
    frame[16:64] = f"{d.family} {d.given} {d.patient}".encode().ljust(48)[:48]
    d.file(one, [encapsulated([bytes(frame)])], without=[PIXELS], syntax=RLELossless)


@case()
def frames_enhanced(d):
    """Enhanced CT: identifiers in functional groups, per frame and shared."""
    one = d.ct()
    del one.ImagePositionPatient, one.ImageOrientationPatient, one.PixelSpacing, one.SliceThickness
    one.SOPClassUID, one.NumberOfFrames = EnhancedCTImageStorage, 2
    one.PixelData = np.arange(128, dtype="<u2").tobytes()
    shared, frame = Dataset(), Dataset()
    content = Dataset()
    content.FrameAcquisitionDateTime = f"{d.day:%Y%m%d}101112.5"
    content.FrameReferenceDateTime = f"{d.day:%Y%m%d}101113+0100"
    content.FrameComments = f"Mr {d.given} {d.family} moved"
    frame.FrameContentSequence = Sequence([content])
    source = Dataset()
    source.ReferencedSOPClassUID = one.SOPClassUID
    source.ReferencedSOPInstanceUID = d.plant(d.uid("source"), "uid", "frame's source image")
    shared.ReferencedImageSequence = Sequence([source])
    one.SharedFunctionalGroupsSequence = Sequence([shared])
    one.PerFrameFunctionalGroupsSequence = Sequence([frame, frame])
    d.file(one)
    d.keep("NumberOfFrames", 2)


@case()
def overlay(d):
    """An overlay plane with its label, description and pixels; text in its unused bits."""
    said = d.plant(f"OVL{770000 + d.number}", "id", "overlay")
    extra = [
        element(0x60000010, "US", struct.pack("<H", 8)),
        element(0x60000011, "US", struct.pack("<H", 8)),
        text(0x60000022, "LO", f"{d.family} {said}"),
        text(0x60000040, "CS", "G"),
        element(0x60000050, "SS", struct.pack("<hh", 1, 1)),
        element(0x60000100, "US", struct.pack("<H", 1)),
        element(0x60000102, "US", struct.pack("<H", 0)),
        text(0x60001500, "LO", f"{d.given} {d.family}"),
        element(0x60003000, "OW", said.encode() + b" " * (len(said) % 2)),
        text(0x60224000, "LT", f"comment {d.patient}"),
    ]
    d.file(d.ct(), extra)


@case()
def curve(d):
    said = d.plant(f"CRV{780000 + d.number}", "id", "curve")
    extra = [
        text(0x50000022, "LO", f"{d.family} {said}"),
        text(0x50000030, "SH", d.patient),
        element(0x50003000, "OW", f"{d.given} {d.family}".ljust(40).encode()),
        text(0x50042610, "LT", f"Label {d.family}"),
    ]
    d.file(d.ct(), extra)


@case()
def icon(d):
    """An icon image with pixels of its own and a name in its palette."""
    one, small = d.ct(), Dataset()
    small.SamplesPerPixel, small.PhotometricInterpretation = 1, "MONOCHROME2"
    small.Rows = small.Columns = 8
    small.BitsAllocated = small.BitsStored = 8
    small.HighBit, small.PixelRepresentation = 7, 0
    small.PixelData = f"{d.family} {d.given} {d.patient}".ljust(64).encode()
    small["PixelData"].VR = "OB"
    one.IconImageSequence = Sequence([small])
    d.file(one)


@case()
def lookup_table(d):
    """LUT explanation, and window explanations."""
    one, lut = d.ct(), Dataset()
    lut.LUTDescriptor = [2, 0, 16]
    lut.LUTExplanation = f"for {d.given} {d.family}"
    lut.LUTData = b"\0\0\xff\xff"
    one.ModalityLUTSequence = Sequence([lut])
    one.WindowCenter, one.WindowWidth = 40, 400
    one.WindowCenterWidthExplanation = f"ask {d.family}"
    del one.RescaleIntercept, one.RescaleSlope
    d.file(one)


@case()
def identifiers_as_numbers(d):
    """Letters in binary attributes."""
    one = d.ct()
    name = d.family.encode().ljust(12)[:12]
    del one.PixelData
    extra = [
        element(0x00280009, "AT", name),
        element(0x00281101, "US", name[:6]),
        element(0x00189328, "FD", d.patient.encode().ljust(8)[:8]),
        element(0x00186016, "UL", name),
        element(0x00280106, "US", name[:2]),
        element(0x00186028, "FD", d.family.encode().ljust(16)[:16]),
        element(PIXELS, "OW", d.ct().PixelData),
    ]
    d.file(one, extra)


@case()
def pixel_provider(d):
    one = d.ct()
    url = f"https://pacs.{d.town.lower()}.example/{d.family}/{d.patient}.jp2"
    d.file(one, [text(0x00287FE0, "UR", url)])


@case()
def extended_offsets(d):
    """The extended offset table holds text."""
    said = f"{d.family} {d.patient}".encode().ljust(32)[:32]
    extra = [element(0x7FE00001, "OV", said), element(0x7FE00002, "OV", said), encapsulated([jpeg()])]
    d.file(_grey(d), extra, without=[PIXELS], syntax=JPEGBaseline8Bit)


@case()
def source_images(d):
    """References to other instances, in several sequences."""
    one = d.ct()
    for number, keyword in enumerate(("SourceImageSequence", "ReferencedImageSequence", "ReferencedStudySequence")):
        ref = Dataset()
        ref.ReferencedSOPClassUID = one.SOPClassUID
        ref.ReferencedSOPInstanceUID = d.plant(d.uid(f"ref{number}"), "uid", keyword)
        setattr(one, keyword, Sequence([ref]))
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = d.uid(1)
    one.ReferencedPerformedProcedureStepSequence = Sequence([inner])
    d.file(one, [sequence(0x00089121, [joined(elements(inner))])])
