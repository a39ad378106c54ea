"""New names of released files: patient, study, series, instance; nothing of the old names."""

import re
from functools import lru_cache

from asclepius import keys
from asclepius.deidentify.dicom.reading import Source
from asclepius.deidentify.folder.inventory import Entry
from asclepius.deidentify.patient import Patient
from asclepius.deidentify.text.words import vocabulary

_BIDS = re.compile(
    r"sub-[A-Za-z0-9]+/(?:ses-(?P<session>[A-Za-z0-9]+)/)?(?P<kind>anat|func|dwi|fmap|perf|pet|meg|eeg|ct|beh)/"
    r"sub-[A-Za-z0-9]+_(?P<rest>[^/]+)$"
)
# Entities of BIDS whose values say how a picture was made.
_ENTITIES_TEXT = "task acq ce trc stain rec dir run mod echo flip inv mt part proc space split res den desc"
_ENTITIES = frozenset(_ENTITIES_TEXT.split())
_SUFFIXES_TEXT = """
T1w T2w T1rho T1map T2map T2star T2starw FLAIR FLASH PDw PDT2 inplaneT1 inplaneT2 angio bold cbv sbref dwi epi
phasediff phase1 phase2 magnitude magnitude1 magnitude2 fieldmap asl m0scan pet blood events physio stim mask dseg
probseg UNIT1 MP2RAGE MEGRE MESE VFA IRT1 MTS MTR ct
"""
_SUFFIXES = frozenset(_SUFFIXES_TEXT.split())
_SAFE = re.compile(r"[A-Z]{2,8}")
_SUFFIX = re.compile(r"(\.nii\.gz|\.hdr\.gz|\.img\.gz|\.[A-Za-z0-9]{1,5})$")


class Names:
    """Names files in the tree of released ones; the same file has the same name in every run with the key.

    Args:
        master: the study's key.
    """

    def __init__(self, master: bytes):
        self._key = keys.derive(master, "file name")
        self.token = lru_cache(4096)(self._token)

    def _token(self, kind: str, value: str, length: int = 8) -> str:
        """Hexadecimal digits that stand for a name."""
        return keys.token(self._key, f"{kind} {value}", length)

    def dicom(self, source: Source, entry: Entry, patient: Patient) -> str:
        """patient/study/series/instance."""
        study, series, instance = (source.text(tag) for tag in (0x0020000D, 0x0020000E, 0x00080018))
        modality = source.text(0x00080060)
        kind = modality if _SAFE.fullmatch(modality) and modality.lower() in vocabulary() else "series"
        return (
            f"{patient.name}/study-{self.token('study', study)}/{kind}-{self.token('series', series)}/"
            f"{self.token('instance', instance or entry.name, 16)}"
        )

    def other(self, entry: Entry, patient: Patient, name: str | None = None) -> str:
        """A file that is not DICOM, without suffix: as BIDS names it, else patient/folder/file."""
        name = name or entry.name
        match = _BIDS.search(name)
        if match:
            return self._bids(match, patient)
        folder, _, last = name.rpartition("/")
        stem = _SUFFIX.sub("", last)
        return f"{patient.name}/files-{self.token('folder', folder)}/{self.token('file', f'{folder}/{stem}', 16)}"

    def subject(self, patient: Patient) -> str:
        """A BIDS subject: letters and digits alone."""
        return f"sub-{patient.name.replace('-', '')}"

    def _bids(self, match: re.Match[str], patient: Patient) -> str:
        subject, session = self.subject(patient), match["session"]
        parts = [subject]
        if session:
            parts.append(f"ses-{self.token('session', f'{patient.name} {session}', 4)}")
        folder = "/".join([*parts, match["kind"]])
        *entities, suffix = _SUFFIX.sub("", match["rest"]).split("_")
        for entity in entities:
            key, _, value = entity.partition("-")
            if key in _ENTITIES and value:
                known = (value.isdigit() and len(value) <= 3) or value.lower() in vocabulary()
                parts.append(f"{key}-{value if known else self.token(key, value, 6)}")
        safe = suffix if suffix.isalnum() and (suffix.lower() in vocabulary() or suffix in _SUFFIXES) else "image"
        return f"{folder}/{'_'.join([*parts, safe])}"
