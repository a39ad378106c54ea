"""Hard cases of place: identifiers in attributes that the table does not list, or of another VR than theirs."""

from hard_bytes import element, elements, item, joined, sequence, text
from hard_cases import Draft, case
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian


@case()
def unlisted_texts(d):
    """The name in LO, SH, ST, LT and UT attributes that table E.1-1 does not list."""
    full = f"{d.given} {d.family}"
    d.plant(full, "name", "unlisted text attribute")
    extra = [
        text("ManufacturerRelatedModelGroup", "LO", d.family),
        text("SequenceName", "SH", d.family[:16]),
        text("InterventionDescription", "ST", full),
        text("MaskOperationExplanation", "ST", f"mask by {full}"),
        text("WedgeDescription", "LO", d.patient),
        text("DetectorDescription", "LT", f"detector of {full}"),
        text("ProtocolDesignRationale", "UT", f"rationale: {full}, {d.patient}"),
        text("Radiopharmaceutical", "LO", f"FDG {d.family}"),
        text("ViewName", "SH", d.patient),
        text("FilterType", "SH", d.family[:16]),
        text("HL7InstanceIdentifier", "ST", f"{d.accession}^{d.patient}"),
    ]
    d.file(d.ct(), extra)


@case()
def unlisted_names(d):
    """Person names that the table does not list."""
    first, second = d.plant(d.other(14), "name", "unlisted PN"), d.plant(d.other(15), "name", "unlisted PN")
    d.file(d.ct(), [text("EvaluatorName", "PN", f"{first}^Ida"), text("SecondaryReviewerName", "PN", second)])


@case()
def unlisted_dates(d):
    """Dates and times that the table does not list."""
    day = f"{d.day:%Y%m%d}"
    extra = [
        text("SecondaryReviewDate", "DA", day),
        text("ExpiryDate", "DA", day),
        text("DateOfGainCalibration", "DA", day),
        text("ProcedureCreationDate", "DA", day),
        text("StudyUpdateDateTime", "DT", f"{day}101112.123456"),
        text("AlarmDecisionTime", "DT", f"{day}101112+0200"),
        text("RouteSegmentStartTime", "DT", day),
        text("SecondaryReviewTime", "TM", d.plant("171253.731", "time", "SecondaryReviewTime", presets=("strict",))),
    ]
    d.file(d.ct(), extra)


@case()
def dates_of_other_vr(d):
    """Dates as text, as numbers, as several values and as ranges."""
    day = f"{d.day:%Y%m%d}"
    iso = d.plant(f"{d.day:%Y-%m-%d}", "date", "date attribute of another VR")
    dotted = d.plant(f"{d.day:%Y.%m.%d}", "date", "ACR-NEMA date")
    extra = [
        text("AcquisitionDate", "LO", day),
        text("InstanceCreationDate", "SH", iso),
        text("AcquisitionDateTime", "UT", f"{iso}T101112"),
        text("ScheduledStudyStartDate", "CS", day),
        text("PerformedProcedureStepStartDate", "IS", day),
        text("DateOfLastCalibration", "DA", f"{day}\\{day}"),
        text("DateOfSecondaryCapture", "DA", f"{day}-{day}"),
        text("PerformedProcedureStepEndDate", "DA", dotted),
        text("AdmittingDate", "DS", day),
    ]
    d.file(d.ct(), extra, without=[0x00080022])


@case()
def partial_dates(d):
    """A month alone, and a day that no calendar has."""
    month = d.plant(f"{d.day:%Y%m}", "date", "month", local=["AcquisitionDateTime"])
    wrong = d.plant(f"{d.day:%Y}1399", "date", "no day of the calendar")
    extra = [text("AcquisitionDateTime", "DT", month), text("SeriesDate", "DA", wrong)]
    d.file(d.ct(), extra, without=[0x00080021])


@case()
def unlisted_uids(d):
    uids = [d.plant(d.uid(f"extra {k}"), "uid", "unlisted UI attribute") for k in range(4)]
    keywords = (
        "MultiFrameSourceSOPInstanceUID",
        "RadiopharmaceuticalAdministrationEventUID",
        "TargetFrameOfReferenceUID",
        "VolumeFrameOfReferenceUID",
    )
    extra = [text(keyword, "UI", uid + "\0" * (len(uid) % 2)) for keyword, uid in zip(keywords, uids, strict=True)]
    extra.append(text("ProtocolDesignRationale", "UT", f"see {uids[0]} and oid:{uids[1]}"))
    d.file(d.ct(), extra)


@case()
def uids_of_other_vr(d):
    uids = [d.plant(d.uid(f"lo {k}"), "uid", "UID in a text attribute") for k in range(3)]
    extra = [
        text(0x00286190, "ST", f"from {uids[0]}"),
        text(0x00181050, "LO", uids[1]),
        text(0x0040A160, "UT", f"urn:oid:{uids[2]}"),
    ]
    d.file(d.ct(), extra)


