"""No planted identifier anywhere outside restricted/, whatever a file is packed in."""

import base64
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.workflow
ENCODINGS = ("utf-8", "latin-1", "gb18030", "iso2022_jp", "utf-16-le", "iso8859_5", "iso8859_7")


def unpacked(data: bytes) -> Iterator[bytes]:
    """The bytes themselves and whatever lies packed inside them."""
    yield data
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                yield member.filename.encode()
                yield from unpacked(archive.read(member))
    elif data[:2] == b"\x1f\x8b":
        yield from unpacked(gzip.decompress(data))
    elif data[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(data))
        for column in table.columns:
            yield "\n".join(str(value) for value in set(column.to_pylist())).encode()
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        for text in re.findall(rb"(?:zTXt|iTXt).{0,80}?\x00\x00(x\x9c.+)", data, re.S):
            yield zlib.decompressobj().decompress(text)
    elif b"base64," in data:
        for text in re.findall(rb"base64,([A-Za-z0-9+/=]+)", data):
            yield from unpacked(base64.b64decode(text))


def planted(folder: Path) -> dict[bytes, str]:
    found = json.loads((folder / "restricted" / "phantom" / "identifiers.json").read_text())
    values = found if isinstance(found, list) else [v for group in found.values() for v in group]
    needles = {}
    for value in values:
        for encoding in ENCODINGS:
            try:
                needle = value.encode(encoding)
            except UnicodeEncodeError:
                continue
            if len(needle) >= 5:
                needles[needle] = value
    return needles


def findings(root: Path, needles: dict[bytes, str], inside: str) -> set[tuple[str, str]]:
    # Eight digits of a date stand in many a long decimal number by chance: numbers count as whole runs of digits.
    numbers = {needle for needle in needles if needle.isdigit()}
    words = sorted(set(needles) - numbers, key=len, reverse=True)
    search = re.compile(b"|".join(re.escape(word) for word in words))
    found = set()
    for path in sorted(root.rglob("*")):
        relative = str(path.relative_to(root))
        if not path.is_file() or (inside in relative):
            continue
        for data in (relative.encode(), *unpacked(path.read_bytes())):
            hits = {*search.findall(data), *numbers.intersection(re.findall(rb"\d+", data))}
            found |= {(relative, needles[hit]) for hit in hits}
    return found


def test_the_search_itself_finds_what_is_planted(tiny):
    """Raw data hold the identifiers: a search that found none there would prove nothing."""
    folder = tiny.folder / "results" / "tiny"
    needles = planted(folder)
    assert len(needles) > 100
    found = findings(folder / "restricted" / "phantom" / "images", needles, inside="nothing")
    assert len({value for _, value in found}) > 0.9 * len(set(needles.values()))


def test_no_identifier_outside_restricted(tiny):
    needles = planted(tiny.folder / "results" / "tiny")
    assert findings(tiny.folder, needles, inside="/restricted/") == set()


def test_restricted_is_private(tiny):
    restricted = tiny.folder / "results" / "tiny" / "restricted"
    assert restricted.stat().st_mode & 0o077 == 0
    for path in (restricted / "cohort").rglob("*.parquet"):
        assert path.stat().st_mode & 0o077 == 0, path
