"""Mutated DICOM files through the folder command: no crash, no hang, no leak.

python tests/studies/fuzz_deidentify.py --seconds 60            structure-aware mutations, many files a run
python tests/studies/fuzz_deidentify.py --seconds 60 --atheris  guided by coverage, where atheris is installed
"""

import argparse
import random
import re
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "deidentify"))
from hard_bytes import Element, element, elements, item, joined, meta, sequence
from hard_cases import Case, Planted, cases
from hard_leaks import Seen, parsed
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

BATCH = 24
HANG = 120  # seconds for a batch
_DELIMITERS = [struct.pack("<HHL", 0xFFFE, low, 0) for low in (0xE000, 0xE00D, 0xE0DD)]
_VRS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OW PN SH SL SQ SS ST TM UC UI UL UN UR US UT XX"


def _elements(case: Case) -> list[Element]:
    """The first file of a case as elements; what pydicom cannot take apart has none."""
    try:
        return elements(parsed(next(iter(case.files.values()))))
    except Exception:
        return []


def _changed(parts: list[Element], draw: random.Random) -> list[Element]:
    """One change of the data set's structure."""
    parts, at = list(parts), draw.randrange(len(parts))
    tag, data = parts[at]
    vr = draw.choice(_VRS.split())
    value = data[8:] if data[4:6] not in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR") else data[12:]
    match draw.randrange(10):
        case 0:  # another VR
            parts[at] = element(tag, vr, value)
        case 1:  # a length that lies
            length = draw.choice([0, 1, len(value) + 1, len(value) // 2, 0xFFFF, 0xFFFFFFFF, draw.getrandbits(16)])
            long = data[4:6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR")
            parts[at] = element(tag, data[4:6].decode("latin-1"), value, length=length if long else length & 0xFFFF)
        case 2:
            del parts[at]
        case 3:
            parts.insert(at, parts[at])
        case 4:
            parts.insert(draw.randrange(len(parts)), parts.pop(at))
        case 5:  # wrapped in items
            parts[at] = sequence(draw.choice([tag, 0x00400275, 0x00091001]), [data], undefined=draw.random() < 0.5)
        case 6:  # cut short
            parts[at] = tag, data[: draw.randrange(len(data) + 1)]
        case 7:  # delimiters, escapes, NULs inside
            place = draw.randrange(len(value) + 1)
            extra = draw.choice([*_DELIMITERS, b"\x1b$B", b"\0", b"\\", b"=", b"^", b"\xff\xfe", b"\r\n"])
            parts[at] = element(tag, data[4:6].decode("latin-1"), value[:place] + extra + value[place:])
        case 8:  # an item as UN, implicit inside
            parts[at] = element(tag, "UN", item(data))
        case 9:  # another place, its private neighbour among them
            new = draw.choice([tag ^ 1, tag + 0x10000, 0x00090010, 0x00091001, 0x00100010, 0x7FE00010, tag])
            parts[at] = new, struct.pack("<HH", new >> 16, new & 0xFFFF) + data[4:]
    return parts


def _noise(data: bytes, draw: random.Random) -> bytes:
    """A change of bytes, whatever they mean."""
    changed = bytearray(data)
    at = draw.randrange(len(changed))
    match draw.randrange(4):
        case 0:
            changed[at] ^= 1 << draw.randrange(8)
        case 1:
            changed[at : at + draw.randrange(9)] = draw.randbytes(draw.randrange(9))
        case 2:
            del changed[at : at + draw.randrange(64)]
        case 3:
            changed = changed[: max(140, at)]
    return bytes(changed)


def mutated(case: Case, parts: list[Element], draw: random.Random) -> bytes:
    """A case's file with one to four changes; half of them in its structure."""
    if not parts or draw.random() < 0.3:
        data = next(iter(case.files.values()))
        for _ in range(draw.randint(1, 4)):
            data = _noise(data, draw) if data else data
        return data
    for _ in range(draw.randint(1, 4)):
        parts = _changed(parts, draw) or parts
    syntax = draw.choice([ExplicitVRLittleEndian] * 9 + [ImplicitVRLittleEndian])
    data = b"\0" * 128 + b"DICM" + meta(syntax, CTImageStorage, "1.2.840.99999.9") + joined(parts, ordered=False)
    return _noise(data, draw) if draw.random() < 0.1 else data


def learnable(data: bytes, case: Case) -> list[Planted]:
    """Identifiers that the file still says are the patient's: only these can be asked for.

    A change can take a name out of Patient's Name and leave it in a text that no one can tell from any other.
    """
    dataset = parsed(data)
    said = set()
    for keyword in ("PatientName", "PatientID"):
        try:
            value = str(dataset.get(keyword) or "")
        except Exception:
            continue
        words = re.split(r"[\^=\s]+", value)
        said |= {one for one in case.planted if one.text in words and one.kind in ("name", "id") and len(one.text) >= 5}
    return [one for one in said if not one.local]


def leaks(out: Path, asked: list[Planted]) -> list[str]:
    found = []
    for path in out.rglob("*"):
        if path.is_file():
            seen = Seen(path.read_bytes())
            found += [f"{one.text} in {path.name}" for one in asked if seen.holds(one)]
    return found


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"hangs for {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def check(batch: list[tuple[bytes, Case]], preset: str, keep: Path | None = None) -> tuple[int, int]:
    """Run files, each in a folder of its own; how many came out and how many were refused.

    Raises:
        AssertionError: an identifier survived, or a file got lost.
        Exception: whatever the command raises.
    """
    from hard_run import deidentified

    root = Path(tempfile.mkdtemp())
    try:
        asked = []
        for number, (data, case) in enumerate(batch):
            path = root / "in" / f"{number:03d}" / "file.dcm"
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
            asked += learnable(data, case)
        with limited(HANG):
            result = deidentified(root / "in", root, preset)
        found = leaks(result.out, asked)
        assert not found, found
        assert result.released + result.quarantined >= len(batch), (result.released, result.quarantined)
        return result.released, result.quarantined
    except BaseException:
        if keep:
            shutil.copytree(root / "in", keep, dirs_exist_ok=True)
        raise
    finally:
        shutil.rmtree(root)


def fuzz(seconds: float, seed: int, keep: Path | None = None) -> dict[str, int]:
    """Batches of mutated hard cases until the time is over; failing files are kept in `keep`."""
    draw = random.Random(seed)
    pool = [(case, _elements(case)) for case in cases() if len(case.files) < 3 and not case.name.startswith("archive")]
    found = {"files": 0, "released": 0, "quarantined": 0}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        chosen = draw.sample(pool, BATCH)  # each patient once, so that no file explains another
        batch = [(mutated(case, parts, draw), case) for case, parts in chosen]
        released, quarantined = check(batch, draw.choice(["strict", "research", "tcia"]), keep)
        found["files"] += len(batch)
        found["released"] += released
        found["quarantined"] += quarantined
    return found


def guided(seconds: int, corpus: Path) -> None:
    """The same check under atheris; a failure ends the process with its traceback."""
    import atheris

    with atheris.instrument_imports(include=["asclepius.deidentify"]):
        import asclepius.deidentify.folder  # noqa: F401
    by_name = {next(iter(case.files.values()))[:4096]: case for case in cases() if case.files}
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(by_name):
        if len(data) < 4096:
            (corpus / f"{number:03d}").write_bytes(data)
    everyone = Case("all", 0, planted=[one for case in cases() for one in case.planted])

    def one(data: bytes) -> None:
        if len(data) > 200:
            check([(data, everyone)], "research")

    def change(data: bytes, size: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if draw.random() < 0.5:
            return atheris.Mutate(data, size)
        try:
            parts = elements(parsed(data))
        except Exception:
            return atheris.Mutate(data, size)
        return mutated(Case("corpus", 0, files={"file": data or b"\0"}), parts, draw)[:size]

    limits = [f"-max_total_time={seconds}", f"-timeout={HANG}", "-max_len=8192", "-rss_limit_mb=3000"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={corpus}/", str(corpus)], one, custom_mutator=change)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the files of a failing batch")
    parser.add_argument("--atheris", action="store_true")
    chosen = parser.parse_args()
    if chosen.atheris:
        guided(chosen.seconds, chosen.keep or Path(tempfile.mkdtemp()))
    else:
        print(fuzz(chosen.seconds, chosen.seed, chosen.keep))


if __name__ == "__main__":
    main()
