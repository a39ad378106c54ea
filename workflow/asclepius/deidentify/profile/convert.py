"""Makes the tables in `data` when a new release of the standard comes out.

    python -m asclepius.deidentify.profile.convert part15.xml DIR
    python -m asclepius.deidentify.profile.convert E.1-1.csv dicom-standard/ DIR --release 2024b

A source is PS3.15 as DocBook (its three tables), one of these tables as CSV with the published column names, or the
unpacked PyPI package `dicom-standard`, which holds the modules and IODs of PS3.3 (attribute types). Attribute types
are made for what the E.1-1 in DIR empties or replaces, so convert E.1-1 first or along with them.
"""

import argparse
import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from pydicom.datadict import keyword_for_tag
from pydicom.sr._snomed_dict import mapping as snomed

from asclepius.deidentify.profile.tables import DATA, ODD_GROUP, OPTIONS, TYPES
from asclepius.errors import StudyError

# How the published option columns begin, as letters only, in the order of OPTIONS.
_OPTION_HEADERS = dict(
    zip(
        (
            "rtnsafepriv",
            "rtnuids",
            "rtndevid",
            "rtninstid",
            "rtnpatchars",
            "rtnlongfulldates",
            "rtnlongmodifdates",
            "cleandesc",
            "cleanstructcont",
            "cleangraph",
        ),
        OPTIONS,
        strict=True,
    )
)
# Table id in DocBook, name of our table, and how its columns are called.
_TABLES = {
    "table_E.1-1": (
        "attributes",
        {"attributename": "name", "name": "name", "tag": "tag", "basicprof": "basic", **_OPTION_HEADERS},
    ),
    "table_E.3.4-1": (
        "concepts",
        {
            "codemeaning": "meaning",
            "codevalue": "code",
            "codingschemedesignator": "scheme",
            "valuetype": "value_type",
            "basicprof": "basic",
            **_OPTION_HEADERS,
        },
    ),
    "table_E.3.10-1": (
        "private",
        {"dataelement": "tag", "privatecreator": "creator", "vr": "vr", "vm": "vm", "meaning": "meaning"},
    ),
}
_COLUMNS = {
    "attributes": ("tag", "keyword", "name", "basic", *OPTIONS),
    "concepts": ("code", "scheme", "srt", "value_type", "meaning", "basic", *OPTIONS[1:8]),
    "private": ("group", "element", "creator", "vr", "vm", "meaning"),
}
_BASIC = {
    "attributes": {"X", "Z", "D", "U", "X/Z", "X/D", "Z/D", "X/Z/D", "X/Z/U*"},
    "concepts": {"X", "D", "X/D"},
}
_CODED = frozenset({"basic", *OPTIONS})
_RELEASE = re.compile(r"(?<!\d)20\d\d[a-e]?(?![\da-z])")
_NAMESPACE = "{http://docbook.org/ns/docbook}"
_ID = "{http://www.w3.org/XML/1998/namespace}id"


def docbook_tables(source: Path) -> tuple[str, dict[str, list[dict[str, str]]]]:
    """Release of a PS3.15 in DocBook, and the rows of its three tables, by the names and columns of ours.

    Raises:
        StudyError: no XML, or a table or one of its columns is missing.
    """
    try:
        root = ElementTree.parse(source).getroot()
    except ElementTree.ParseError as error:
        raise StudyError(f"{source}: not well-formed XML ({error}); download part15.xml again") from error
    subtitle = _text(root.find(f"{_NAMESPACE}subtitle"))
    found = {table.get(_ID): table for table in root.iter() if table.get(_ID) in _TABLES}
    missing = [label for label in _TABLES if label not in found]
    if missing:
        raise StudyError(f"{source}: {', '.join(missing)} not there; is this part15.xml, as DocBook?")
    release = _RELEASE.search(subtitle)
    return release.group() if release else "", {
        _TABLES[label][0]: list(_named(label, _cells(table), str(source))) for label, table in found.items()
    }


def csv_table(source: Path) -> tuple[str, list[dict[str, str]]]:
    """Name of our table, and its rows, from a CSV file with published column names.

    Raises:
        StudyError: the columns are those of no table.
    """
    with open(source, encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.reader(handle))
    header = {_letters(cell) for cell in rows[0]} if rows else set()
    for label, mark in (("table_E.3.4-1", "codevalue"), ("table_E.3.10-1", "privatecreator"), ("table_E.1-1", "tag")):
        if mark in header:
            return _TABLES[label][0], list(_named(label, iter(rows), str(source)))
    raise StudyError(f"{source}: not table E.1-1, E.3.4-1 or E.3.10-1 of PS3.15, going by its column names")


