"""One image: its files read, cleaned, proven and put where released files go."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asclepius.cohort.masks import STRUCTURES
from asclepius.deidentify import buffers, nifti, scans
from asclepius.deidentify.buffers import Buffer
from asclepius.deidentify.dicom import reading
from asclepius.deidentify.dicom.clean import DicomCleaner, learn_from
from asclepius.deidentify.patient import Change, Patient
from asclepius.deidentify.pictures import kinds
from asclepius.deidentify.release import Release, all_or_none
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import Rejected


@dataclass
class Image:
    """What was released of one image.

    Args:
        members: names in the release, in reading order.
        mask: the mask's name, or a JSON list of them, if there is one.
        audit: changes by file ("<token>/*.dcm" stands for all slices).
    """

    members: list[str]
    mask: str | None
    audit: dict[str, Counter[Change]]


class Cleaner:
    """Cleans the images of one patient after the other.

    Args:
        settings: the stage's section of the config.
        release: where files go.
    """

    def __init__(self, settings: DeidentifySettings, release: Release):
        self._settings = settings
        self._release = release
        self._dicom_files = DicomCleaner(settings)
        self._told: set[str] = set()
        self.late = False  # a file told something new after others of the same patient had been released

    def image(self, row: dict[str, Any], token: str, patient: Patient) -> Image:
        """Release all files of one image, or none.

        Args:
            row: of the cohort's manifest.
            token: the image's pseudonym.

        Raises:
            Rejected: the first file that cannot be released says why.
        """
        with all_or_none(self._release, self._told):
            return self._image(row, token, patient)

    def _image(self, row: dict[str, Any], token: str, patient: Patient) -> Image:
        members, audit, mask = [], {}, None
        for number, name in enumerate(json.loads(row["files"])):
            member, changes = self._file(
                path_of(row["root"], name), row["format"], f"{token}/{number:05d}", f"{token}/{number}", patient
            )
            members.append(member)
            audit.setdefault(f"{token}/*{Path(member).suffix}", Counter()).update(changes)
        if not members:
            raise Rejected("empty", "the image has no files")
        last = self._dicom_files.last
        if row["format"] == "dicom" and (len(members) > 1 or last.number(0x00280008, 1) > 1):
            face = self._dicom_files.mask(last)
            if face is not None:
                prove = partial(nifti.prove, identifiers=patient.identifiers)
                self._release.add(f"{token}/00000_defacemask.nii.gz", [face], prove)
        if row["mask"]:
            try:
                with all_or_none(self._release, self._told):
                    mask = self._mask(path_of(row["root"], row["mask"]), token, patient, audit)
            except Rejected as rejected:  # the image itself is sound
                print(f"image {token} is released without its mask: {rejected.sentence}", flush=True)
        return Image(members, mask, audit)

    def _mask(self, path: Path, token: str, patient: Patient, audit: dict[str, Counter[Change]]) -> str:
        """Release a mask, a file or a folder with a DICOM series; its name, or a JSON list of names."""
        if not path.is_dir():
            mask, changes = self._file(path, None, f"{token}/mask", f"{token}/mask", patient, mask=True)
            audit[mask] = changes
            return mask
        members, total = [], Counter()
        for number, file in enumerate(sorted(file for file in path.iterdir() if not file.name.startswith("."))):
            name = f"{token}/mask/{number:05d}"
            member, changes = self._file(file, None, name, name, patient, mask=True)
            members.append(member)
            total.update(changes)
        if not members:
            raise Rejected("empty", "the mask's folder is empty")
        audit[f"{token}/mask/*"] = total
        return json.dumps(members)

    def _file(
        self, path: Path, form: str | None, member: str, fallback: str, patient: Patient, *, mask: bool = False
    ) -> tuple[str, Counter[Change]]:
        """Release one file under a name that gets the suffix of its kind."""
        with reads(path) as data:
            form = form or format_of(data[:348])
            if form == "dicom":
                member += ".dcm"
                return member, self._dicom(member, data, fallback, patient, mask=mask)
            changes: Counter[Change] = Counter()
            if form == "nifti":
                faces = "faces" in self._settings.active and not mask
                out, face = scans.clean(bytes(data), changes, faces=faces, words=" ".join(path.parts[-4:]))
                prove = partial(nifti.prove, identifiers=patient.identifiers)
                if face is not None:
                    self._release.add(f"{member}_defacemask.nii.gz", [face], prove)
                member += ".nii.gz" if out[:2] == nifti.GZIP else ".nii"
                self._release.add(member, [out], prove)
            else:
                out, suffix = kinds.clean(bytes(data), changes, patient.identifiers)
                member += suffix
                self._release.add(member, [out], lambda _: None)  # they prove themselves while they are cleaned
            return member, changes

    def _dicom(self, member: str, data: Buffer, fallback: str, patient: Patient, *, mask: bool) -> Counter[Change]:
        started = bool(patient.harvested)
        source, new = self._dicom_files.read(data, patient)
        if source.pixels is None and not (mask and source.sop_class == STRUCTURES):
            raise Rejected("not-an-image", "a DICOM object without pixels")
        self.late |= new and started
        written, proof = self._dicom_files.clean(source, patient, fallback, drawn=mask)
        self._release.add(member, written.parts, proof)
        return written.audit

    def start(self, rows: list[dict[str, Any]], patient: Patient) -> None:
        """Learn what the first file of each image tells of the patient, and find the faces if they are to go."""
        scans = [row for row in rows if row["format"] == "dicom"]
        files = [[path_of(row["root"], name) for name in json.loads(row["files"])] for row in scans]
        for paths in files if len(rows) > 1 else ():
            # A failure is met again, and reported, when the image's turn comes.
            with suppress(Rejected, IndexError), reads(paths[0]) as data:
                learn_from(data, patient)
        self._dicom_files.start(partial(reads, path) for paths in files for path in paths)


def path_of(root: str, name: str) -> Path:
    """A file of the source; a source may be a single file."""
    base = Path(root)
    return base / name if base.is_dir() else base


class reads:
    """A file's bytes while the block runs; what cannot be read sends its image to quarantine."""

    def __init__(self, path: Path | str):
        self._opened = buffers.opened(path)

    def __enter__(self) -> Buffer:
        try:
            return self._opened.__enter__()
        except FileNotFoundError:
            raise Rejected(
                "unreadable", "a file is gone since the cohort was listed; restore it and run again"
            ) from None
        except OSError as error:
            raise Rejected("unreadable", f"a file cannot be read ({error.strerror})") from None

    def __exit__(self, *error: object) -> None:
        self._opened.__exit__(*error)


def format_of(head: bytes) -> str:
    """dicom, nifti or picture, by a file's first bytes."""
    if reading.is_dicom(head):
        return "dicom"
    nifti_like = head[:2] == nifti.GZIP or head[:4] in (
        b"\x5c\x01\0\0",
        b"\0\0\x01\x5c",
        b"\x1c\x02\0\0",
        b"\0\0\x02\x1c",
    )
    return "nifti" if nifti_like else "picture"