@case()
def identifiers_within_uids(d):
    """The patient's number and birth date as components of UIDs; ISO dates in them too."""
    one = d.ct()
    number = str(31337000 + d.number)
    one.PatientID = d.plant(number, "id", "PatientID and component of a UID")
    one.StudyInstanceUID = d.plant(f"1.2.840.99999.{number}.{d.born:%Y%m%d}.1", "uid", "StudyInstanceUID")
    one.SeriesInstanceUID = d.plant(f"1.2.840.99999.{number}.{d.born:%Y%m%d}.2", "uid", "SeriesInstanceUID")
    one.IrradiationEventUID = d.plant(f"1.2.840.99999.{number}.3", "uid", "IrradiationEventUID")
    d.file(one)
    d.forget(d.patient, d.uid("study"), d.uid("series"))


@case(may_quarantine=True)
def wrong_vr_names(d):
    """The patient's name under the wrong VR."""
    full = f"{d.family}^{d.given}"
    extra = [
        text(0x00100010, "CS", full.upper()),
        text(0x00080090, "OB", d.family + " " * (len(d.family) % 2)),
        text(0x00081070, "UN", d.family),
        text(0x00080068, "CS", d.family.upper()[:16]),
        text(0x00180015, "CS", d.family.upper()[:16]),
        text(0x00200010, "UN", f"ST {d.family}"),
    ]
    one = d.ct()
    d.forget(d.other(1), d.other(2), one.StudyID)
    d.file(one, extra, without=[0x00100010, 0x00080090, 0x00081070, 0x00200010])


@case(may_quarantine=True)
def numbers_that_are_names(d):
    """Letters in DS, IS and AS."""
    extra = [
        text(0x00180060, "DS", d.family[:16]),
        text(0x00200012, "IS", d.patient),
        text(0x00101010, "AS", d.family[:8]),
        text(0x00281050, "DS", f"40\\{d.family}"),
    ]
    d.file(d.ct(), extra, without=[0x00180060, 0x00101010])


@case()
def everything_unknown(d):
    """Each listed attribute as UN."""
    one = d.ct()
    tags = [0x00080020, 0x00080050, 0x00080080, 0x00100010, 0x00100020, 0x00100030, 0x00101000]
    extra = []
    for tag in tags:
        data = str(one[tag].value).encode()
        extra.append(element(tag, "UN", data + b" " * (len(data) % 2)))
    d.file(one, extra, without=tags)


def _inner(d: Draft) -> Dataset:
    one = Dataset()
    one.PatientName = f"{d.family}^{d.given}"
    one.ReferencedSOPInstanceUID = d.plant(d.uid("un"), "uid", "sequence as UN")
    one.RequestedProcedureComments = f"for {d.plant(d.other(16), 'name', 'sequence as UN')}"
    return one


@case()
def sequence_as_unknown(d):
    """UN with a known length, holding an implicit sequence (PS3.5 6.2.2)."""
    content = item(joined(elements(_inner(d), implicit=True)))
    d.file(d.ct(), [element(0x00400275, "UN", content), element(0x00081140, "UN", content)])


@case()
def sequence_as_unknown_undefined(d):
    inner = joined(elements(_inner(d), implicit=True))
    d.file(d.ct(), [sequence(0x00400275, [inner], vr="UN", undefined=True)])


@case()
def sequence_as_bytes(d):
    content = item(joined(elements(_inner(d))))
    d.file(d.ct(), [element(0x00089215, "OB", content), element(0x00400555, "OB", content)])


@case()
def code_meanings(d):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "T-28000", "SRT"
    code.CodeMeaning = f"Lung of {d.given} {d.family}"
    one = d.ct()
    one.AnatomicRegionSequence = Sequence([code])
    one.ProcedureCodeSequence = Sequence([code])
    local = Dataset()
    local.CodeValue = d.patient
    local.CodingSchemeDesignator = "99LOCAL"
    local.CodeMeaning = d.plant(f"Ward {d.other(17)}", "address", "local code")
    one.ReasonForRequestedProcedureCodeSequence = Sequence([local])
    one.InstitutionalDepartmentTypeCodeSequence = Sequence([local])
    d.file(one)


@case()
def original_attributes(d):
    """What a PACS changed, with the values before."""
    before, one, entry = Dataset(), d.ct(), Dataset()
    before.PatientName = f"{d.plant(d.other(18), 'name', 'ModifiedAttributesSequence')}^Former"
    before.PatientID = d.plant(f"OLD{860000 + d.number}", "id", "ModifiedAttributesSequence")
    entry.ModifiedAttributesSequence = Sequence([before])
    entry.AttributeModificationDateTime = f"{d.day:%Y%m%d}101112"
    entry.ModifyingSystem = f"PACS {d.town}"
    entry.SourceOfPreviousValues = f"{d.family} via HL7"
    entry.ReasonForTheAttributeModification = "CORRECT"
    one.OriginalAttributesSequence = Sequence([entry])
    d.file(one)