def table_text(name: str, rows: Iterable[Mapping[str, str]]) -> str:
    """A table of ours as CSV.

    Raises:
        StudyError: a row has a tag or an action that cannot be read.
    """
    made = {"attributes": _attribute, "concepts": _concept, "private": _private}[name]
    lines = [made(row) for row in rows]
    for line in lines:
        wrong = name in _BASIC and (
            line["basic"] not in _BASIC[name] or any(line.get(option, "") not in ("", "K", "C") for option in OPTIONS)
        )
        if wrong:
            raise StudyError(f"table {name}, {line}: unknown action code; teach tables.py what it means first")
    return _csv(_COLUMNS[name], sorted(lines, key=lambda line: [line[column] for column in _COLUMNS[name]]))


def type_tables(package: Path, tags: Mapping[str, str]) -> tuple[str, str]:
    """types.csv and sop_classes.csv from the unpacked package `dicom-standard`.

    Conditional and user-optional modules count as if they were there, so that what we write is valid with and
    without them. IODs that agree in every type share a column.

    Args:
        tags: 8 hexadecimal digits to keyword, for the attributes whose types are asked for.

    Raises:
        StudyError: a file of the package is missing.
    """
    modules, iods = _types_by("module_to_attributes", "moduleId", package, tags), {}
    macros = _types_by("macro_to_attributes", "macroId", package, tags)
    for row in _json(package, "ciod_to_modules"):
        _strictest(iods.setdefault(row["ciodId"], {}), modules.get(row["moduleId"], {}))
    for row in _json(package, "ciod_to_fg_macros"):
        # Macros stand in the functional group sequences.
        for (tag, _), kind in macros.get(row["macroId"], {}).items():
            _strictest(iods.setdefault(row["ciodId"], {}), {(tag, "Y"): kind})
    ids = {row["name"]: row["id"] for row in _json(package, "ciods")}
    columns: dict[frozenset, str] = {}
    lines: dict[tuple[str, str], dict[str, str]] = {}
    classes = []
    for row in sorted(_json(package, "sops"), key=lambda row: row["id"]):
        types = {key: kind for key, kind in iods.get(ids[row["ciod"]], {}).items() if kind != "3"}
        column = columns.setdefault(frozenset(types.items()), ids[row["ciod"]])
        classes.append({"uid": row["id"], "name": row["name"], "types": column})
        for (tag, nested), kind in types.items():
            line = lines.setdefault((tag, nested), {"tag": tag, "keyword": tags[tag], "nested": nested})
            line[column] = kind
    names = ("tag", "keyword", "nested", *sorted(columns.values()))
    return _csv(names, [lines[key] for key in sorted(lines)]), _csv(("uid", "name", "types"), classes)


