"""`asclepius deidentify IN OUT --key FILE`."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from asclepius import tables
from asclepius.deidentify.certificate import Method, certificate
from asclepius.deidentify.folder.run import Summary, deidentify_folder
from asclepius.deidentify.profile.options import Option, Preset
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import StudyError

_EXAMPLE = """\
OUT holds released files alone, under new names: patient/study/series/instance. What could not be released, the
encrypted way back and the certificate lie in --restricted. Exit status: 0 all files released, 1 some in quarantine,
2 refused.

example:
  asclepius deidentify scans/ clean/ --key ~/keys/mystudy.key --jobs 4
"""


def add_parser(subparsers: Any, text: str) -> argparse.ArgumentParser:
    """The sub-command's options."""
    parser = subparsers.add_parser(
        "deidentify", help=text, description=text, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", metavar="IN", type=Path, help="folder of DICOM, NIfTI, BIDS and picture files")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for the released files")
    parser.add_argument("--key", required=True, type=Path, help="file of the master key; made if there is none")
    parser.add_argument(
        "--restricted", type=Path, help="folder for quarantine.csv, crosswalk and audit; OUT-restricted by default"
    )
    parser.add_argument("--preset", choices=get_args(Preset), default="research", help="default: research")
    parser.add_argument("--options", help=f"instead of the preset's, commas between: {', '.join(get_args(Option))}")
    parser.add_argument("--words", nargs="+", default=[], help="further words that may stay in descriptions")
    parser.add_argument("--devices", type=Path, help="CSV of further screen regions that devices write text to")
    parser.add_argument("--no-crosswalk", action="store_true", help="keep no way back")
    parser.add_argument("--jobs", type=int, default=1, help="processes; default: 1")
    parser.set_defaults(call=_call)
    return parser


def _call(given: dict[str, Any]) -> int:
    out = given["out"]
    restricted = given["restricted"] or out.parent / f"{out.resolve().name}-restricted"
    if given["jobs"] < 1:
        raise StudyError(f"--jobs {given['jobs']}: at least 1 process is needed")
    try:
        settings = DeidentifySettings(
            preset=given["preset"],
            options=given["options"].split(",") if given["options"] else None,
            words=given["words"],
            devices=given["devices"],
            crosswalk=not given["no_crosswalk"],
        )
    except ValueError as error:
        raise StudyError(f"--options {given['options']}: {error}") from None
    summary = deidentify_folder(
        given["source"],
        out,
        key=given["key"],
        restricted=restricted,
        settings=settings,
        jobs=given["jobs"],
        progress=_progress(),
    )
    tables.write_text(restricted / "certificate.html", _certificate(summary, settings, out, restricted), private=True)
    _farewell(summary, out, restricted)
    return 1 if summary.quarantined else 0


def _certificate(summary: Summary, settings: DeidentifySettings, out: Path, restricted: Path) -> str:
    changes = [(*change, summary.files[change], summary.values[change]) for change in sorted(summary.values)]
    left_out = pd.read_csv(restricted / "quarantine.csv").assign(stage="deidentify").rename(columns={"file": "image"})
    return certificate(
        out.resolve().name,
        Method.of(settings),
        released=summary.released,
        patients=summary.patients,
        audit=pd.DataFrame(changes, columns=["tag", "keyword", "action", "images", "values"]),
        quarantine=left_out,
    )


def _progress() -> Callable[[str, int, int], None]:
    """Prints, at most once a second, how far it is, how fast, and when it will end."""
    begin = last = time.monotonic()
    stage = ""

    def show(what: str, done: int, total: int) -> None:
        nonlocal begin, last, stage
        now = time.monotonic()
        if what != stage:
            begin, stage = now, what
        elif now - last < 1 and done != total:
            return
        last = now
        rate = done / max(now - begin, 1e-6)
        if not total or not done:
            print(f"\r{what}: {done} files", end="", file=sys.stderr, flush=True)
            return
        left = (total - done) / max(rate, 1e-6)
        end = "\n" if done == total else ""
        text = f"\r{what}: {done} of {total} files, {rate:.0f} per second, {_time(left)} left"
        print(f"{text:<70}", end=end, file=sys.stderr, flush=True)

    return show


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _farewell(summary: Summary, out: Path, restricted: Path) -> None:
    print(f"{summary.released} files of {summary.patients} patients released to {out}")
    if summary.quarantined:
        listed = ", ".join(f"{count} {reason}" for reason, count in summary.reasons.most_common())
        print(
            f"{summary.quarantined} files not released ({listed}); each with its reason in {restricted}/quarantine.csv"
        )
    print(f"certificate and audit: {restricted}")
