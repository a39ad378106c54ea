"""Hard cases of other objects than plain images: reports, presentations, radiotherapy, documents, archives."""

import io
import struct
import zipfile
import zlib
from datetime import timedelta

from hard_cases import Draft, case
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian


def _code(value: str, scheme: str, meaning: str) -> Sequence:
    one = Dataset()
    one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning = value, scheme, meaning
    return Sequence([one])


def _content(kind: str, concept: tuple[str, str, str], **values: object) -> Dataset:
    one = Dataset()
    one.RelationshipType, one.ValueType = "CONTAINS", kind
    one.ConceptNameCodeSequence = _code(*concept)
    for keyword, value in values.items():
        setattr(one, keyword, value)
    return one


def _report(d: Draft, content: list[Dataset], sop_class: str = uid.BasicTextSRStorage) -> Dataset:
    one = d.without_pixels(d.ct(), sop_class, "SR")
    one.ValueType, one.ContinuityOfContent = "CONTAINER", "SEPARATE"
    one.ConceptNameCodeSequence = _code("11528-7", "LN", "Radiology Report")
    one.CompletionFlag, one.VerificationFlag = "COMPLETE", "VERIFIED"
    one.PerformedProcedureCodeSequence, one.ReferencedPerformedProcedureStepSequence = Sequence(), Sequence()
    one.ContentSequence = Sequence(content)
    return one


@case()
def structured_report(d):
    """Every value type that identifies: PNAME, TEXT, DATE, TIME, DATETIME, UIDREF, CODE, IMAGE."""
    observer = d.plant(d.other(40), "name", "PNAME content item")
    told = d.plant(d.other(41), "name", "TEXT content item")
    phone = d.plant(f"555-0166-{d.number:03d}", "phone", "TEXT content item")
    image = Dataset()
    image.ReferencedSOPClassUID = uid.CTImageStorage
    image.ReferencedSOPInstanceUID = d.plant(d.uid("image"), "uid", "IMAGE content item")
    content = [
        _content("PNAME", ("121008", "DCM", "Person Observer Name"), PersonName=f"{observer}^Max"),
        _content("TEXT", ("121071", "DCM", "Finding"),
                 TextValue=f"{d.given} {d.family} was examined. Told to Dr. {told}, tel {phone}. ID {d.patient}."),
        _content("TEXT", ("121029", "DCM", "Subject Name"), TextValue=f"{d.family}, {d.given}"),
        _content("DATE", ("121125", "DCM", "DateTime of Recording"), Date=f"{d.born:%Y%m%d}"),
        _content("DATETIME", ("122165", "DCM", "Discharge DateTime"), DateTime=f"{d.day:%Y%m%d}101112"),
        _content("UIDREF", ("121012", "DCM", "Device Observer UID"),
                 UID=d.plant(d.uid("device"), "uid", "UIDREF content item")),
        _content("CODE", ("121046", "DCM", "Subject Breed"), ConceptCodeSequence=_code("L-1", "99X", f"of {d.family}")),
        _content("IMAGE", ("113795", "DCM", "Acquired Image"), ReferencedSOPSequence=Sequence([image])),
    ]  # fmt: skip
    verifier = Dataset()
    verifier.VerifyingObserverName = f"{d.plant(d.other(42), 'name', 'VerifyingObserverName')}^Ulf"
    verifier.VerifyingOrganization = f"{d.town} Infirmary"
    verifier.VerificationDateTime = f"{d.day:%Y%m%d}1011"
    one = _report(d, content)
    one.VerifyingObserverSequence = Sequence([verifier])
    d.file(one)


@case()
def structured_report_deep(d):
    """Names in a container of a container, as concept names and in coded meanings of the patient's own."""
    name = d.plant(d.other(43), "name", "deep PNAME")
    inner = _content("CONTAINER", ("121070", "DCM", "Findings"), ContinuityOfContent="SEPARATE")
    inner.ContentSequence = Sequence([
        _content("PNAME", ("121008", "DCM", "Person Observer Name"), PersonName=name),
        _content("TEXT", ("99-1", "99LOCAL", f"Note on {d.family}"),
                 TextValue=f"DOB {d.born:%d.%m.%Y}, Mrs {d.family}"),
        _content("NUM", ("121206", "DCM", "Distance"), MeasuredValueSequence=Sequence([_millimetres("42.5")])),
    ])  # fmt: skip
    d.plant(f"{d.born:%d.%m.%Y}", "date", "TEXT content item")
    outer = _content("CONTAINER", ("121070", "DCM", "Findings"), ContinuityOfContent="SEPARATE")
    outer.ContentSequence = Sequence([inner])
    d.file(_report(d, [outer], uid.ComprehensiveSRStorage))


