"""Hard cases of the encoding: syntaxes, lengths, depth, order, what stands before and behind the data set."""

import struct

import numpy as np
from hard_bytes import element, elements, item, joined, nested, sequence, text
from hard_cases import Draft, case
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

PREFIX = b"\0" * 128 + b"DICM"


def _history(d: Draft) -> Dataset:
    """A request item full of names, as scanners write it."""
    one = Dataset()
    one.RequestedProcedureDescription = f"Thorax {d.family}"
    one.RequestedProcedureID = d.plant(f"RP{520000 + d.number}", "id", "RequestAttributesSequence")
    one.ScheduledProcedureStepID = d.plant(f"SPS{330000 + d.number}", "id", "RequestAttributesSequence")
    one.RequestingPhysician = f"{d.plant(d.other(7), 'name', 'RequestAttributesSequence')}^Eve"
    return one


@case()
def plain_explicit(d):
    one = d.ct()
    one.RequestAttributesSequence = Sequence([_history(d)])
    d.file(one)


@case()
def implicit(d):
    one = d.ct()
    one.RequestAttributesSequence = Sequence([_history(d)])
    d.file(one, syntax=ImplicitVRLittleEndian)


@case()
def big_endian(d):
    one = d.ct()
    one.RequestAttributesSequence = Sequence([_history(d)])
    one.PixelData = np.frombuffer(one.PixelData, "<u2").astype(">u2").tobytes()
    d.file(one, syntax=ExplicitVRBigEndian)


@case()
def deflated(d):
    one = d.ct()
    one.RequestAttributesSequence = Sequence([_history(d)])
    d.file(one, syntax=DeflatedExplicitVRLittleEndian)


@case()
def undefined_lengths(d):
    d.file(d.ct(), [sequence(0x00400275, [joined(elements(_history(d)))] * 2, undefined=True)])


@case()
def undefined_lengths_implicit(d):
    inner = joined(elements(_history(d), implicit=True))
    d.file(
        d.ct(),
        [sequence(0x00400275, [inner], undefined=True, implicit=True)],
        syntax=ImplicitVRLittleEndian,
    )


def _leaf(d: Draft, implicit: bool) -> bytes:
    name = d.plant(d.other(4), "name", "30 items deep")
    parts = [
        text(0x00100010, "PN", f"{d.family}^{d.given}", implicit=implicit),
        text(0x00102154, "SH", d.plant("0171 4960" + f"{d.number:03d}", "phone", "30 items deep"), implicit=implicit),
        text(0x0040A123, "PN", name, implicit=implicit),
        text(0x0040A160, "UT", f"seen by Dr {name}", implicit=implicit),
    ]
    return joined(parts)


@case()
def nested_thirty_deep(d):
    d.file(d.ct(), [nested(30, _leaf(d, False), undefined=False)])


@case()
def nested_thirty_deep_undefined(d):
    d.file(d.ct(), [nested(30, _leaf(d, False), undefined=True, tag=0x00081140)])


@case()
def nested_thirty_deep_implicit(d):
    leaf = _leaf(d, True)
    d.file(d.ct(), [nested(30, leaf, undefined=True, implicit=True, tag=0x00082112)], syntax=ImplicitVRLittleEndian)


@case()
def mixed_lengths(d):
    """An item of undefined length in a sequence of defined length, and the other way round."""
    inner = joined(elements(_history(d)))
    first = element(0x00400275, "SQ", item(inner, undefined=True) + item(b""))
    end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    second = element(0x00081110, "SQ", item(_leaf(d, False)) + end, length=0xFFFFFFFF)
    d.file(d.ct(), [second, first])


@case()
def preamble(d):
    said = f"II*\0 {d.family} {d.given} {d.patient}".encode()
    d.file(d.ct(), preamble=said)


@case()
def meta_information(d):
    private = d.plant(f"CARD{880000 + d.number}", "id", "PrivateInformation")
    title = d.plant(f"{d.other(5)[:9].upper()}_WS", "name", "SourceApplicationEntityTitle")
    extra = [
        text(0x00020013, "SH", d.plant(f"V{d.other(6)[:9]}", "name", "ImplementationVersionName")),
        *(text(tag, "AE", title) for tag in (0x00020016, 0x00020017, 0x00020018)),
        *(text(tag, "UR", f"dicom://{title}.example:104/") for tag in (0x00020026, 0x00020027, 0x00020028)),
        element(0x00020100, "UI", (d.plant(d.uid("private"), "uid", "PrivateInformationCreatorUID") + "\0")[:64]),
        element(0x00020102, "OB", f"{d.family} {private} ".encode()),
    ]
    d.file(d.ct(), meta_extra=extra)


@case()
def meta_unknown_elements(d):
    """Elements of group 0002 that the standard does not know."""
    said = d.plant(f"WARD{710000 + d.number}", "id", "group 0002")
    d.file(d.ct(), meta_extra=[text(0x00020201, "LO", f"{d.family} {said}"), text(0x00020300, "PN", d.family)])


