"""A judge of de-identified folders that shares no code with what it judges.

Every file is searched as raw bytes in the character sets of the standard, and as text: what pydicom decodes and what
streams inflate to, with accents, case, width, control characters and separators taken away.
"""

import io
import re
import unicodedata
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hard_cases import Case, Planted, Survivor
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

_CODECS = """utf-8 latin-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 iso8859-11
 iso8859-15 cp1252 cp1251 koi8-r shift_jis iso2022_jp iso2022_jp_2 euc_jp euc_kr gb2312 gb18030 big5"""
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_UNSEEN = bytes(range(0x20)) + b"\x7f"
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_CONTROLS = dict.fromkeys([*range(0x20), 0x7F])
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_LETTERLIKE = re.compile(r"[^\W_]")
SHORTEST_IN_PIXELS = 6  # shorter ones turn up in pixels by chance


def normal(text: str) -> str:
    """Case, accents, width, control and format characters taken away."""
    if text.isascii():
        return text.translate(_CONTROLS).lower()
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf")).casefold().replace("ß", "ss")


def squeezed(text: str) -> str:
    """Only the letters and digits."""
    return "".join(_LETTERLIKE.findall(normal(text)))


@dataclass(frozen=True)
class Needle:
    """The forms of one identifier."""

    planted: Planted
    raw: re.Pattern[bytes]
    long: re.Pattern[bytes]
    text: re.Pattern[str]
    tight: re.Pattern[str] | None


def _bounds(planted: Planted, form: str) -> tuple[str, str]:
    """What must not stand before and behind, lest a number be found in a longer one."""
    digits = form[:1].isdigit(), form[-1:].isdigit()
    if planted.kind == "date":  # a time may follow
        return (r"(?<!\d)" if digits[0] else ""), ""
    if planted.kind == "uid":
        return r"(?<![\d.])", r"(?!\d)"
    if planted.kind == "name":
        return ("", "") if len(form) > 3 or not form.isascii() else (r"(?<![a-z])", r"(?![a-z])")
    return (r"(?<!\d)" if digits[0] else ""), (r"(?!\d)" if digits[1] else "")


@cache
def needle(planted: Planted) -> Needle:
    text = planted.text
    forms = {text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text), text.translate(_GERMAN)}
    forms |= {"".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))}
    forms |= {change(form) for form in forms for change in (str.upper, str.lower, str.title)}
    raw: set[bytes] = set()
    for form in forms:
        before, behind = _bounds(planted, form.lower())
        for codec in (*_CODECS.split(), *_WIDE):
            try:
                data = _ESCAPE.sub(b"", form.encode(codec)).lower()
            except UnicodeEncodeError:
                continue
            if len(data) < 4:
                continue
            if codec in _WIDE:
                raw.add(re.escape(data))
            else:
                raw.add(before.encode() + re.escape(data) + behind.encode())
    plain = normal(text)
    before, behind = _bounds(planted, plain)
    tight = squeezed(text)
    loose = None
    if planted.kind in ("id", "phone", "name", "address") and len(tight) >= 6 and planted.kind != "uid":
        digits = r"(?<!\d)" if tight[0].isdigit() else "", r"(?!\d)" if tight[-1].isdigit() else ""
        loose = re.compile(digits[0] + re.escape(tight) + digits[1])
    long = [form for form in raw if len(form) >= SHORTEST_IN_PIXELS]
    return Needle(planted, _any(raw), _any(long), re.compile(before + re.escape(plain) + behind), loose)