def _millimetres(value: str) -> Dataset:
    one = Dataset()
    one.NumericValue = value
    one.MeasurementUnitsCodeSequence = _code("mm", "UCUM", "mm")
    return one


@case()
def key_objects(d):
    """A key object selection whose references must follow its images."""
    images = [d.ct(1), d.ct(2)]
    for image in images:
        d.file(image)
    one = _report(d, [_content("TEXT", ("113012", "DCM", "Key Object Description"), TextValue=f"for Dr. {d.family}")],
                  uid.KeyObjectSelectionDocumentStorage)  # fmt: skip
    one.Modality, one.InstanceNumber = "KO", 3
    one.SOPInstanceUID = d.plant(d.uid("ko"), "uid", "SOPInstanceUID")
    study, series, refs = Dataset(), Dataset(), []
    for image in images:
        ref = Dataset()
        ref.ReferencedSOPClassUID, ref.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        refs.append(ref)
    series.SeriesInstanceUID, series.ReferencedSOPSequence = images[0].SeriesInstanceUID, Sequence(refs)
    study.StudyInstanceUID, study.ReferencedSeriesSequence = one.StudyInstanceUID, Sequence([series])
    one.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
    d.file(one)


@case()
def presentation_state(d):
    one = d.without_pixels(d.ct(), uid.GrayscaleSoftcopyPresentationStateStorage, "PR")
    one.ContentLabel, one.ContentDescription = "NOTE", f"by {d.family}"
    one.ContentCreatorName = f"{d.plant(d.other(44), 'name', 'ContentCreatorName')}^Jan"
    one.PresentationCreationDate, one.PresentationCreationTime = f"{d.day:%Y%m%d}", "101112"
    words, layer = Dataset(), Dataset()
    words.UnformattedTextValue = f"Hr. {d.family}, {d.given} geb. {d.born:%d.%m.%Y}"
    d.plant(f"{d.born:%d.%m.%Y}", "date", "graphic annotation")
    words.AnchorPoint, words.AnchorPointVisibility, words.AnchorPointAnnotationUnits = [1, 1], "Y", "PIXEL"
    note = Dataset()
    note.GraphicLayer = f"L{d.family[:12].upper()}"
    note.TextObjectSequence = Sequence([words])
    layer.GraphicLayer, layer.GraphicLayerOrder = note.GraphicLayer, 1
    layer.GraphicLayerDescription = f"Layer of {d.given} {d.family}"
    one.GraphicAnnotationSequence, one.GraphicLayerSequence = Sequence([note]), Sequence([layer])
    d.file(one)


def _frames(d: Draft) -> Sequence:
    frame = Dataset()
    frame.FrameOfReferenceUID = d.uid("frame")
    return Sequence([frame])


@case()
def rt_structures(d):
    one = d.without_pixels(d.ct(), uid.RTStructureSetStorage, "RTSTRUCT")
    one.StructureSetLabel, one.StructureSetName = d.family[:16], f"Plan {d.family}"
    one.StructureSetDescription = f"for {d.given} {d.family}"
    one.StructureSetDate, one.StructureSetTime = f"{d.day:%Y%m%d}", "101112"
    roi, seen, contour, line = Dataset(), Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ReferencedFrameOfReferenceUID = 1, d.uid("frame")
    roi.ROIName = f"tumor {d.family}"
    roi.ROIDescription = f"seen by Dr. {d.plant(d.other(45), 'name', 'ROIDescription')}"
    roi.ROIGenerationAlgorithm = "MANUAL"
    seen.ObservationNumber = seen.ReferencedROINumber = 1
    seen.ROIObservationLabel, seen.RTROIInterpretedType = d.patient[:16], "GTV"
    seen.ROIInterpreter = d.plant(d.other(46), "name", "ROIInterpreter")
    line.ContourGeometricType, line.NumberOfContourPoints, line.ContourData = "POINT", 1, [1.5, 2.5, 3.5]
    contour.ReferencedROINumber, contour.ContourSequence = 1, Sequence([line])
    one.StructureSetROISequence, one.ROIContourSequence = Sequence([roi]), Sequence([contour])
    one.RTROIObservationsSequence, one.ReferencedFrameOfReferenceSequence = Sequence([seen]), _frames(d)
    d.file(one)


