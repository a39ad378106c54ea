"""NIfTI: a plain folder, or a BIDS data set (Gorgolewski et al., Scientific Data 3, 160044, 2016)."""

import gzip
import json
import re
import struct
import zlib
from pathlib import Path

from asclepius.cohort.folder import (
    PICTURES,
    SIDE_FILES,
    VOLUMES,
    Tally,
    file_list,
    layout,
    locate,
    printable,
    suffix,
    walk,
)
from asclepius.cohort.inventory import Inventory, Rejects, images
from asclepius.cohort.settings import SourceSettings
from asclepius.errors import Rejected, StudyError

LOOKED_FOR = ".nii and .nii.gz files (in a BIDS folder: sub-*/[ses-*/]anat/)"
BIDS = re.compile(r"(?P<subject>sub-[^/_]+)/(?:(?P<session>ses-[^/_]+)/)?anat/[^/]*_(?P<suffix>[^_/.]+)\.nii(\.gz)?")
BIDS_MASKS = frozenset(("mask", "dseg", "probseg"))
PARTICIPANTS = "participants.tsv"
HEADER = 348  # bytes of a NIfTI-1 header; NIfTI-2: 540
DIMENSIONS = {348: ("h", 40), 540: ("q", 16)}


def prepared(settings: SourceSettings) -> SourceSettings:
    """A BIDS folder brings its own label table, participants.tsv, unless the settings name another."""
    if settings.path is None or settings.labels.path is not None:
        return settings
    table = settings.path / PARTICIPANTS
    if not table.is_file():
        return settings
    labels = settings.labels.model_copy(update={"path": table, "key": "patient", "match": "participant_id"})
    with open(table, encoding="utf-8-sig") as file:
        header = file.readline().rstrip("\r\n").split("\t")
    known = {name: name for name in ("age", "sex", "site") if getattr(settings, name) is None and name in header}
    return settings.model_copy(update={"labels": labels, **known})


def read(settings: SourceSettings) -> Inventory:
    """Every volume below the folder; patient and visit from BIDS names where they are."""
    folder, prefix = locate(settings.path, settings.images)
    rejects, tally, rows = Rejects(), Tally(), []
    paths = [path for path in walk(folder) if not path.startswith(("derivatives/", "sourcedata/", "code/"))]
    bids = any(BIDS.fullmatch(path) for path in paths)
    if settings.modality and not bids:
        raise StudyError(
            "config: cohort.modality: NIfTI files outside a BIDS folder do not tell theirs; leave it out and "
            "choose files with cohort.images or a label table"
        )
    for path in paths:
        end = suffix(path)
        name = printable(path)
        match = BIDS.fullmatch(path)
        try:
            if end in VOLUMES:
                if bids and match is None:
                    raise Rejected("not-an-image", "a NIfTI file outside the anat folders of the BIDS data set")
                if match is not None:
                    _wanted(match["suffix"], settings.modality)
                check(folder / path)
                rows.append((path, match))
            elif end in PICTURES or end == ".dcm":
                raise Rejected("not-an-image", f"a {end} file; NIfTI is read")
            else:
                tally.skip(path)
        except Rejected as rejected:
            rejects.add(name, printable(prefix + path), rejected, match["subject"] if match else None)
    if settings.sequences:
        rows = _visits(rows, settings.sequences, rejects, prefix)
    else:
        rows = [([path], match) for path, match in rows]
    names = [printable(paths[0] if len(paths) == 1 else _folder(paths[0], match)) for paths, match in rows]
    official, classes = layout([paths[0] for paths, _ in rows]) if not bids else (None, None)
    sidecars = [_sidecar(folder / paths[0]) if match else {} for paths, match in rows]
    found = images(
        len(rows),
        source=names,
        root=str(settings.path),
        files=[file_list(paths, prefix) for paths, _ in rows],
        format="nifti",
        patient=[printable(match["subject"]) if match else None for _, match in rows],
        visit=[match["session"] and printable(match["session"]) if match else None for _, match in rows],
        modality=[match["suffix"] if match and len(paths) == 1 else None for paths, match in rows],
        scanner=[_words(side, "Manufacturer", "ManufacturersModelName") for side in sidecars],
        site=[_words(side, "InstitutionName") for side in sidecars],
        official=official,
        label=classes,
        file=names,
    )
    odd = any(end not in SIDE_FILES for end in tally.endings)
    return Inventory(found, rejects.frame(), [f"passed over, no NIfTI: {tally}"] if odd else [])


