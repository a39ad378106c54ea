"""A folder of DICOM files of any depth, with any or no ending."""

import math
import os
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from asclepius.cohort import demographics, header, masks, series
from asclepius.cohort.folder import PICTURES, SIDE_FILES, Tally, file_list, layout, locate, printable, suffix, walk
from asclepius.cohort.header import Header
from asclepius.cohort.inventory import Inventory, Rejects, images
from asclepius.cohort.masks import Drawn, Mask
from asclepius.cohort.settings import SourceSettings
from asclepius.errors import Rejected

LOOKED_FOR = "DICOM files (by content, whatever their ending)"
ENDINGS = frozenset((".dcm", ".dicom", ".ima", ""))
PROGRESS = 10_000


def read(settings: SourceSettings, unit: str) -> Inventory:
    """Every image below the folder: a volume of slices (unit "volume") or one per file.

    Copies of an instance of the same patient are kept once. Labels come from a table, or else from the folders.
    """
    folder, prefix = locate(settings.path, settings.images)
    rejects, tally = Rejects(), Tally()
    scan = _Scan(settings, folder, prefix, rejects)
    drawn: list[Mask] = []
    by_patient: dict[str | None, list[Header]] = {}
    for path in walk(folder):
        found = scan.header(path, tally)
        if isinstance(found, Mask):
            drawn.append(found)
        elif found is not None:
            by_patient.setdefault(found.patient, []).append(found)
    rows: list[Row] = []
    for files in by_patient.values():
        kept, copies = series.without_copies(files, lambda path: (folder / path).read_bytes())
        scan.leave_out(copies, Rejected("duplicate", "a second copy of files that are already in the cohort"), unit)
        kept = scan.wanted(kept, unit)
        rows += scan.volumes(kept) if unit == "volume" else scan.single(kept)
    rows.sort(key=lambda row: (row.files[0].path, row.source))
    chosen = scan.masks(drawn, [row.files for row in rows], unit)
    odd = any(end not in SIDE_FILES for end in tally.endings)
    notes = [f"passed over: {tally}"] if odd else []
    if any(chosen):
        notes.append(f"{sum(map(bool, chosen))} images have a DICOM segmentation or structure set as their mask")
    return Inventory(_table(rows, chosen, settings, prefix, unit), rejects.frame(), notes)


class Row(NamedTuple):
    """An image: its name, its files in order, and which volume of a multi-frame object it is, -1 if it is the whole."""

    source: str
    files: list[Header]
    part: int = -1


