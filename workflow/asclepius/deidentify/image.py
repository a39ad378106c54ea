"""One image: its files read, cleaned, proven and put into the container."""

import json
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asclepius.deidentify import nifti, text
from asclepius.deidentify.dicom.proof import prove
from asclepius.deidentify.dicom.reading import read
from asclepius.deidentify.dicom.rewriting import Patient, rewrite
from asclepius.deidentify.pictures import kinds
from asclepius.deidentify.release import Release
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import Rejected

Change = tuple[str, str, str]  # tag, keyword, action code


@dataclass
class Image:
    """What was released of one image.

    Args:
        members: names in the container, in reading order.
        mask: the mask's name, if there is one.
        audit: changes by file ("<token>/*.dcm" stands for all slices).
    """

    members: list[str]
    mask: str | None
    audit: dict[str, Counter[Change]]


class Cleaner:
    """Cleans the images of one patient after the other.

    Args:
        settings: the stage's section of the config.
        release: the shard's container.
    """

    def __init__(self, settings: DeidentifySettings, release: Release):
        self._settings = settings
        self._release = release
        self.late = False  # a file told something new after others of the same patient had been released

    def image(self, row: dict[str, Any], token: str, patient: Patient) -> Image:
        """Release all files of one image, or none.

        Args:
            row: of the cohort's manifest.
            token: the image's pseudonym.

        Raises:
            Rejected: the first file that cannot be released says why.
        """
        mark = self._release.mark()
        try:
            return self._image(row, token, patient)
        except Rejected:
            self._release.rollback(mark)
            raise
        except Exception as error:
            self._release.rollback(mark)
            traceback.print_exc()
            kind = type(error).__name__
            raise Rejected("unreadable", f"its header is damaged in an unforeseen way ({kind}); see the log") from None

    def _image(self, row: dict[str, Any], token: str, patient: Patient) -> Image:
        members, audit, mask = [], {}, None
        for number, name in enumerate(json.loads(row["files"])):
            data, suffix, changes = self._file(_bytes(row["root"], name), row["format"], f"{token}/{number}", patient)
            members.append(f"{token}/{number:05d}{suffix}")
            self._release.add(members[-1], data)
            audit.setdefault(f"{token}/*{suffix}", Counter()).update(changes)
        if not members:
            raise Rejected("empty", "the image has no files")
        if row["mask"]:
            data = _bytes(row["root"], row["mask"])
            data, suffix, changes = self._file(data, _format(data), f"{token}/mask", patient, mask=True)
            mask = f"{token}/mask{suffix}"
            self._release.add(mask, data)
            audit[mask] = changes
        return Image(members, mask, audit)

    def _file(
        self, data: bytes, form: str, fallback: str, patient: Patient, *, mask: bool = False
    ) -> tuple[bytes, str, Counter[Change]]:
        changes: Counter[Change] = Counter()
        if form == "dicom":
            return self._dicom(data, fallback, patient, changes, mask), ".dcm", changes
        if form == "nifti":
            return nifti.clean(data, changes), ".nii.gz" if data[:2] == nifti.GZIP else ".nii", changes
        return *kinds.clean(data, changes), changes

    def _dicom(self, data: bytes, fallback: str, patient: Patient, changes: Counter[Change], mask: bool) -> bytes:
        source = read(data)
        # A mask is drawn, not photographed: often a secondary capture, never one with a name in its pixels.
        if self._settings.burned_in_text == "quarantine" and not mask:
            text.refuse(source)
        started = bool(patient.harvested)
        self.late |= patient.learn(source) and started
        out = rewrite(source, patient, changes, fallback)
        prove(out, source, patient)
        return out

    def learn(self, row: dict[str, Any], patient: Patient) -> None:
        """Harvest the first file of an image before any file of the patient is released."""
        if row["format"] == "dicom":
            # A failure is met again, and reported, when the image's turn comes.
            with suppress(Rejected, IndexError):
                patient.learn(read(_bytes(row["root"], json.loads(row["files"])[0])))


def _bytes(root: str, name: str) -> bytes:
    base = Path(root)
    try:
        return (base / name if base.is_dir() else base).read_bytes()
    except FileNotFoundError:
        raise Rejected("unreadable", "a file is gone since the cohort was listed; restore it and run again") from None
    except OSError as error:
        raise Rejected("unreadable", f"a file cannot be read ({error.strerror})") from None


def _format(data: bytes) -> str:
    if data[128:132] == b"DICM":
        return "dicom"
    nifti_like = data[:2] == nifti.GZIP or data[:4] in (
        b"\x5c\x01\0\0",
        b"\0\0\x01\x5c",
        b"\x1c\x02\0\0",
        b"\0\0\x02\x1c",
    )
    return "nifti" if nifti_like else "picture"
