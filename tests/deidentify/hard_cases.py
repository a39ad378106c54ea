"""Hard cases for DICOM de-identification: made-up patients whose identifiers stand where tools overlook them.

Each case is a folder of files. Its files carry its number as Series Number and their own as Instance Number, two
attributes that no option of PS3.15 touches, so that a judge finds them again in the output.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from hard_bytes import Element, part10
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

PRESETS = ("strict", "research", "tcia")
FIRST_SERIES = 7001
_HEADS = ("Brant", "Kessel", "Thorn", "Wyndel", "Halver", "Obern", "Pfister", "Quint", "Roswel", "Stavro", "Umber")
_TAILS = ("holt", "strom", "veldt", "dottir", "meyer", "wickham", "kowski", "ardini", "escu", "ingdale", "sson")
_GIVEN = """
Albrecht Beatrix Casimir Dorothea Ekaterina Florentin Gwendolyn Hildegard Ignatius Josephine Konstantin Leopoldine
Maximilian Nikodemus Octavia Perpetua Quirinus Rosalinde Sieglinde Theophil
"""
_TOWNS = ("Larch", "Mossen", "Nethers", "Oster", "Pember", "Ravens", "Silver", "Tolver", "Upping", "Wolfen")
_LANDS = ("brook", "crest", "dale", "furt", "gate", "haven", "mouth", "stead", "thwaite", "wald")
# What every preset keeps of a CT, and what `research` keeps beside it.
_GEOMETRY = """
SOPClassUID Rows Columns PixelSpacing ImageOrientationPatient ImagePositionPatient RescaleIntercept RescaleSlope
BitsStored PixelRepresentation SliceThickness ConvolutionKernel Modality PixelData
"""
_RESEARCH = "Manufacturer ManufacturerModelName KVP PatientSex PatientAge"
# What an object without pixels does not have.
_IMAGE = """
PixelData Rows Columns SamplesPerPixel PhotometricInterpretation BitsAllocated BitsStored HighBit PixelRepresentation
RescaleIntercept RescaleSlope PixelSpacing ImageOrientationPatient ImageType ImagePositionPatient SliceThickness
ConvolutionKernel KVP AcquisitionDate BurnedInAnnotation
"""


@dataclass(frozen=True)
class Planted:
    """An identifier of a case.

    Attributes:
        kind: name, id, date, uid, phone, email, address, age or time.
        where: what it tries.
        local: keywords of the only attributes where it counts, because the text is an ordinary word or number.
    """

    text: str
    kind: str
    where: str
    presets: tuple[str, ...] = PRESETS
    local: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survivor:
    """A value that the cleaned file must still have; raw bytes of Pixel Data count as a value."""

    instance: int
    keyword: str
    value: object
    presets: tuple[str, ...] = PRESETS


@dataclass
class Case:
    """Files of one patient. Those with survivors must be released, unless `may_quarantine`."""

    name: str
    number: int
    files: dict[str, bytes] = field(default_factory=dict)
    planted: list[Planted] = field(default_factory=list)
    must_survive: list[Survivor] = field(default_factory=list)
    may_quarantine: bool = False

    @property
    def series(self) -> int:
        return FIRST_SERIES + self.number

    def write(self, folder: Path) -> None:
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


class Draft:
    """A case being written: its patient, and the files and identifiers added so far."""

    def __init__(self, name: str, number: int):
        self.case = Case(name, number)
        self.number = number
        self.family = self.name_of(number)
        given = _GIVEN.split()
        self.given = given[(number * 7 + number // 20) % len(given)]
        self.patient = f"PT{480000 + 37 * number}"
        self.town = _TOWNS[number % 10] + _LANDS[(number // 10 + number) % 10]
        self.born = date(1941, 1, 9) + timedelta(days=31 * number)
        self.day = date(2013, 2, 3) + timedelta(days=23 * number)
        self.accession = f"ACC{730211 + 91 * number}"
        self._said: set[Planted] = set()

    @staticmethod
    def name_of(number: int) -> str:
        return _HEADS[number % 11] + _TAILS[(number // 11 + number) % 11]

    def other(self, number: int = 0) -> str:
        """A family name that no patient has: relatives, physicians, operators."""
        digest = hashlib.sha256(f"{self.number} {number}".encode()).digest()
        return "".join("bdfgklmnprstv"[a % 13] + "aeiou"[a // 13 % 5] for a in digest[:3]).title() + "nborough"

    def uid(self, what: object) -> str:
        digest = int.from_bytes(hashlib.sha256(f"{self.case.name} {what}".encode()).digest()[:11], "big")
        return f"1.2.840.99999.4.{self.number + 1}.{digest}"

    def plant(self, text: str, kind: str, where: str, local: Iterable[str] = (), presets=PRESETS) -> str:
        """Note an identifier; the text comes back, to be used in place."""
        one = Planted(text, kind, where, presets, tuple(local))
        if one not in self._said:
            self._said.add(one)
            self.case.planted.append(one)
        return text

    def forget(self, *texts: str) -> None:
        """Take identifiers back that a case has overwritten."""
        self.case.planted[:] = [one for one in self.case.planted if one.text not in texts]

    def ct(self, instance: int = 1, *, plant: bool = True, charset: str | None = "ISO_IR 100") -> Dataset:
        """One CT slice with the usual identifiers. `plant` is off where a case plants the patient itself."""
        say = self.plant if plant else (lambda text, *_: text)
        d = Dataset()
        if charset:
            d.SpecificCharacterSet = charset.split("\\") if "\\" in charset else charset
        d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        d.SOPClassUID, d.Modality = CTImageStorage, "CT"
        for what, keyword in (("study", "StudyInstanceUID"), ("series", "SeriesInstanceUID"),
                              (instance, "SOPInstanceUID"), ("frame", "FrameOfReferenceUID")):  # fmt: skip
            setattr(d, keyword, self.plant(self.uid(what), "uid", keyword))
        day = say(f"{self.day:%Y%m%d}", "date", "StudyDate")
        d.StudyDate = d.SeriesDate = d.AcquisitionDate = d.ContentDate = day
        d.StudyTime = d.ContentTime = "101112"
        d.AccessionNumber = say(self.accession, "id", "AccessionNumber")
        d.StudyID = say(f"ST{9000 + self.number}Q", "id", "StudyID")
        d.Manufacturer, d.ManufacturerModelName = "Acme Medical", "Scan 9"
        d.InstitutionName = f"{say(self.town, 'address', 'InstitutionName')} Infirmary"
        d.InstitutionAddress = f"{say(f'{self.number + 3} {self.town} Row', 'address', 'InstitutionAddress')}, AB1 2CD"
        d.ReferringPhysicianName = f"{say(self.other(1), 'name', 'ReferringPhysicianName')}^Ada"
        d.OperatorsName = say(self.other(2), "name", "OperatorsName")
        d.StudyDescription, d.SeriesDescription = "CT Thorax", "Lung 1.0"
        d.PatientName = f"{say(self.family, 'name', 'PatientName')}^{say(self.given, 'name', 'PatientName')}"
        d.PatientID = say(self.patient, "id", "PatientID")
        d.PatientBirthDate = say(f"{self.born:%Y%m%d}", "date", "PatientBirthDate")
        d.PatientSex, d.PatientAge = "F", "061Y"
        d.OtherPatientIDs = say(f"OP{610007 + self.number}", "id", "OtherPatientIDs")
        d.PatientAddress = say(f"{self.number + 11} {self.other(3)} Lane", "address", "PatientAddress")
        d.PatientTelephoneNumbers = say(f"+44 1632 96{self.number:04d}", "phone", "PatientTelephoneNumbers")
        d.KVP, d.SliceThickness, d.ConvolutionKernel = "120", "1.25", "B30f"
        d.SeriesNumber, d.InstanceNumber = self.case.series, instance
        d.ImagePositionPatient = [-100.5, -90.25, 1.25 * instance]
        d.ImageOrientationPatient, d.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.7, 0.7]
        d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
        d.Rows = d.Columns = 8
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
        d.BurnedInAnnotation = "NO"
        d.RescaleIntercept, d.RescaleSlope = -1024, 1
        pixels = np.random.default_rng([self.number, instance]).integers(0, 4000, (8, 8), dtype="<u2")
        d.PixelData = pixels.tobytes()
        d["PixelData"].VR = "OW"
        return d

    def without_pixels(self, dataset: Dataset, sop_class: str, modality: str) -> Dataset:
        """The same patient's object of another class."""
        for keyword in _IMAGE.split():
            del dataset[keyword]
        dataset.SOPClassUID, dataset.Modality = sop_class, modality
        return dataset

    def file(
        self, dataset: Dataset, extra: Iterable[Element] = (), *, path: str | None = None, survive: bool = True,
        syntax: str = ExplicitVRLittleEndian, **options,
    ) -> None:  # fmt: skip
        """Write a data set into the case and note what must survive of it."""
        extra = list(extra)
        data = part10(dataset, extra, syntax=syntax, **options)
        self.case.files[path or f"{len(self.case.files) + 1:03d}.dcm"] = data
        if not survive:
            return
        touched = {tag for tag, _ in extra} | set(options.get("without", ()))
        number = int(dataset.InstanceNumber)
        for keywords, presets in ((_GEOMETRY, PRESETS), (_RESEARCH, ("research",))):
            for keyword in keywords.split():
                if keyword not in dataset or int(dataset[keyword].tag) in touched:
                    continue
                if keyword != "PatientAge" or dataset.PatientAge < "090Y":
                    self.case.must_survive.append(Survivor(number, keyword, dataset[keyword].value, presets))
        self.case.must_survive.append(Survivor(number, "TransferSyntaxUID", str(syntax)))

    def keep(self, keyword: str, value: object, instance: int = 1, presets: tuple[str, ...] = PRESETS) -> None:
        self.case.must_survive.append(Survivor(instance, keyword, value, presets))


_WRITERS: list[tuple[Callable[[Draft], None], bool]] = []


def case(may_quarantine: bool = False) -> Callable[[Callable[[Draft], None]], Callable[[Draft], None]]:
    """Register a function that drafts the case of its name."""

    def register(write: Callable[[Draft], None]) -> Callable[[Draft], None]:
        _WRITERS.append((write, may_quarantine))
        return write

    return register


@cache
def cases() -> tuple[Case, ...]:
    """All hard cases, always the same."""
    import hard_charsets
    import hard_free_text
    import hard_objects
    import hard_pixels
    import hard_places
    import hard_private
    import hard_structure

    modules = [
        one.__name__
        for one in (hard_structure, hard_pixels, hard_charsets, hard_free_text, hard_places, hard_private, hard_objects)
    ]
    writers = sorted(_WRITERS, key=lambda pair: modules.index(pair[0].__module__))  # stable within a module
    made = []
    for number, (write, may_quarantine) in enumerate(writers):
        draft = Draft(write.__name__.strip("_"), number)
        write(draft)
        draft.case.may_quarantine = may_quarantine
        made.append(draft.case)
    return tuple(made)
