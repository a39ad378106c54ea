"""Who was studied: Table 1, the folds, what was set aside."""

import pandas as pd

from asclepius.report.evidence import Evidence, has_class
from asclepius.report.tabular import Cell, Table, row
from asclepius.report.wording import STAGES, UNKNOWN, count, number, percent, plural, reason, role

SENTENCES = 3
SITES = 12


def table_one(evidence: Evidence) -> list[Table]:
    """The cohort as a whole, by class, by site and by what its images were used for."""
    images = evidence.images
    by_class = {name: images[has_class(images["label"], name)] for name in evidence.task.classes}
    everyone = {"All": images}
    tables = [_described("Patients and images by class", everyone | by_class, evidence)]
    sites = sorted(site for site in images["site"].unique() if site is not None)
    if len(sites) > 1:
        by_site = {site: images[images["site"] == site] for site in sites[:SITES]}
        note = "Sites are coded." + (f" The first {SITES} of {len(sites)} sites." if len(sites) > SITES else "")
        tables.append(_described("Patients and images by site", by_site, evidence, note))
    roles = [name for name in ("train", "validation", "test", "external") if (evidence.folds["role"] == name).any()]
    if evidence.folds["fold"].nunique() == 1:  # with more, a patient trains in one and is tested in another
        by_role = {role(name).capitalize(): evidence.in_role(name) for name in roles}
        tables.append(_described("Patients and images by use", by_role, evidence, _notes(evidence)))
    else:
        tables.append(_folds(evidence))
    return tables


def _described(caption: str, groups: dict[str, pd.DataFrame], evidence: Evidence, note: str = "") -> Table:
    rows = [
        row("Patients", *(count(of["patient"].nunique()) for of in groups.values())),
        row("Images", *(count(len(of)) for of in groups.values())),
        row("Visits", *(count(len(of.drop_duplicates(["patient", "visit"]))) for of in groups.values())),
    ]
    people = {name: of.sort_values("position").drop_duplicates("patient") for name, of in groups.items()}
    if evidence.images["age"].notna().any():
        rows.append(row("Age in years, mean (SD)", *(_age(of["age"]) for of in people.values())))
        missing = {name: int(of["age"].isna().sum()) for name, of in people.items()}
        if any(missing.values()):
            rows.append(row("Age unknown", *(count(value) for value in missing.values())))
    sexes = [sex for sex in ("F", "M", "O") if (evidence.images["sex"] == sex).any()]
    words = {"F": "Female", "M": "Male", "O": "Other sex"}
    for sex in sexes:
        rows.append(row(words[sex], *(_share(of["sex"] == sex) for of in people.values())))
    if sexes and any(of["sex"].isna().any() for of in people.values()):
        rows.append(row("Sex unknown", *(_share(of["sex"].isna()) for of in people.values())))
    if "All" not in groups:
        for name in evidence.task.classes:
            rows.append(row(f"Images: {name}", *(_share(has_class(of["label"], name)) for of in groups.values())))
    return Table(caption, ["", *groups], rows, note)


def _age(ages: pd.Series) -> str:
    known = ages.dropna()
    if known.empty:
        return UNKNOWN
    spread = f" ({number(float(known.std()), 1)})" if len(known) > 1 else ""
    return number(float(known.mean()), 1) + spread


def _share(having: pd.Series) -> str:
    return f"{count(int(having.sum()))} ({percent(float(having.mean()))})" if len(having) else "0"


def _folds(evidence: Evidence) -> Table:
    """Patients and images of each role in each fold, with those of the rarest class."""
    names = [name for name in ("train", "validation", "test", "external") if (evidence.folds["role"] == name).any()]
    has = {name: has_class(evidence.images["label"], name) for name in evidence.task.classes}
    rare = evidence.task.positive or min(has, key=lambda name: int(has[name].sum()))
    rows = []
    for fold in sorted(evidence.folds["fold"].unique()):
        cells = []
        for name in names:
            of = evidence.in_role(name, int(fold))
            having = int(has_class(of["label"], rare).sum())
            cells.append(Cell(count(len(of)), f"{plural(of['patient'].nunique(), 'patient')}, {having} {rare}"))
        rows.append(row(f"Fold {fold}", *cells))
    note = f"Images; below them patients and images with “{rare}”. {_notes(evidence)}".strip()
    return Table("What each fold used", ["", *(role(name).capitalize() for name in names)], rows, note)


def _notes(evidence: Evidence) -> str:
    return " ".join(filter(None, (_left_out(evidence), _together(evidence))))


def _together(evidence: Evidence) -> str:
    """Why figures name fewer test patients than the cohort has."""
    tested = evidence.folds[evidence.folds["role"] == "test"]
    groups = tested["group"].nunique()
    if groups == tested["patient"].nunique():
        return ""
    return (
        f"Test figures count {plural(groups, 'patient')}: those who share an image, or have images that look the same, "
        "count as one."
    )


def _left_out(evidence: Evidence) -> str:
    """Images the split left out, e.g. training copies of test images."""
    if evidence.dropped.empty:
        return ""
    why = "; ".join(sorted(set(evidence.dropped["sentence"]))[:SENTENCES]).rstrip(".")
    number_of = evidence.dropped["image"].nunique()
    where = "" if evidence.folds["fold"].nunique() == 1 else " of some fold"
    return f"{plural(number_of, 'image')} left out{where}: {why}."


def quarantine(evidence: Evidence) -> Table | None:
    """Images set aside, by stage and reason; None where there are none."""
    if evidence.quarantine.empty:
        return None
    rows = []
    for (stage, why), of in evidence.quarantine.groupby(["stage", "reason"], sort=False):
        sentences = of["sentence"].value_counts()
        shown = list(sentences.index[:SENTENCES])
        more = f" (and {len(sentences) - SENTENCES} further wordings)" if len(sentences) > SENTENCES else ""
        patients = of["patient"].nunique()
        known = count(patients) if patients else UNKNOWN
        rows.append(
            row(STAGES.get(stage, stage).capitalize(), reason(str(why)), count(len(of)), known, "; ".join(shown) + more)
        )
    return Table(
        "Images set aside",
        ["Stage", "Reason", "Images", "Patients", "What was found"],
        rows,
        prose=frozenset({1, 4}),
    )