class _Scan:
    """One walk over a source: what is read, and what is left out."""

    def __init__(self, settings: SourceSettings, folder: Path, prefix: str, rejects: Rejects):
        self.modality = settings.modality
        self.folder = folder
        self.prefix = prefix
        self.rejects = rejects
        self.names: Counter = Counter()
        self.read = 0

    def header(self, path: str, tally: Tally) -> Header | Mask | None:
        """The header of an image or mask; anything else is recorded, or passed over if it never was meant to be one."""
        end = suffix(path)
        if end in SIDE_FILES:
            tally.skip(path)
            return None
        self.read += 1
        if self.read % PROGRESS == 0:
            print(f"{self.read} DICOM headers read", flush=True)
        try:
            return self._header(path, end, tally)
        except Rejected as rejected:
            self.rejects.add(printable(path), printable(self.prefix + path), rejected)
            return None

    def _header(self, path: str, end: str, tally: Tally) -> Header | Mask | None:
        try:
            with open(os.path.join(self.folder, path), "rb", buffering=0) as file:
                head = file.read(136)
        except OSError as error:
            raise Rejected("unreadable", f"the file cannot be opened ({error.strerror})") from None
        if header.is_dicom(head):
            found = header.read(self.folder, path)
            if isinstance(found, Mask) and printable(path) != path:
                raise Rejected("unreadable", "the file name of a mask is not valid UTF-8; rename the file")
            return found
        meant = end in ENDINGS or end[1:].isdigit()
        if not head and meant:
            raise Rejected("empty", "a file of 0 bytes; copy it again from its origin")
        if end in PICTURES:
            raise Rejected("not-an-image", f"a {end} picture in a folder of DICOM files")
        if meant and end:
            raise Rejected("unreadable", "the file does not begin as DICOM; export it again")
        tally.skip(path)
        return None

    def leave_out(self, headers: list[Header], rejected: Rejected, unit: str) -> None:
        """Record files: one row per series and folder for volumes, one per file otherwise."""
        groups: dict[tuple[str, str], list[Header]] = {}
        for found in headers:
            where = os.path.dirname(found.path) if unit == "volume" else found.path
            groups.setdefault((where, found.series or "" if unit == "volume" else ""), []).append(found)
        for (where, uid), files in groups.items():
            name = printable("/".join(part for part in (where, uid) if part) or files[0].path)
            self.rejects.add(name, printable(self.prefix + files[0].path), rejected, files[0].patient)

    def wanted(self, headers: list[Header], unit: str) -> list[Header]:
        """Images of the modalities asked for, without planning images."""
        reasons: dict[str, list[Header]] = {}
        kept = []
        for found in headers:
            if self.modality and found.modality not in self.modality:
                name = found.modality if re.fullmatch("[A-Z]{2,6}", found.modality or "") else "its modality"
                reasons.setdefault(f"{name} is not in cohort.modality", []).append(found)
            elif series.is_localiser(found):
                reasons.setdefault("a localiser", []).append(found)
            else:
                kept.append(found)
        for sentence, files in reasons.items():
            self.leave_out(files, Rejected("wrong-modality", sentence), unit)
        return kept

    def volumes(self, headers: list[Header]) -> list[Row]:
        """Each volume of one patient."""
        by_series: dict[str, list[Header]] = {}
        for found in headers:
            by_series.setdefault(found.series or os.path.dirname(found.path), []).append(found)
        rows = []
        for files in by_series.values():
            sorted_out = series.volumes(files)
            for left, rejected in sorted_out.rejected:
                self.leave_out(left, rejected, "volume")
            for slices in sorted_out.volumes:
                count = slices[0].parts
                rows += [Row(self._name(slices), slices, part if count > 1 else -1) for part in range(count)]
        return rows

    def masks(self, drawn: list[Mask], images: list[list[Header]], unit: str) -> list[str | None]:
        """The path of each image's mask; what is not used is recorded."""
        known = [
            Drawn(files[0].patient, files[0].series, frozenset(f.instance_uid for f in files), files[0].frame)
            for files in images
        ]
        chosen, left = masks.assign(drawn, known, single=unit != "volume")
        for mask in left:
            sentence = "a segmentation or structure set that is not used: of no image here, or there is a newer one"
            self.rejects.add(
                printable(mask.path), printable(self.prefix + mask.path), Rejected("excluded", sentence), mask.patient
            )
        return [None if path is None else self.prefix + path for path in chosen]

    def _name(self, slices: list[Header]) -> str:
        base = printable("/".join(part for part in (series.common_folder(slices), slices[0].series) if part))
        base = base or printable(slices[0].path)
        self.names[base] += 1
        return base if self.names[base] == 1 else f"{base}:{self.names[base]}"

    def single(self, headers: list[Header]) -> list[Row]:
        """Each complete file."""
        cut = [found for found in headers if not found.complete]
        sentence = "the file is shorter than its header says; copy it again"
        self.leave_out(cut, Rejected("truncated", sentence), "image")
        return [Row(printable(found.path), [found]) for found in headers if found.complete]


def _table(rows: list[Row], drawn: list[str | None], settings: SourceSettings, prefix: str, unit: str):
    first = [row.files[0] for row in rows]
    official, classes = layout([found.path for found in first])
    folders = [series.common_folder(row.files) for row in rows]
    return images(
        len(rows),
        source=[row.source for row in rows],
        root=str(settings.path),
        files=[file_list([found.path for found in row.files], prefix) for row in rows],
        row=[row.part for row in rows],
        format="dicom",
        patient=[found.patient for found in first],
        visit=[found.study or found.date for found in first],
        date=[found.date for found in first],
        site=[found.site for found in first],
        scanner=[found.scanner for found in first],
        modality=[found.modality for found in first],
        age=[_age(found) for found in first],
        sex=[demographics.sex(found.sex) for found in first],
        official=official,
        mask=drawn,
        label=classes,
        file=[printable(name) for name in folders] if unit == "volume" else [printable(f.path) for f in first],
        study=[found.study for found in first],
        series=[found.series for found in first],
    )


def _age(found: Header) -> float:
    years = demographics.age(found.age)
    return demographics.age_between(found.birth, found.date) if math.isnan(years) else years