def convert(sources: Iterable[Path], folder: Path = DATA, release: str = "") -> list[Path]:
    """Writes the tables that the sources hold to a folder; other tables in it stay.

    Args:
        sources: DocBook file, CSV files or the unpacked package.
        release: release of the standard for sources that do not name theirs (in their subtitle or file name).

    Returns:
        The files written.

    Raises:
        StudyError: a source is not what it should be; nothing is written then.
    """
    texts, releases, packages = {}, {}, []
    for source in map(Path, sources):
        if source.is_dir():
            packages.append(source)
            continue
        if source.suffix.lower() == ".xml":
            named, found = docbook_tables(source)
        else:
            name, rows = csv_table(source)
            match = _RELEASE.search(source.name)
            named, found = match.group() if match else "", {name: rows}
        texts |= {name: table_text(name, rows) for name, rows in found.items()}
        releases |= {name: _known(named or release, source) for name in found}
    for source in packages:
        rows = csv.DictReader(io.StringIO(texts.get("attributes") or _read(folder / "attributes.csv")))
        # What is coded X is of type 3 wherever it may stand, and UIDs are replaced whatever their type.
        asked = {row["tag"]: row["keyword"] for row in rows if row["basic"] not in ("X", "U") and row["keyword"]}
        texts["types"], texts["sop_classes"] = type_tables(source, asked)
        releases["types"] = _known(release, source)
    if (folder / "releases.csv").exists():
        with open(folder / "releases.csv", encoding="utf-8", newline="") as handle:
            releases = {row["table"]: row["release"] for row in csv.DictReader(handle)} | releases
    texts["releases"] = _csv(
        ("table", "release"), [{"table": name, "release": releases[name]} for name in sorted(releases)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    return [folder / f"{name}.csv" for name in texts]


def _attribute(row: Mapping[str, str]) -> dict[str, str]:
    tag = re.sub(r"[(), ]", "", row["tag"]).lower()
    if tag.startswith("ggggeeee"):
        return {**row, "tag": ODD_GROUP, "keyword": ""}
    if not re.fullmatch("[0-9a-fx]{8}", tag):
        raise StudyError(f"table E.1-1, {row['name']}: {row['tag']!r} is no tag")
    keyword = "" if "x" in tag else keyword_for_tag(int(tag, 16)) or _keyword(row["name"])
    return {**row, "tag": tag, "keyword": keyword}


def _concept(row: Mapping[str, str]) -> dict[str, str]:
    return {**row, "srt": snomed["SCT"].get(row["code"], "") if row["scheme"] == "SCT" else ""}


def _private(row: Mapping[str, str]) -> dict[str, str]:
    match = re.fullmatch(r"\(([0-9a-f]{3}[13579bdf]),xx([0-9a-f]{2})\)", row["tag"].replace(" ", "").lower())
    if not match:
        raise StudyError(f"table E.3.10-1, {row['meaning']}: {row['tag']!r} is no private tag such as (0019,xx23)")
    return {**row, "group": match[1], "element": match[2]}


def _keyword(name: str) -> str:
    """The keyword of an attribute newer than our dictionary, formed as PS3.6 does: "Patient's Name", PatientName."""
    return re.sub(r"[^A-Za-z0-9]", "", re.sub(r"'s?\b", "", name.title() if name.islower() else name))


def _named(label: str, cells: Iterator[list[str]], source: str) -> Iterator[dict[str, str]]:
    """Rows of a published table by our column names."""
    _, columns = _TABLES[label]
    header = [next((to for start, to in columns.items() if _fits(cell, start)), "") for cell in next(cells, [])]
    # Each table has some of the option columns; all others are needed.
    missing = {to for to in columns.values() if to not in OPTIONS} - set(header)
    wanted = OPTIONS if label == "table_E.1-1" else OPTIONS[1:8] if label == "table_E.3.4-1" else ()
    missing |= set(wanted) - set(header)
    if missing:
        raise StudyError(f"{source}, {label}: no column for {', '.join(sorted(missing))}")
    for row in cells:
        if len(row) > len(header):
            raise StudyError(f"{source}, {label}, row {row}: more cells than columns")
        if any(row):
            # DocBook leaves out empty cells at the end of a row.
            padded = row + [""] * (len(header) - len(row))
            named = {name: cell for name, cell in zip(header, padded, strict=True) if name}
            # Codes may be broken over lines.
            yield {name: "".join(cell.split()) if name in _CODED else _line(cell) for name, cell in named.items()}


def _fits(cell: str, start: str) -> bool:
    letters = _letters(cell)
    return letters.startswith(start) if start.startswith(("rtn", "clean", "basic")) else letters == start


def _letters(cell: str) -> str:
    return re.sub("[^a-z]", "", re.sub(r"\(.*?\)", "", cell).lower())


def _cells(table: ElementTree.Element) -> Iterator[list[str]]:
    """Texts of a DocBook table row by row, the header first; paragraphs and emphasis do not count."""
    for row in table.iter(f"{_NAMESPACE}tr"):
        cells = [cell for cell in row if cell.tag in (f"{_NAMESPACE}td", f"{_NAMESPACE}th")]
        if any(cell.get("rowspan", "1") != "1" for cell in cells):
            raise StudyError(f"a cell over several rows in {table.get(_ID)}: {[_text(cell) for cell in cells]}")
        yield [text for cell in cells for text in [_text(cell)] + [""] * (int(cell.get("colspan") or 1) - 1)]


def _text(element: ElementTree.Element | None) -> str:
    """All text below an element."""
    return "" if element is None else _line("".join(element.itertext()))


def _line(text: str) -> str:
    """Text on one line, without references to notes and the invisible characters that allow a line break."""
    text = re.sub("[\u200b\u00ad\ufeff]|\\(see Note \\d+\\)", "", text)
    return " ".join(text.replace("\u2019", "'").split())


def _types_by(file: str, owner: str, package: Path, tags: Mapping[str, str]) -> dict[str, dict]:
    """Module or macro to (tag, nested Y or N) to strictest type."""
    found: dict[str, dict] = {}
    for row in _json(package, file):
        path = row["path"].split(":")
        # Normalised objects have no types ("None").
        if path[-1] in tags and row["type"] in TYPES:
            key = (path[-1], "Y" if len(path) > 2 else "N")
            _strictest(found.setdefault(row[owner], {}), {key: row["type"]})
    return found


def _strictest(types: dict, more: Mapping) -> None:
    for key, kind in more.items():
        types[key] = min(types.get(key, "3"), kind, key=TYPES.index)


def _json(package: Path, name: str) -> list[dict]:
    file = next(iter(sorted(Path(package).rglob(f"{name}.json"))), None)
    if file is None:
        raise StudyError(f"{package}: no {name}.json; unpack the wheel of dicom-standard there")
    return json.loads(file.read_text(encoding="utf-8"))


def _known(release: str, source: Path) -> str:
    if not release:
        raise StudyError(f"{source} does not say which release it is of; add --release, e.g. --release 2024b")
    return release


def _read(path: Path) -> str:
    if not path.exists():
        raise StudyError(f"{path} is not there: convert table E.1-1 first")
    return path.read_text(encoding="utf-8")


def _csv(columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="convert", description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path, help="part15.xml, CSV files, or unpacked dicom-standard")
    parser.add_argument("folder", type=Path, help="where the tables go")
    parser.add_argument("--release", default="", help="for sources that do not name their release, e.g. 2024b")
    given = parser.parse_args(arguments)
    for path in convert(given.sources, given.folder, given.release):
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