def _any(forms: Iterable[bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(sorted(forms)) or rb"(?!)")


class Seen:
    """One file, opened for the search."""

    def __init__(self, data: bytes, dataset: Dataset | None = None):
        self.dataset = parsed(data) if dataset is None else dataset
        self.pixels = pixels(self.dataset)
        bare = data.replace(self.pixels, b"\0") if len(self.pixels) > 4096 else data
        plain = _ESCAPE.sub(b"", bare).lower()
        self.raw = [plain, plain.translate(None, _UNSEEN), *(part.lower() for part in inflated(bare))]
        self.raw += [part.translate(None, _UNSEEN) for part in self.raw[2:]]
        words = list(texts(self.dataset))
        self.text = "\n".join(normal(word) for word in words)
        self.tight = "\n".join(squeezed(word) for word in words)

    def holds(self, planted: Planted) -> bool:
        if planted.local:
            return any(planted.text in _words(value) for value in _values(self.dataset, planted.local))
        one = needle(planted)
        if any(one.raw.search(data) for data in self.raw):
            return True
        if len(self.pixels) > 4096 and len(planted.text) >= SHORTEST_IN_PIXELS and one.long.search(self.pixels.lower()):
            return True
        return bool(one.text.search(self.text) or (one.tight and one.tight.search(self.tight)))


def parsed(data: bytes) -> Dataset:
    """The data set, or as much of it as can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(io.BytesIO(data), force=True)
    except Exception:  # the raw bytes are searched all the same
        return Dataset()


def pixels(dataset: Dataset) -> bytes:
    try:
        return bytes(dataset["PixelData"].value or b"")
    except Exception:
        return b""


def walk(dataset: Dataset) -> Iterator[tuple[tuple[int, ...], DataElement]]:
    """Every element at every depth, with its path of tags and item numbers."""
    for tag in list(dataset.keys()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                one = dataset[tag]
        except Exception:
            raw = dataset.get_item(tag)
            one = DataElement(tag, "OB", raw.value or b"", already_converted=True)
        yield (int(tag),), one
        if one.VR == "SQ":
            for number, item in enumerate(one.value or ()):
                for path, inner in walk(item):
                    yield (int(tag), number, *path), inner


def texts(dataset: Dataset) -> Iterator[str]:
    """Every value as text; bytes in the character sets that differ most."""
    for part in (getattr(dataset, "file_meta", None) or Dataset(), dataset):
        for _, one in walk(part):
            if one.VR == "SQ" or one.tag == 0x7FE00010:
                continue
            if isinstance(one.value, bytes):
                for codec in ("utf-8", "latin-1", "utf-16-le"):
                    yield one.value.decode(codec, "replace")
                continue
            for value in one.value if isinstance(one.value, MultiValue | list) else (one.value,):
                if value is not None:
                    yield str(value)


def inflated(data: bytes) -> Iterator[bytes]:
    """What deflate streams hold: a deflated data set, PDF streams, archives."""
    if data[128:132] == b"DICM" and b"1.2.840.10008.1.2.1.99" in data[:1024]:
        length = int.from_bytes(data[140:144], "little")
        yield _inflate(data[144 + length :], -zlib.MAX_WBITS)
    for match in list(_ZLIB.finditer(data))[:64]:
        found = _inflate(data[match.start() :], zlib.MAX_WBITS)
        if len(found) > 8:
            yield found


def _inflate(data: bytes, bits: int) -> bytes:
    out, unpacker = b"", zlib.decompressobj(bits)
    try:
        for start in range(0, len(data), 64):
            out += unpacker.decompress(data[start : start + 64])
    except zlib.error:
        pass
    return out


def _values(dataset: Dataset, keywords: Iterable[str]) -> Iterator[str]:
    for _, one in walk(dataset):
        if one.keyword in keywords:
            yield str(one.value)


def _words(value: str) -> list[str]:
    return [value, *re.findall(r"\w+", value)]


def searched(data: bytes, planted: Iterable[Planted]) -> list[Planted]:
    """The identifiers that a file holds."""
    seen = Seen(data)
    return [one for one in planted if seen.holds(one)]


def of_preset(case: Case, preset: str) -> list[Planted]:
    return [one for one in case.planted if preset in one.presets]


def named(paths: Iterable[Path], planted: Iterable[Planted]) -> list[tuple[Path, Planted]]:
    """Identifiers in the names of files and folders."""
    planted = [one for one in planted if not one.local and len(one.text) >= 4]
    names = {path: normal(str(path)) for path in paths}
    together = "\n".join(names.values())
    hits = [one for one in planted if needle(one).text.search(together)]
    return [(path, one) for one in hits for path, name in names.items() if needle(one).text.search(name)]


class Folder:
    """The output of one run over all cases."""

    def __init__(self, root: Path, cases: Iterable[Case]):
        self.root = root
        self.paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
        by_series = {case.series: case for case in cases}
        self.of: dict[str, list[tuple[Path, bytes, Dataset]]] = {case.name: [] for case in by_series.values()}
        self.stray: list[tuple[Path, bytes]] = []
        for path in self.paths:
            data = path.read_bytes()
            dataset = parsed(data)
            case = by_series.get(_number(dataset, "SeriesNumber"))
            if case:
                self.of[case.name].append((path, data, dataset))
            else:
                self.stray.append((path, data))

    def leaks(self, case: Case, preset: str) -> list[str]:
        """What of a case stands in its output, as kind, text and place."""
        planted, found = of_preset(case, preset), []
        files = [(path, Seen(data, dataset)) for path, data, dataset in self.of[case.name]]
        files += [(path, Seen(data)) for path, data in self.stray]
        for path, seen in files:
            found += [f"{one.kind} {one.text!r} ({one.where}) in {path.name}" for one in planted if seen.holds(one)]
        relative = [path.relative_to(self.root) for path in self.paths]
        found += [f"{one.kind} {one.text!r} in the name {path}" for path, one in named(relative, planted)]
        return found

    def lost(self, case: Case, preset: str) -> list[str]:
        """Survivors of a case that are missing or changed."""
        out = {_number(dataset, "InstanceNumber"): dataset for _, _, dataset in self.of[case.name]}
        found, missing = [], set()
        for one in case.must_survive:
            if preset not in one.presets:
                continue
            if one.instance not in out:
                missing.add(one.instance)
            elif not survives(one, out[one.instance]):
                found.append(f"{one.keyword} of instance {one.instance}")
        return found + ([] if case.may_quarantine else [f"instance {one} was not released" for one in sorted(missing)])


def survives(one: Survivor, dataset: Dataset) -> bool:
    if one.keyword == "TransferSyntaxUID":
        return dataset.file_meta.get(one.keyword) == one.value
    return one.keyword in dataset and dataset[one.keyword].value == one.value


def _number(dataset: Dataset, keyword: str) -> int | None:
    try:
        return int(dataset.get(keyword))
    except Exception:
        return None