@case()
def digital_signature(d):
    one, mac, signed = d.ct(), Dataset(), Dataset()
    mac.MACIDNumber, mac.MACCalculationTransferSyntaxUID = 1, ImplicitVRLittleEndian
    mac.DataElementsSigned = [0x00100010, 0x00100020]
    signed.MACIDNumber = 1
    signed.DigitalSignatureUID = d.plant(d.uid("signature"), "uid", "DigitalSignatureUID")
    signed.DigitalSignatureDateTime = f"{d.day:%Y%m%d}101112"
    signed.CertificateType = "X509_1993_SIG"
    signed.CertificateOfSigner = f"CN={d.given} {d.family}, O={d.town}".ljust(60).encode()
    signed.Signature = f"{d.family} {d.patient}".ljust(40).encode()
    one.MACParametersSequence, one.DigitalSignaturesSequence = Sequence([mac]), Sequence([signed])
    d.file(one)


@case()
def persons_and_orders(d):
    """Identification items of persons, orders, insurance and other patient IDs."""
    one, person, other, issuer = d.ct(), Dataset(), Dataset(), Dataset()
    person.PersonAddress = d.plant(f"{d.number + 7} {d.other(19)} Close", "address", "PersonAddress")
    person.PersonTelephoneNumbers = d.plant(f"+44 1632 97{d.number:04d}", "phone", "PersonTelephoneNumbers")
    person.PersonTelecomInformation = d.plant(f"mailto:{d.other(20).lower()}@mail.example", "email", "telecom")
    issuer.LocalNamespaceEntityID = f"{d.town} Infirmary"
    issuer.UniversalEntityID = d.plant(f"1.2.840.99999.77.{d.number + 1}", "uid", "UniversalEntityID")
    other.PatientID = d.plant(f"HX{640000 + d.number}", "id", "OtherPatientIDsSequence")
    other.TypeOfPatientID, other.IssuerOfPatientID = "TEXT", f"{d.town} HIS"
    other.IssuerOfPatientIDQualifiersSequence = Sequence([issuer])
    one.ReferringPhysicianIdentificationSequence = Sequence([person])
    one.OtherPatientIDsSequence = Sequence([other])
    one.PatientInsurancePlanCodeSequence = Sequence([])
    one.MilitaryRank = d.plant(f"Major {d.other(21)}", "name", "MilitaryRank")
    one.PatientMotherBirthName = d.plant(d.other(22), "name", "PatientMotherBirthName")
    one.ResponsiblePerson = d.plant(d.other(23), "name", "ResponsiblePerson")
    one.IssuerOfPatientID = f"{d.town} HIS"
    one.OrderCallbackPhoneNumber = d.plant(f"+44 1632 98{d.number:04d}", "phone", "OrderCallbackPhoneNumber")
    one.PlacerOrderNumberImagingServiceRequest = d.plant(f"PO{530000 + d.number}", "id", "PlacerOrderNumber")
    one.FillerOrderNumberImagingServiceRequest = d.plant(f"FO{540000 + d.number}", "id", "FillerOrderNumber")
    d.file(one)


@case()
def said_to_be_anonymous(d):
    """Patient Identity Removed YES, over untouched identifiers."""
    one = d.ct()
    one.PatientIdentityRemoved = "YES"
    one.DeidentificationMethod = f"by {d.plant(d.other(24), 'name', 'DeidentificationMethod')} at {d.town}"
    one.ClinicalTrialSubjectID = d.plant(f"SUBJ{250000 + d.number}", "id", "ClinicalTrialSubjectID")
    one.ClinicalTrialSiteName = f"{d.town} trial unit"
    d.file(one)


@case()
def device_and_network(d):
    """Identity of devices, in what keeps devices too: stations, titles and paths name people and places."""
    one = d.ct()
    one.DeviceSerialNumber = d.plant(f"SN{970000 + d.number}", "id", "DeviceSerialNumber", presets=("strict",))
    one.StationName = d.plant(f"{d.other(27).upper()[:9]}CT1", "id", "StationName", presets=("strict",))
    one.RetrieveAETitle = d.plant(f"{d.other(25)[:9].upper()}_PACS", "name", "RetrieveAETitle")
    one.ScheduledStudyLocationAETitle = d.plant(f"{d.other(26)[:9].upper()}_WS", "name", "AE title")
    one.StudyTime = d.plant("101112.347", "time", "StudyTime", presets=("strict",))
    one.RetrieveURL = f"https://{d.town.lower()}.example/{d.patient}"
    d.file(one)
