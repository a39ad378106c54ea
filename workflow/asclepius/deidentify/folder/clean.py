"""All files of one patient: cleaned, proven, and written under their new names."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from asclepius import keys
from asclepius.deidentify import nifti, scans, sidecars
from asclepius.deidentify.buffers import Buffer
from asclepius.deidentify.crosswalk import Row
from asclepius.deidentify.dicom.clean import DicomCleaner, learn_from
from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.folder.inventory import COMMON, Entry, content
from asclepius.deidentify.folder.names import Names
from asclepius.deidentify.image import reads
from asclepius.deidentify.patient import Change, Patient
from asclepius.deidentify.pictures import kinds
from asclepius.deidentify.profile.decide import Policy
from asclepius.deidentify.pseudonyms import Pseudonyms
from asclepius.deidentify.release import Tree, all_or_none
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import Rejected


@dataclass
class Outcome:
    """What became of one patient's files.

    Args:
        released: how many.
        rejected: name in the source, reason, sentence.
        audit: changes by attribute and action: files, values.
        rows: of the crosswalk.
    """

    patient: str
    released: int = 0
    rejected: list[tuple[str, str, str]] = field(default_factory=list)
    files: Counter[Change] = field(default_factory=Counter)
    values: Counter[Change] = field(default_factory=Counter)
    rows: list[Row] = field(default_factory=list)


class FolderCleaner:
    """Cleans patients of a folder one after the other.

    Args:
        source: the folder.
        out: where released files go.
        settings: of the stage.
        master: the study's key.
    """

    def __init__(self, source: Path, out: Path, settings: DeidentifySettings, master: bytes):
        self._source = Path(source)
        self._settings = settings
        self._pseudonyms = Pseudonyms(master)
        self._policy = Policy(settings.active, strict=settings.preset == "strict")
        self._characteristics = "patient_characteristics" in self._policy.options
        self._names = Names(master)
        self._tree = Tree(out)
        self._dicom_files = DicomCleaner(settings)
        self._told: set[str] = set()

    def patient(self, original: str, entries: list[Entry]) -> Outcome:
        """Release what can be released of one patient.

        Raises:
            OSError: the disk is full, or the output cannot be written.
        """
        patient = Patient.of(original, self._pseudonyms, self._policy, tuple(self._settings.words))
        for entry in _first_of_each_folder(entries):
            self._learn(entry, patient)
        self._dicom_files.start(partial(self._bytes, entry) for entry in entries if entry.kind == "dicom")
        outcome, late = self._pass(patient, entries)
        if late:  # a later file told what an earlier one might hold: all are read before any is written anew
            for entry in entries:
                self._learn(entry, patient)
            self._tree.rollback(0)
            outcome, _ = self._pass(patient, entries)
        self._tree.forget()
        if original != COMMON:
            outcome.rows += [("patient", original, patient.name), ("days", str(patient.days), patient.name)]
        outcome.rows += [("uid", old, new) for old, new in self._pseudonyms.taken()]
        return outcome

    def _pass(self, patient: Patient, entries: list[Entry]) -> tuple[Outcome, bool]:
        outcome, known = Outcome(patient.name), len(patient.identifiers)
        taken: set[str] = set()
        for entry in entries:
            try:
                name, audit = self._file(entry, entries, patient, taken)
            except Rejected as rejected:
                outcome.rejected.append((entry.name, rejected.reason, rejected.sentence))
                continue
            if name is None:
                continue
            outcome.released += 1
            outcome.files.update(audit.keys())
            outcome.values.update(audit)
            outcome.rows.append(("file", entry.name, name))
        return outcome, len(patient.identifiers) > known

    def _file(
        self, entry: Entry, entries: list[Entry], patient: Patient, taken: set[str]
    ) -> tuple[str | None, Counter[Change]]:
        """The new name of a released file; None for the second of a pair, which goes with the first."""
        with all_or_none(self._tree, self._told), self._bytes(entry) as data:
            if entry.kind == "dicom":
                return self._dicom(data, entry, patient, taken)
            return self._other(bytes(data), entry, entries, patient, taken)

    @contextmanager
    def _bytes(self, entry: Entry) -> Iterator[Buffer]:
        if entry.member:
            yield content(self._source, entry)
        else:
            with reads(f"{self._source}/{entry.path}") as data:
                yield data

    def _learn(self, entry: Entry, patient: Patient) -> None:
        if entry.kind == "dicom":
            # A failure is met again, and reported, when the file's turn comes.
            with suppress(Rejected), self._bytes(entry) as data:
                learn_from(data, patient)

    def _dicom(self, data: Buffer, entry: Entry, patient: Patient, taken: set[str]) -> tuple[str, Counter[Change]]:
        source, _ = self._dicom_files.read(data, patient)
        written, proof = self._dicom_files.clean(source, patient, entry.name)
        name = _free(self._names.dicom(source, entry, patient), ".dcm", taken)
        self._tree.add(name, written.parts, proof)
        self._add_mask(f"{name.rpartition('/')[0]}_defacemask.nii.gz", source, patient, taken)
        return name, written.audit

    def _add_mask(self, name: str, source: Source, patient: Patient, taken: set[str]) -> None:
        """What was blanked of a head series, once, beside its folder."""
        face = self._dicom_files.mask(source) if name not in taken else None
        if face is not None:
            taken.add(name)
            self._tree.add(name, [face], partial(nifti.prove, identifiers=patient.identifiers))

    def _other(
        self, data: bytes, entry: Entry, entries: list[Entry], patient: Patient, taken: set[str]
    ) -> tuple[str | None, Counter[Change]]:
        audit: Counter[Change] = Counter()
        scan = patient.text.cleaned
        if entry.kind == "pair":
            return self._pair(data, entry, entries, patient, taken)
        face = None
        if entry.kind == "nifti":
            faces = "faces" in self._settings.active
            out, face = scans.clean(data, audit, faces=faces, words=entry.name.replace("/", " "))
            suffix = ".nii.gz" if out[:2] == nifti.GZIP else ".nii"
        elif entry.kind == "json":
            out, suffix = sidecars.clean_json(data, scan, audit, characteristics=self._characteristics), ".json"
        elif entry.kind == "table":
            out, suffix = self._table(data, scan, audit), Path(entry.name).suffix.lower()
        elif entry.kind == "numbers":
            out, suffix = sidecars.clean_numbers(data), Path(entry.name).suffix.lower()
        elif entry.kind == "picture":
            out, suffix = kinds.clean(data, audit, patient.identifiers)
        elif not data:
            raise Rejected("empty", "the file has no bytes")
        else:
            raise Rejected("not-an-image", "no DICOM, NIfTI, picture or BIDS file; what it holds is not known")
        name = _free(self._new_name(entry, patient), suffix, taken)
        proof = partial(nifti.prove, identifiers=patient.identifiers) if entry.kind == "nifti" else _no_proof
        self._tree.add(name, [out], proof)
        if face is not None:
            self._tree.add(f"{name.removesuffix(suffix)}_defacemask.nii.gz", [face], proof)
        return name, audit

    def _new_name(self, entry: Entry, patient: Patient) -> str:
        if entry.patient != COMMON:
            return self._names.other(entry, patient)
        stem = Path(entry.name).stem
        return stem if stem in ("dataset_description", "participants") else self._names.token("file", entry.name, 16)

    def _pair(
        self, data: bytes, entry: Entry, entries: list[Entry], patient: Patient, taken: set[str]
    ) -> tuple[str | None, Counter[Change]]:
        stem = entry.name[: -4 - 3 * entry.name.lower().endswith(".gz")]
        both = {
            other.name[len(stem) :].lower().removesuffix(".gz"): other
            for other in entries
            if other.kind == "pair" and other.name[: -4 - 3 * other.name.lower().endswith(".gz")] == stem
        }
        if set(both) != {".hdr", ".img"}:
            raise Rejected("unreadable", "a header or an image of a pair (.hdr and .img) without the other")
        if entry is not both[".hdr"]:
            return None, Counter()
        audit: Counter[Change] = Counter()
        with self._bytes(both[".img"]) as image:
            header, voxels = nifti.clean_pair(data, bytes(image), audit)
        stem = _free(self._new_name(entry, patient), "", taken)
        prove = partial(nifti.prove, identifiers=patient.identifiers)
        for suffix, data, proof in ((".hdr", header, prove), (".img", voxels, _no_proof)):
            self._tree.add(stem + suffix + (".gz" if data[:2] == nifti.GZIP else ""), [data], proof)
        return stem, audit

    def _table(self, data: bytes, scan: Callable[[str], str], audit: Counter[Change]) -> bytes:
        def rename(old: str) -> str | None:
            found = f"sub-{old.removeprefix('sub-')}"
            return self._names.subject(Patient.of(found, self._pseudonyms, self._policy))

        return sidecars.clean_table(data, scan, audit, rename, characteristics=self._characteristics)


def _first_of_each_folder(entries: list[Entry]) -> list[Entry]:
    """A file of each folder: its header usually tells what the folder's others hold."""
    first: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind == "dicom":
            first.setdefault(entry.name.rpartition("/")[0], entry)
    return list(first.values()) if len(entries) > 1 else []


def _free(name: str, suffix: str, taken: set[str]) -> str:
    """A name that no other file of the patient has: copies of an instance are all kept."""
    found, number = name + suffix, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}{suffix}"
    taken.add(found)
    return found


def _no_proof(_: Buffer) -> None:
    """Pictures prove themselves while they are cleaned; of text and numbers only what is listed was written."""


def load(source: Path, out: Path, settings: DeidentifySettings, key: Path) -> FolderCleaner:
    """A cleaner for a process of its own; the key is read there, never handed over."""
    return FolderCleaner(source, out, settings, keys.load(key))
