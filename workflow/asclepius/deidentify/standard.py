"""Makes profile.csv from the standard's table, when a new release of PS3.15 comes out.

    python -m asclepius.deidentify.standard table_E.1-1.csv > profile.csv

The input has one row per attribute with the columns of PS3.15 table E.1-1 (name, tag, basic profile, options).
"""

import csv
import io
import sys
from pathlib import Path

from pydicom.datadict import keyword_for_tag

from asclepius.errors import StudyError

# Column of the published table to column of profile.csv.
COLUMNS = {
    "basicProfile": "basic",
    "rtnSafePrivOpt": "safe_private",
    "rtnUIDsOpt": "uids",
    "rtnDevIdOpt": "device",
    "rtnInstIdOpt": "institution",
    "rtnPatCharsOpt": "patient",
    "rtnLongFullDatesOpt": "full_dates",
    "rtnLongModifDatesOpt": "modified_dates",
    "cleanDescOpt": "descriptors",
    "cleanStructContOpt": "structured",
    "cleanGraphOpt": "graphics",
}


def convert(source: Path) -> str:
    """The text of profile.csv: tag (8 hexadecimal digits, x for any), keyword, name, then the actions.

    Raises:
        StudyError: the file lacks a column of the table.
    """
    with open(source, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    missing = [name for name in ("name", "tag", *COLUMNS) if not rows or name not in rows[0]]
    if missing:
        raise StudyError(f"{source}: not table E.1-1, columns {missing} are missing")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["tag", "keyword", "name", *COLUMNS.values()])
    for row in sorted(rows, key=lambda row: _tag(row["tag"])):
        tag = _tag(row["tag"])
        # The table's "gggg,eeee with odd gggg" is a rule of profile.py, not a tag.
        if len(tag) == 8 and not set(tag) - set("0123456789abcdefx"):
            keyword = "" if "x" in tag else keyword_for_tag(int(tag, 16))
            writer.writerow([tag, keyword, row["name"], *(row[name] for name in COLUMNS)])
    return out.getvalue()


def _tag(text: str) -> str:
    return text.strip("() ").replace(",", "").lower()


if __name__ == "__main__":
    sys.stdout.write(convert(Path(sys.argv[1])))
