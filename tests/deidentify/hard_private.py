"""Hard cases of private elements (PS3.5 7.8): blocks without creator, nested, safe creators with unsafe values."""

import struct

from hard_bytes import element, elements, item, joined, sequence, text
from hard_cases import Draft, case
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian


def _padded(words: str) -> bytes:
    return words.encode("latin-1") + b" " * (len(words) % 2)


@case()
def private_with_creator(d):
    d.file(
        d.ct(),
        [
            text(0x00090010, "LO", "ACME PRIVATE 1.0"),
            text(0x00091001, "LO", d.plant(f"PV{120000 + d.number}", "id", "private element")),
            text(0x00091002, "PN", f"{d.family}^{d.given}"),
            text(0x00091003, "UT", f"seen by {d.plant(d.other(30), 'name', 'private element')}"),
            element(0x00091004, "OB", _padded(f"{d.family} {d.patient}")),
            element(0x00091005, "UN", _padded(d.plant(d.other(31), "name", "private UN"))),
            text(0x00091006, "DA", f"{d.day:%Y%m%d}"),
        ],
    )


@case()
def private_without_creator(d):
    said = d.plant(f"NC{130000 + d.number}", "id", "private element without creator")
    d.file(d.ct(), [text(0x00111001, "LO", f"{d.family} {said}"), element(0x00131002, "OB", _padded(d.patient))])


@case()
def private_implicit(d):
    """Implicit private elements: no reader knows their VR."""
    said = d.plant(f"IM{140000 + d.number}", "id", "implicit private element")
    d.file(
        d.ct(),
        [
            text(0x00090010, "LO", "ACME PRIVATE 1.0", implicit=True),
            text(0x00091001, "UN", f"{d.family} {said}", implicit=True),
            text(0x00090011, "LO", f"{d.family} Workstation", implicit=True),
            text(0x00091101, "UN", d.patient, implicit=True),
        ],
        syntax=ImplicitVRLittleEndian,
    )


@case()
def private_creator_is_a_name(d):
    clinic = d.plant(f"{d.other(32)} Klinik", "address", "private creator")
    d.file(d.ct(), [text(0x00430010, "LO", clinic), text(0x00431001, "LO", "x"), text(0x00430011, "LO", d.patient)])


@case()
def private_creator_of_other_vr(d):
    name = d.plant(d.other(33), "name", "private creator as UN")
    d.file(
        d.ct(),
        [
            element(0x00290010, "UN", _padded("SIEMENS CSA HEADER")),
            element(0x00291010, "OB", _padded(f"SV10 PatientName {d.family} {d.given}")),
            element(0x00290011, "OB", _padded(name)),
            element(0x00291120, "OB", _padded(f"MrPhoenixProtocol {d.patient} {d.day:%Y%m%d}")),
        ],
    )


@case()
def private_in_a_sequence(d):
    said = d.plant(f"IN{150000 + d.number}", "id", "private element in a sequence")
    inner = joined(
        [
            text(0x00080100, "SH", "CODE"),
            text(0x00090010, "LO", "ACME PRIVATE 1.0"),
            text(0x00091001, "LO", f"{d.family} {said}"),
            text(0x0040A160, "UT", "CT"),
        ]
    )
    d.file(d.ct(), [sequence(0x00081032, [inner]), sequence(0x00400275, [inner], undefined=True)])


@case()
def sequence_in_private(d):
    inner = joined(elements(_person(d)))
    d.file(
        d.ct(),
        [
            text(0x00210010, "LO", "ACME PRIVATE 1.0"),
            sequence(0x00211001, [inner]),
            sequence(0x00211002, [inner], undefined=True),
            element(0x00211003, "UN", item(joined(elements(_person(d), implicit=True)))),
            sequence(0x00211004, [joined(elements(_person(d), implicit=True))], vr="UN", undefined=True),
        ],
    )


def _person(d: Draft) -> Dataset:
    one = Dataset()
    one.PatientName = f"{d.family}^{d.given}"
    one.PatientID = d.plant(f"SQ{160000 + d.number}", "id", "sequence in a private element")
    one.ReferencedSOPInstanceUID = d.plant(d.uid("private"), "uid", "sequence in a private element")
    one.ContentDate = f"{d.day:%Y%m%d}"
    return one