@case()
def meta_of_another_file(d):
    """The file meta information names another instance than the data set."""
    d.file(d.ct(), meta_instance=d.plant(d.uid("other"), "uid", "MediaStorageSOPInstanceUID"))


@case()
def trailing_padding(d):
    said = d.plant(f"ENV{550000 + d.number}", "id", "DataSetTrailingPadding")
    d.file(d.ct(), [element(0xFFFCFFFC, "OB", f"{d.family} {said}".encode().ljust(64))])


@case(may_quarantine=True)
def trailing_bytes(d):
    d.file(d.ct(), tail=f"\0\0\0\0printed for {d.given} {d.family} {d.patient}".encode())


@case()
def elements_behind_pixels(d):
    said = d.plant(f"TAIL{440000 + d.number}", "id", "behind PixelData")
    d.file(
        d.ct(),
        [
            text(0x7FE10010, "LO", "ACME TAIL 1.0"),
            text(0x7FE11001, "LO", f"{d.family} {said}"),
            text(0x7FE11002, "OB", f"{d.given} {d.patient}"),
        ],
    )


@case()
def group_lengths(d):
    """Retired group lengths, one of them not a number."""
    name = d.family.ljust(12)[:12]
    d.file(
        d.ct(),
        [element(0x00080000, "UL", struct.pack("<L", 400)), element(0x00100000, "UL", name.encode()),
         element(0x00280000, "UL", b"\x40\0\0\0")],
    )  # fmt: skip


@case(may_quarantine=True)
def duplicate_tags(d):
    second = d.plant(d.other(8), "name", "second PatientName")
    d.file(
        d.ct(),
        [
            text(0x00100010, "PN", f"{second}^Zoe"),
            text(0x00100020, "LO", d.plant(f"DUP{990000 + d.number}", "id", "second PatientID")),
            text(0x00204000, "LT", f"for {second}"),
            text(0x00204000, "LT", f"again {d.family}"),
        ],
    )


@case(may_quarantine=True)
def unsorted_tags(d):
    one = d.ct()
    late = [text(0x00100010, "PN", f"{d.family}^{d.given}"), text(0x00080080, "LO", f"{d.town} Infirmary")]
    d.file(one, late, without=[0x00100010, 0x00080080], ordered=False)


@case(may_quarantine=True)
def unsorted_in_an_item(d):
    parts = [text(0x0040A123, "PN", d.family), text(0x00081050, "PN", d.plant(d.other(9), "name", "unsorted item"))]
    d.file(d.ct(), [sequence(0x00400275, [joined(parts, ordered=False)])])


@case()
def command_group(d):
    """A stored C-STORE request in front of the data set."""
    title = d.plant(f"{d.other(3)[:8].upper()}_CT", "name", "MoveOriginatorApplicationEntityTitle")
    d.file(d.ct(), [text(0x00001030, "AE", title), text(0x00000902, "LO", f"Error: {d.family}")])


@case(may_quarantine=True)
def without_meta(d):
    """A data set of the first days: implicit, neither preamble nor file meta information."""
    d.case.files["001.dcm"] = joined(elements(d.ct(), implicit=True))


@case(may_quarantine=True)
def without_preamble(d):
    d.file(d.ct(), survive=False)
    d.case.files["001.dcm"] = d.case.files["001.dcm"][len(PREFIX) :]


@case(may_quarantine=True)
def truncated(d):
    d.file(d.ct(), survive=False)
    d.case.files["001.dcm"] = d.case.files["001.dcm"][:-40]


@case(may_quarantine=True)
def syntax_said_wrongly(d):
    """Implicit bytes under an explicit transfer syntax."""
    d.file(d.ct(), survive=False, syntax=ImplicitVRLittleEndian)
    data = d.case.files["001.dcm"]
    implicit, explicit = (syntax.encode() for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian))
    start = data.index(implicit)
    new = struct.pack("<H", 20) + explicit + b"\0"
    data = data[: start - 2] + new + data[start + 18 :]
    length = struct.unpack_from("<L", data, 140)[0] + 2
    d.case.files["001.dcm"] = data[:140] + struct.pack("<L", length) + data[144:]


@case(may_quarantine=True)
def delimiter_with_a_length(d):
    """A sequence delimiter that claims bytes, and hides some."""
    hidden = f"{d.family} {d.patient}".encode()
    hidden += b" " * (len(hidden) % 2)
    content = item(joined(elements(_history(d)))) + struct.pack("<HHL", 0xFFFE, 0xE0DD, len(hidden)) + hidden
    d.file(d.ct(), [element(0x00400275, "SQ", content, length=0xFFFFFFFF)])


@case()
def long_text(d):
    """A text beyond 64 KB with a name in its middle."""
    said = d.plant(f"{d.given} {d.family}", "name", "ProtocolDesignRationale of 140 KB")
    d.file(d.ct(), [text(0x00189939, "UT", "lorem ipsum " * 6000 + f"for Mr {said}. " + "dolor sit " * 7000)])