@case()
def rt_plan(d):
    one = d.without_pixels(d.ct(), uid.RTPlanStorage, "RTPLAN")
    one.RTPlanLabel, one.RTPlanName = d.family[:16], f"{d.given} {d.family}"
    one.RTPlanDescription, one.RTPlanDate, one.RTPlanTime = f"boost {d.family}", f"{d.day:%Y%m%d}", "101112"
    one.ApprovalStatus, one.RTPlanGeometry = "APPROVED", "PATIENT"
    one.ReviewDate, one.ReviewTime = f"{d.day:%Y%m%d}", "101112"
    one.ReviewerName = f"{d.plant(d.other(47), 'name', 'ReviewerName')}^Kai"
    beam, machine, ref = Dataset(), Dataset(), Dataset()
    beam.BeamNumber, beam.BeamName, beam.BeamDescription = 1, f"LAO {d.family}", f"for {d.patient}"
    # PS3.15 E.1-1 keeps a machine's name with the option for devices; the institution's name must not stand in it.
    beam.TreatmentMachineName = d.plant(f"LINAC {d.other(52)[:9]}", "id", "TreatmentMachineName", presets=("strict",))
    named = Dataset()
    named.BeamNumber, named.BeamName, named.TreatmentMachineName = 2, "RAO", d.town
    machine.SetupTechniqueDescription = f"mask with name {d.family}"
    machine.PatientSetupNumber, machine.PatientPosition = 1, "HFS"
    ref.ReferencedSOPClassUID = uid.RTStructureSetStorage
    ref.ReferencedSOPInstanceUID = d.plant(d.uid("structures"), "uid", "ReferencedStructureSetSequence")
    one.BeamSequence, one.PatientSetupSequence = Sequence([beam, named]), Sequence([machine])
    one.ReferencedStructureSetSequence = Sequence([ref])
    d.file(one)


@case()
def rt_dose(d):
    one = d.ct()
    one.SOPClassUID, one.Modality = uid.RTDoseStorage, "RTDOSE"
    one.DoseUnits, one.DoseType, one.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    one.DoseGridScaling, one.DoseComment = "0.001", f"sum for {d.given} {d.family}"
    for keyword in ("RescaleIntercept", "RescaleSlope", "ConvolutionKernel", "KVP"):
        del one[keyword]
    d.file(one)
    d.keep("DoseGridScaling", one.DoseGridScaling)


@case()
def segmentation(d):
    one = d.ct()
    one.SOPClassUID, one.Modality, one.NumberOfFrames = uid.SegmentationStorage, "SEG", 1
    for keyword in ("RescaleIntercept", "RescaleSlope", "ConvolutionKernel", "KVP"):
        del one[keyword]
    part = Dataset()
    part.SegmentNumber, part.SegmentLabel = 1, f"Tumor {d.family}"
    part.SegmentDescription, part.SegmentAlgorithmType = f"drawn for {d.given} {d.family}", "MANUAL"
    part.TrackingID, part.TrackingUID = f"{d.patient}_T1", d.plant(d.uid("tracking"), "uid", "TrackingUID")
    one.SegmentSequence = Sequence([part])
    one.ContentCreatorName = d.plant(d.other(48), "name", "ContentCreatorName")
    d.file(one)


