"""Which images may have text burned into their pixels (PS3.15 E.3.1), and where some devices write it."""

import csv
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path

from asclepius.deidentify.pixels.boxes import Box
from asclepius.errors import StudyError

# Kinds whose devices write names or dates onto the picture, whatever the header says: ultrasound, endoscopy, cameras,
# eyes, documents, screens, films that were scanned, waveforms drawn as pictures.
_ALWAYS_TEXT = """
US IVUS BDUS BMD ES XC GM SM DOC OT SC HC ECG EPS HD SMR OP OPT OPM OPV OAM OCT IVOCT SRF IO KER LEN VA AR LS TG ST DG
BI CD DD DF DS EC FS MA MS CF CP CS DM LP FA VF ASMT AS RESP EMG EOG EEG POS PRESENTATION TEXTUREMAP
"""
_ALWAYS = frozenset(_ALWAYS_TEXT.split())
# Projections often have markers and, from consoles, names; a header that says no is believed.
_UNLESS_NO = frozenset({"CR", "DX", "MG", "XA", "RF", "RG", "PX", "PT/XA", "BTO", "XAPROTOCOL", "RTIMAGE"})
# Reconstructed from measurements: originals hold nothing else.
_MEASURED = frozenset({"CT", "MR", "PT", "NM", "SEG", "RTDOSE", "M3D", "RTSEGANN"})
_SCREENS_TEXT = """
SCREEN SCREENSHOT SCREENSAVE SCREEN_SAVE SCREENCAPTURE SCREEN_CAPTURE DOSE_INFO DOSEINFO DOSE_REPORT DOSEREPORT SCANNED
RESULTS SUMMARY REPORT CSARESULTS SECONDARY_CAPTURE PASTED
"""
_SCREENS = frozenset(_SCREENS_TEXT.split())
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_PHOTOGRAPHS = "1.2.840.10008.5.1.4.1.1.77.1."
_ULTRASOUND = ("1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3")
_COLUMNS = ("manufacturer", "model", "modality", "rows", "columns", "software", "x0", "y0", "x1", "y1")


def needs_look(modality: str, sop_class: str, image_type: str, burned_in: str) -> bool:
    """Whether an image's pixels must be searched for text.

    Args:
        modality: (0008,0060).
        sop_class: UID of the SOP class (0008,0016).
        image_type: values of (0008,0008), separated by backslashes.
        burned_in: Burned In Annotation (0028,0301); NO is believed only where devices seldom write.
    """
    stated, kind = burned_in.strip().upper(), modality.strip().upper()
    terms = {term.strip().upper() for term in image_type.split("\\")}
    joined = {term.replace(" ", "_") for term in terms}
    uid = sop_class.strip(" \0")
    secondary = uid == _SECONDARY_CAPTURE or uid.startswith(_SECONDARY_CAPTURE + ".")
    if stated == "YES" or kind in _ALWAYS or secondary or uid.startswith(_PHOTOGRAPHS) or joined & _SCREENS:
        return True
    if uid in _ULTRASOUND or uid.startswith("1.2.840.10008.5.1.4.1.1.6."):
        return True
    if stated == "NO":
        return kind not in _UNLESS_NO | _MEASURED
    if kind not in _MEASURED:
        return True
    # A made image of a measuring device: reformats name how they were made, copies of a screen say OTHER or nothing.
    return {"DERIVED", "SECONDARY"} <= terms and (bool({"OTHER", ""} & terms) or len(terms) == 2)


def boxes_by_device(values: Mapping[str, str | int], devices: Path | None = None) -> list[Box]:
    """Where a device is known to write.

    Args:
        values: manufacturer, model, modality, rows, columns, software of the image.
        devices: a table of one's own, in the form of `devices.csv`; its rows count besides those.

    Raises:
        StudyError: the table cannot be read.
    """
    rows = [*_own(), *(_read(devices.read_text().splitlines(), str(devices)) if devices else [])]
    found = []
    for patterns, box in rows:
        if all(
            fnmatchcase(str(values.get(name, "")).strip().upper(), pattern)
            for name, pattern in zip(_COLUMNS, patterns, strict=False)
        ):
            found.append(box)
    return found


@cache
def _own() -> tuple[tuple[tuple[str, ...], Box], ...]:
    text = resources.files(__package__).joinpath("devices.csv").read_text()
    return tuple(_read(text.splitlines(), "devices.csv"))


def _read(lines: Iterable[str], name: str) -> list[tuple[tuple[str, ...], Box]]:
    """Patterns and box of each row; lines that begin with # are remarks."""
    out = []
    table = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and line[0] != "#"]
    for (number, _), row in zip(table, csv.reader(line for _, line in table), strict=True):
        cells = [cell.strip() for cell in row]
        if tuple(cells) == _COLUMNS:
            continue
        try:
            patterns, box = tuple(cell.upper() or "*" for cell in cells[:6]), Box(*map(int, cells[6:]))
        except (TypeError, ValueError):
            raise StudyError(f"{name}, line {number}: ten columns are needed: {','.join(_COLUMNS)}") from None
        if min(box) < 0 or box.x0 >= box.x1 or box.y0 >= box.y1:
            raise StudyError(f"{name}, line {number}: x0 < x1 and y0 < y1 are needed, in pixels from the upper left")
        out.append((patterns, box))
    return out