@case()
def safe_creator_unsafe_element(d):
    """Creators of the safe list (PS3.15 table E.3.10-1) with elements that it does not name."""
    said = d.plant(f"SF{170000 + d.number}", "id", "unsafe element of a safe creator")
    name = d.plant(d.other(34), "name", "unsafe element of a safe creator")
    d.file(
        d.ct(),
        [
            text(0x00190010, "LO", "GEMS_ACQU_01"),
            text(0x00191001, "LO", f"{d.family} {said}"),
            text(0x20010010, "LO", "Philips Imaging DD 001"),
            element(0x20011003, "FL", struct.pack("<f", 800)),
            text(0x200110C8, "LO", name),
            text(0x70530010, "LO", "Philips PET Private Group"),
            text(0x70531000, "DS", "0.000551"),
            text(0x70531003, "ST", f"{d.given} {d.family}"),
        ],
    )


@case()
def safe_element_unsafe_value(d):
    """Elements of the safe list whose text is the patient's name, or whose VR is another."""
    d.file(
        d.ct(),
        [
            text(0x00190010, "LO", "GEMS_ACQU_01"),
            text(0x0019109E, "LO", f"{d.family} {d.patient}"),
            text(0x00430010, "LO", "GEMS_PARM_01"),
            text(0x00431027, "SH", d.family[:16]),
            text(0x20010010, "LO", "Philips Imaging DD 001"),
            text(0x20011003, "LO", f"{d.given} {d.family}"),
            element(0x20011008, "IS", _padded(d.patient)),
            element(0x20011009, "FL", _padded(d.family.ljust(8)[:8])),
            text(0x01E10010, "LO", "ELSCINT1"),
            text(0x01E11026, "CS", d.family.upper()),
        ],
    )


@case()
def safe_creator_in_another_group(d):
    """A safe creator's name over another group, and two creators of one block."""
    said = d.plant(f"AG{180000 + d.number}", "id", "safe creator in another group")
    d.file(
        d.ct(),
        [
            text(0x00330010, "LO", "Philips PET Private Group"),
            text(0x00331000, "DS", said),
            text(0x70530010, "LO", "Philips PET Private Group"),
            text(0x70530010, "LO", "ACME PRIVATE 1.0"),
            text(0x70531000, "LO", f"{d.given} {d.family}"),
            text(0x70531100, "DS", said),
        ],
    )


@case()
def private_sequence_of_a_safe_creator(d):
    """Safe sequences, whose items hold ordinary identifiers."""
    inner = joined([*elements(_person(d)), text(0x20010010, "LO", "Philips Imaging DD 001")])
    d.file(
        d.ct(),
        [
            text(0x20010010, "LO", "Philips Imaging DD 001"),
            sequence(0x20011068, [inner], undefined=True),
            sequence(0x2001106B, [inner]),
        ],
    )


@case()
def private_groups_forbidden(d):
    """Private groups below 0009 and FFFF, reserved elements, and element FFFF."""
    said = d.plant(f"FB{190000 + d.number}", "id", "forbidden private group")
    extra = [
        text(0x00010010, "LO", d.family),
        text(0x00030010, "LO", said),
        text(0x00051001, "LO", said),
        text(0x00071001, "LO", f"{d.given} {d.family}"),
        text(0x00090001, "LO", d.family),
        text(0x000900FF, "LO", said),
        text(0x00091000, "LO", said),
        text(0x0009FFFF, "LO", d.patient),
        text(0xFFFF1001, "LO", d.family),
    ]
    d.file(d.ct(), extra, survive=False)


@case()
def private_siemens_header(d):
    """A CSA header with the protocol in plain text."""
    protocol = f'### ASCCONV BEGIN ###\ntPatientName = "{d.given} {d.family}"\nlBirth = {d.born:%Y%m%d}\n'
    csa = b"SV10\4\3\2\1" + struct.pack("<LL", 1, 77) + b"PatientName".ljust(64, b"\0") + protocol.encode("latin-1")
    csa += b" " * (len(csa) % 2)
    shadow = d.plant(f"{d.other(35)}@{d.town.lower()}.example", "email", "private UN of unknown form")
    d.file(
        d.ct(),
        [
            text(0x00290010, "LO", "SIEMENS CSA HEADER"),
            text(0x00290011, "LO", "SIEMENS MEDCOM HEADER2"),
            element(0x00291010, "OB", csa),
            element(0x00291020, "OB", csa),
            text(0x00291160, "LO", "com"),
            text(0x00510010, "LO", "SIEMENS MR HEADER"),
            text(0x0051100F, "LO", d.family),
            element(0x00511019, "UN", _padded(shadow)),
        ],
    )
