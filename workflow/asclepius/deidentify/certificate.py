"""One page that says what de-identification did, for whoever decides whether the files may be passed on."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import asclepius
from asclepius.deidentify.profile.options import OF_PIXELS, codes, unavailable
from asclepius.deidentify.profile.tables import RELEASE
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.templates import template

TEMPLATE = Path(__file__).with_name("certificate.html.j2")

MEANINGS = {
    "X": "removed",
    "Z": "emptied; the attribute is there, without a value",
    "D": "replaced by a pseudonym or by a value that says nothing",
    "U": "replaced by a new UID, the same wherever the old one stood",
    "C": "cleaned: dates moved, ages limited, identifiers taken out of text",
    "K": "looked at and kept",
}
_TABLES = {
    "attributes": "attributes (E.1-1)",
    "concepts": "report contents (E.3.4-1)",
    "private": "safe private attributes (E.3.10-1)",
    "types": "attribute types (PS3.3)",
}
_SOURCE = "copy the file again from its source"
REMEDIES = {
    "empty": _SOURCE,
    "truncated": _SOURCE,
    "unreadable": f"{_SOURCE}, or convert it with the software that made it",
    "undecodable": f"{_SOURCE}, or convert its pixels to an uncompressed transfer syntax",
    "unlabelled": "add a label, or leave the file out of the source",
    "wrong-shape": "give one picture or volume per file",
    "geometry": "export the complete series again",
    "identity": "the proof found an identifier that the rules had left: look at the file, and report what was missed",
    "burned-in-text": "look at it; then say in the header that it has no text, or leave it out",
    "face": "deface it by hand, or leave it out",
    "wrong-modality": "nothing: the study does not use it",
    "not-an-image": "nothing, or leave it out of the source",
    "duplicate": "nothing: its twin was used",
    "blank": "nothing, or export it again",
    "excluded": "nothing: excluded by the study's criteria",
}
_REASONS = 8  # rows, so that the page stays one
# What an option keeps that a reader may not expect, by option.
_KEPT = {
    "uids": "UIDs were kept: whoever holds the original files can match them.",
    "device": "The device's identity was kept: serial numbers and station names can point to a hospital.",
    "institution": "The institution's name and address were kept.",
    "full_dates": "Dates and times were kept as they are: they can be matched with appointments and admissions.",
    "modified_dates": "All dates of a patient moved by the same secret number of days: intervals, and how seldom an "
    "examination is made, still show.",
    "patient_characteristics": "Sex, age (at most 89 years), size and weight were kept: with other data they can "
    "single out a rare patient.",
}
# What stays because an option is not in force.
_UNTOUCHED = {
    "pixels": "Pixels were not searched for burned-in text.",
    "faces": "Faces were kept: a head scan can be rendered and recognised.",
}
_ALWAYS = (
    "A name that stands in text and in no header of the patient may be missed, as may a rare finding, an implant or a "
    "tattoo by which someone could be known.",
)


@dataclass(frozen=True)
class Method:
    """How a run de-identified, as the certificate tells it.

    Args:
        options: those in force (`profile.options.Option`).
        preset: its name; None where options were chosen one by one.
        codes: value and meaning of the De-identification Method Code Sequence (CID 7050).
        findings: identifiers found in released files after writing; anything but 0 is an error.
        proof: what was searched for and how, in a sentence; empty for that of DICOM files under these options.
        caveats: sentences of this run, after those that follow from the options.
    """

    options: frozenset[str]
    preset: str | None
    codes: tuple[tuple[str, str], ...]
    findings: int
    proof: str = ""
    caveats: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: DeidentifySettings) -> "Method":
        """The method of a run whose released files have all stood their proof."""
        preset = settings.preset if settings.options is None else None
        caveats = tuple(unavailable(settings.active))
        return cls(
            settings.active, preset, tuple(codes(settings.active, settings.active & OF_PIXELS)), 0, caveats=caveats
        )


def certificate(
    study: str,
    method: Method,
    *,
    released: int,
    patients: int,
    audit: pd.DataFrame,
    quarantine: pd.DataFrame,
    date: datetime.date | None = None,
) -> str:
    """A page of HTML, A4 when printed, without scripts or links; equal arguments give equal text.

    Args:
        study: its name.
        method: options in force, codes, result of the proof.
        released: files released.
        patients: pseudonyms among them.
        audit: tag, keyword, action, images, values: one row per attribute and action.
        quarantine: image, patient, stage, reason, sentence: one row per file left out.
        date: printed when given; never the clock's, so that a run can be repeated to the byte.
    """
    return template(TEMPLATE).render(
        study=study,
        method=method,
        date=date.isoformat() if date else "",
        proof=method.proof or _proof(method.options),
        figures=[
            ("files released", _count(released)),
            ("patient" if patients == 1 else "patients", _count(patients)),
            ("files left out", _count(len(quarantine))),
            ("identifiers found afterwards", _count(method.findings)),
        ],
        findings=_count(method.findings),
        releases="; ".join(f"{_TABLES.get(name, name)} {RELEASE[name]}" for name in sorted(RELEASE)),
        version=asclepius.__version__,
        actions=_actions(audit),
        reasons=_reasons(quarantine),
        caveats=caveats(method),
    )


def caveats(method: Method) -> list[str]:
    """What the reader must know before passing the files on: from the options in force, then of this run."""
    kept = [sentence for option, sentence in _KEPT.items() if option in method.options]
    untouched = [sentence for option, sentence in _UNTOUCHED.items() if option not in method.options]
    return [*untouched, *kept, *method.caveats, *_ALWAYS]


def _proof(options: frozenset[str]) -> str:
    """What the proof searches for: what an option keeps is no finding."""
    everywhere = "names" if "full_dates" in options else "names and dates"
    uids = "" if "uids" in options else ", UIDs"
    return (
        f"Each was read again after writing and searched, as decoded values and as raw bytes, for the {everywhere} in "
        f"the headers of the same patient's files, and for the patient's numbers{uids}, addresses and phone numbers."
    )


def _actions(audit: pd.DataFrame) -> list[dict[str, str]]:
    order = {code: rank for rank, code in enumerate(MEANINGS)}
    rows = []
    # Read from CSV, a missing keyword is NaN.
    for code, group in audit.fillna({"keyword": "", "tag": ""}).groupby("action", sort=True):
        frequent = group.sort_values(["images", "keyword"], ascending=[False, True])
        names = list(dict.fromkeys(name or tag for name, tag in zip(frequent["keyword"], frequent["tag"], strict=True)))
        rows.append(
            {
                "code": code,
                "meaning": MEANINGS.get(code, "see the conformance statement"),
                "attributes": _count(len(group[["tag", "keyword"]].drop_duplicates())),
                "changed": _count(int(group["values"].sum())),
                "examples": ", ".join(names[:3]) + (" …" if len(names) > 3 else ""),
            }
        )
    return sorted(rows, key=lambda row: (order.get(row["code"], len(order)), row["code"]))


def _reasons(quarantine: pd.DataFrame) -> list[dict[str, str]]:
    """Most frequent first, the rare ones on a line; a reason we have no remedy for shows the first sentence given."""
    counts = quarantine["reason"].value_counts()
    names = sorted(counts.index, key=lambda name: (-counts[name], name))
    shown = names if len(names) <= _REASONS else names[: _REASONS - 1]
    rows = []
    for name in shown:
        sentence = quarantine.loc[quarantine["reason"] == name, "sentence"].iloc[0]
        remedy = REMEDIES.get(name, sentence)
        rows.append({"name": name.replace("-", " "), "files": _count(int(counts[name])), "remedy": remedy})
    if rare := names[len(shown) :]:
        each = ", ".join(f"{name.replace('-', ' ')} {_count(int(counts[name]))}" for name in rare)
        rows.append({"name": "other reasons", "files": _count(int(counts[rare].sum())), "remedy": each})
    return rows


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