@case()
def waveform(d):
    """An ECG whose annotations and channel labels hold identifiers."""
    one = d.without_pixels(d.ct(), uid.GeneralECGWaveformStorage, "ECG")
    group, channel, note = Dataset(), Dataset(), Dataset()
    channel.ChannelLabel, channel.ChannelSourceSequence = f"I {d.family}", _code("2:1", "MDC", "Lead I")
    channel.WaveformBitsStored, channel.ChannelSampleSkew = 16, "0"
    group.WaveformOriginality, group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = "ORIGINAL", 1, 4
    group.SamplingFrequency, group.MultiplexGroupLabel = "500", f"RHYTHM {d.given}"
    group.ChannelDefinitionSequence = Sequence([channel])
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformData = struct.pack("<4h", 1, 2, 3, 4)
    group["WaveformData"].VR = "OW"
    note.UnformattedTextValue = f"Patient {d.given} {d.family}, ID {d.patient}"
    note.ReferencedWaveformChannels = [1, 1]
    one.AcquisitionContextSequence, one.AcquisitionDateTime = Sequence(), f"{d.day:%Y%m%d}101112"
    one.WaveformSequence, one.WaveformAnnotationSequence = Sequence([group]), Sequence([note])
    d.file(one)


def _document(d: Draft, sop_class: str, kind: str, data: bytes) -> None:
    one = d.without_pixels(d.ct(), sop_class, "DOC")
    one.ConversionType, one.DocumentTitle = "WSD", f"Letter to {d.family}"
    one.MIMETypeOfEncapsulatedDocument = kind
    one.EncapsulatedDocumentLength = len(data)
    one.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    one.ConceptNameCodeSequence = _code("34133-9", "LN", "Summary")
    d.file(one, survive=False)


@case(may_quarantine=True)
def encapsulated_pdf(d):
    """A PDF with names in its metadata and in a compressed stream."""
    letter = d.plant(d.other(49), "name", "compressed stream of a PDF")
    stream = zlib.compress(f"BT (Dear Dr. {letter}, Mrs {d.family}) Tj ET".encode())
    pdf = f"%PDF-1.4\n1 0 obj<</Author({d.given} {d.family})/Filter/FlateDecode>>stream\n".encode() + stream
    _document(d, uid.EncapsulatedPDFStorage, "application/pdf", pdf + b"\nendstream endobj\n%%EOF\n")


@case(may_quarantine=True)
def encapsulated_cda(d):
    text = f"<ClinicalDocument><patient><name><given>{d.given}</given><family>{d.family}</family></name></patient>"
    _document(d, uid.EncapsulatedCDAStorage, "text/XML", (text + f"<id>{d.patient}</id></ClinicalDocument>").encode())


@case(may_quarantine=True)
def encapsulated_stl(d):
    """A model whose 80-byte header is a name."""
    model = f"{d.family} {d.given} {d.patient}".encode().ljust(80) + struct.pack("<L", 0)
    _document(d, uid.EncapsulatedSTLStorage, "model/stl", model)


@case(may_quarantine=True)
def private_sop_class(d):
    one = d.without_pixels(d.ct(), "1.3.12.2.1107.5.9.1", "OT")
    d.file(one, survive=False)


@case()
def one_patient_three_visits(d):
    """References and intervals between files of a patient."""
    for visit, days in enumerate((0, 40, 41), 1):
        one = d.ct(visit)
        day = d.plant(f"{d.day + timedelta(days=days):%Y%m%d}", "date", "visit")
        one.StudyDate = one.SeriesDate = one.ContentDate = one.AcquisitionDate = day
        one.StudyInstanceUID = d.plant(d.uid(f"study {visit}"), "uid", "StudyInstanceUID")
        one.SeriesInstanceUID = d.plant(d.uid(f"series {visit}"), "uid", "SeriesInstanceUID")
        ref = Dataset()
        ref.ReferencedSOPClassUID, ref.ReferencedSOPInstanceUID = one.SOPClassUID, d.uid(max(visit - 1, 1))
        one.SourceImageSequence = Sequence([ref])
        d.file(one)
    d.forget(d.uid("study"), d.uid("series"))


@case()
def tracer_and_scan(d):
    """The tracer was given the evening before the scan."""
    one = d.ct()
    one.SOPClassUID, one.Modality = uid.PositronEmissionTomographyImageStorage, "PT"
    dose = Dataset()
    before = d.day - timedelta(days=1)
    start = f"{d.plant(f'{before:%Y%m%d}', 'date', 'RadiopharmaceuticalStartDateTime')}233000"
    dose.RadiopharmaceuticalStartDateTime, dose.RadionuclideTotalDose = start, "370000000"
    dose.Radiopharmaceutical = "Fluorodeoxyglucose"
    one.RadiopharmaceuticalInformationSequence = Sequence([dose])
    d.file(one)