def _visits(
    rows: list[tuple[str, re.Match | None]], sequences: list[str], rejects: Rejects, prefix: str
) -> list[tuple[list[str], re.Match | None]]:
    """Files of one visit (BIDS), or of one folder, in the order of the sequences; other files are set aside."""
    visits: dict[str, dict[str, tuple[str, re.Match | None]]] = {}
    for path, match in rows:
        words = [match["suffix"]] if match else re.split(r"[^A-Za-z0-9]+", path.rsplit("/", 1)[-1])
        found = [name for name in sequences if name in words]
        visit = visits.setdefault(_folder(path, match), {})
        if len(found) == 1 and found[0] not in visit:
            visit[found[0]] = (path, match)
            continue
        several = f"a second {found[0]} of one visit" if found else "none of cohort.sequences"
        reason = Rejected("wrong-modality", several)
        rejects.add(printable(path), printable(prefix + path), reason, match["subject"] if match else None)
    whole = []
    for name, visit in visits.items():
        missing = [sequence for sequence in sequences if sequence not in visit]
        if not missing:
            whole.append(([visit[sequence][0] for sequence in sequences], visit[sequences[0]][1]))
        elif visit:
            path, match = next(iter(visit.values()))
            reason = Rejected("wrong-shape", f"a visit without {', '.join(missing)}; complete it or leave it out")
            rejects.add(printable(name), printable(prefix + path), reason, match["subject"] if match else None)
    return whole


def _folder(path: str, match: re.Match | None) -> str:
    """What names a visit: its folder, without BIDS' anat."""
    folder = path.rpartition("/")[0] or "."
    return folder.removesuffix("/anat") if match else folder


def _wanted(kind: str, kept: list[str]) -> None:
    if kind in BIDS_MASKS:
        raise Rejected("not-an-image", "a mask or segmentation")
    if kept and kind not in kept:
        raise Rejected("wrong-modality", f"{kind} is not in cohort.modality")


def _sidecar(path: Path) -> dict:
    side = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    try:
        found = json.loads(side.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(side: dict, *names: str) -> str | None:
    return " ".join(str(side[name]).strip() for name in names if side.get(name)) or None


def check(path: Path) -> None:
    """A look at the header: does the file begin as NIfTI-1 or -2, and is an uncompressed one complete?

    Raises:
        Rejected: empty, unreadable, truncated, or not of two to four dimensions.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise Rejected("empty", "a file of 0 bytes; copy it again from its origin")
        packed = suffix(path.name) == ".nii.gz"
        with gzip.open(path) if packed else open(path, "rb") as file:
            head = file.read(HEADER)
    except EOFError:
        raise Rejected("truncated", "the compressed file ends within the header; copy it again") from None
    except (OSError, zlib.error):
        raise Rejected("unreadable", "the file cannot be opened or decompressed; copy it again") from None
    for order in "<>":
        width = struct.unpack_from(f"{order}i", head.ljust(HEADER, b"\0"))[0]
        if width in DIMENSIONS:
            break
    else:
        raise Rejected("unreadable", "the file does not begin as NIfTI-1 or NIfTI-2; export it again")
    if len(head) < HEADER:
        raise Rejected("truncated", "the file ends within the header; copy it again")
    code, offset = DIMENSIONS[width]
    dimensions = struct.unpack_from(f"{order}8{code}", head, offset)
    if not 2 <= dimensions[0] <= 4 or min(dimensions[1 : dimensions[0] + 1]) < 1:
        raise Rejected("wrong-shape", f"a NIfTI file of {dimensions[0]} dimensions; 2 to 4 are read")
    if not packed:
        bits = struct.unpack_from(f"{order}h", head, 72 if width == HEADER else 14)[0]
        values = 1
        for extent in dimensions[1 : dimensions[0] + 1]:
            values *= extent
        if size < width + values * bits // 8:
            raise Rejected("truncated", "the file is shorter than its header says; copy it again")