def _record(kind: str, **values: object) -> Dataset:
    one = Dataset()
    one.OffsetOfTheNextDirectoryRecord = one.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    one.RecordInUseFlag, one.DirectoryRecordType = 0xFFFF, kind
    for keyword, value in values.items():
        setattr(one, keyword, value)
    return one


@case()
def media_directory(d):
    """A DICOMDIR with its files, named after the patient."""
    first = d.ct(1)
    d.file(first, path="IMAGES/IM1")
    d.file(d.ct(2), path=f"IMAGES/{d.family[:8].upper()}")
    one = Dataset()
    one.SOPClassUID = uid.MediaStorageDirectoryStorage
    one.SOPInstanceUID = d.plant(d.uid("directory"), "uid", "DICOMDIR")
    one.FileSetID, one.FileSetConsistencyFlag = d.family[:16].upper(), 0
    one.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    one.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    study = {"StudyDate": first.StudyDate, "StudyInstanceUID": first.StudyInstanceUID, "AccessionNumber": d.accession}
    path = ["IMAGES", d.family[:8].upper()]
    image = {"ReferencedSOPInstanceUIDInFile": first.SOPInstanceUID, "ReferencedFileID": path}
    one.DirectoryRecordSequence = Sequence([
        _record("PATIENT", PatientName=first.PatientName, PatientID=d.patient),
        _record("STUDY", StudyDescription=f"CT {d.family}", **study),
        _record("SERIES", SeriesInstanceUID=first.SeriesInstanceUID, Modality="CT"),
        _record("IMAGE", InstanceNumber=1, ReferencedTransferSyntaxUIDInFile=ExplicitVRLittleEndian, **image),
    ])  # fmt: skip
    d.file(one, path="DICOMDIR", survive=False)


@case()
def named_folders(d):
    d.file(d.ct(1), path=f"{d.family}, {d.given}/{d.patient}/{d.day:%Y-%m-%d}/IM 1.dcm")
    d.file(d.ct(2), path=f"{d.family}, {d.given}/{d.patient}/{d.family}_{d.given}_2")
    d.plant(f"{d.day:%Y-%m-%d}", "date", "folder name")


@case()
def archive(d):
    """A zip of DICOM files: names, comments and members beside the pictures."""
    d.file(d.ct(1), path="one")
    d.file(d.ct(2), path="two")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for number, name in enumerate(("one", "two"), 1):
            entry = zipfile.ZipInfo(f"{d.family}/{d.given}_{number}.dcm", (2020, 1, 2, 3, 4, 6))
            entry.comment = d.patient.encode()
            packed.writestr(entry, d.case.files.pop(name))
        packed.writestr("letter.txt", f"Dear {d.plant(d.other(50), 'name', 'text file in an archive')}")
        packed.comment = f"{d.given} {d.family}".encode()
    d.case.files[f"{d.family}.zip"] = buffer.getvalue()


@case()
def other_files(d):
    """What lies beside pictures: texts, documents, hidden files."""
    name = d.plant(d.other(51), "name", "file that is not DICOM")
    d.file(d.ct())
    d.case.files[f"{d.family}.txt"] = f"Dear {name}, {d.family} was seen".encode()
    d.case.files["report.pdf"] = f"%PDF-1.4 /Author ({name})".encode()
    d.case.files[".DS_Store"] = b"\0\0\0\1Bud1" + d.family.encode("utf-16-be")
    d.case.files["empty.dcm"] = b""


@case()
def references_in_a_listed_sequence(d):
    """References to the study's own instances keep their relation."""
    inner = Dataset()
    inner.ReferencedSOPClassUID, inner.ReferencedSOPInstanceUID = uid.CTImageStorage, d.uid(2)
    for number in (1, 2):
        one = d.ct(number)
        one.ReferencedImageSequence = Sequence([inner])
        d.file(one)
