"""The evaluate stage."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from asclepius import tables
from asclepius.audit.schema import FINDINGS
from asclepius.audit.stamp import NOTE, STAMP
from asclepius.errors import StudyError
from asclepius.evaluate import fits as fitting
from asclepius.evaluate import recalibration as recalibrating
from asclepius.evaluate import thresholds as thresholding
from asclepius.evaluate.bootstrap import Draws
from asclepius.evaluate.cases import Cases, Run, columns, read_runs, replicates
from asclepius.evaluate.compare import difference_rows, reference_arm
from asclepius.evaluate.confusion import confusion_rows
from asclepius.evaluate.curves import curve_rows
from asclepius.evaluate.estimates import ALL
from asclepius.evaluate.schema import CONFUSION, CURVES, DIFFERENCES, METRICS, RECALIBRATIONS, THRESHOLDS
from asclepius.evaluate.select import Choice, choose
from asclepius.evaluate.settings import EvaluateSettings
from asclepius.evaluate.subgroups import memberships
from asclepius.evaluate.table import Estimates, estimates, metric_rows, subgroup_rows
from asclepius.provenance import write_json
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.task import Task
from asclepius.train.schema import PREDICTIONS, RUNS

ROLES = ("validation", "test", "external")
TESTED = ("test", "external")
DIGITS = 6  # of metrics.csv


def run(
    *,
    settings: EvaluateSettings,
    predictions: list[Path],
    runs: list[Path],
    images: Path,
    folds: Path,
    task: Path,
    findings: Path,
    metrics: Path,
    differences: Path,
    thresholds: Path,
    recalibrations: Path,
    fits: Path,
    checks: Path,
    curves: Path,
    confusion: Path,
    choice: Path,
    metrics_csv: Path,
    all_predictions: Path,
    model: Path,
    results: Path,
    demonstration: bool = False,
) -> None:
    """Measure every arm with patient-level intervals, compare arms, and choose one by its validation figures.

    Args:
        predictions, runs: tables of the train stage, all arms and packs.
        images, task: of the quality stage.
        folds: of the split stage, for its groups.
        findings: of the audit; all must have passed.
        fits: record of what was fitted here; checks: findings about it, as the audit's.
        model: folder for the chosen model with its preprocessing and a card.
        results: results/{study}, which the paths in `runs` are relative to.
        demonstration: measure in spite of what the audit found, and say so beside every figure.

    Raises:
        StudyError: the audit failed, something was fitted to images it must not see, or predictions are incomplete or
            not comparable between arms.
    """
    if not demonstration:
        check_audit(tables.read(findings, FINDINGS))
    question = Task.read(task)
    pictures, assigned = tables.read(images, IMAGES), tables.read(folds, FOLDS)
    cohort = grouped(pictures, assigned)
    predicted = tables.concat([tables.read(path, PREDICTIONS) for path in predictions], PREDICTIONS)
    fitted = tables.concat([tables.read(path, RUNS) for path in runs], RUNS)

    scores = read_runs(predicted, cohort, question)
    validation = {run: roles["validation"] for run, roles in scores.items()}
    chosen = choose_thresholds(validation, question, settings)
    corrections = {run: recalibrating.fit(found, question) for run, found in validation.items()}
    fitted_here = (
        ["recalibration"] if chosen is None or settings.threshold == "half" else ["recalibration", "threshold"]
    )
    fitting.record(fits, validation, fitted_here, pictures)
    fitting.check(fits, pictures, assigned, checks)
    cases: dict[str, dict[str, dict[tuple[int, int], Cases]]] = {}  # role, arm, (fold, seed)
    for key, roles in scores.items():
        levels = None if chosen is None else [level for level, _ in chosen[key]]
        for role, found in roles.items():
            decided = found.decide(levels, corrections[key].apply(found.probability))
            cases.setdefault(role, {}).setdefault(key.arm, {})[key.fold, key.seed] = decided

    measured, metric_table, difference_table, curve_table, confusion_table = measure(cases, cohort, question, settings)
    selected = choose(
        {
            Run(arm, int(fold), int(seed)): float(found.overall(settings.primary)[0])
            for arm, each in measured["validation"].items()
            for (fold, seed), found in each.found.items()
            if ALL not in (fold, seed)
        },
        settings.primary,
    )
    print(selected.sentence)
    if demonstration:
        metric_table["note"] = [f"{note}; {NOTE}".removeprefix("; ") for note in metric_table["note"]]

    tables.write(metrics, metric_table, METRICS)
    tables.write(differences, difference_table, DIFFERENCES)
    tables.write(thresholds, threshold_table(chosen, question), THRESHOLDS)
    tables.write(recalibrations, recalibration_table(corrections, question), RECALIBRATIONS)
    tables.write(curves, curve_table, CURVES)
    tables.write(confusion, confusion_table, CONFUSION)
    numbers = metric_table.round(dict.fromkeys(("value", "low", "high"), DIGITS))
    tables.write_text(metrics_csv, numbers.to_csv(index=False, lineterminator="\n"))
    tables.write(all_predictions, in_order(predicted, cohort, question, list(measured["validation"])), PREDICTIONS)
    level = _level(chosen, selected.run, question)
    record = choice_record(selected, fitted, level, corrections[selected.run], question)
    record |= {"demonstration": STAMP} if demonstration else {}
    keep_model(model, Path(results), record, question, metric_table, settings.threshold)
    tables.write_text(choice, write_json(record))


def check_audit(findings: pd.DataFrame) -> None:
    """Refuse to measure what leaked.

    Raises:
        StudyError: naming the first failed finding.
    """
    failed = findings[~findings["passed"].astype(bool)]
    if len(failed):
        first = failed.iloc[0]
        raise StudyError(
            f"audit: {len(failed)} of {len(findings)} checks failed, first {first['check']!r} of {first['subject']}: "
            f"{first['sentence']} Figures from such data would mislead; see audit/findings.parquet"
        )


def grouped(images: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """The images with their group as patient: patients who share a picture may be one person, and are drawn as one."""
    group = folds.drop_duplicates("image").set_index("image")["group"]
    return images.assign(patient=images["image"].map(group).fillna(images["patient"]))


def choose_thresholds(validation: dict, task: Task, settings: EvaluateSettings) -> dict | None:
    """Each run's thresholds and notes by class; None when multi-class. Only validation scores come in here."""
    if task.kind == "multiclass":
        return None
    return {run: thresholding.choose(scores, settings.threshold) for run, scores in validation.items()}


def measure(
    cases: dict[str, dict[str, dict[tuple[int, int], Cases]]],
    images: pd.DataFrame,
    task: Task,
    settings: EvaluateSettings,
) -> tuple[dict[str, dict[str, Estimates]], pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Figures by role and arm, and the tables METRICS, DIFFERENCES, CURVES and CONFUSION.

    Args:
        cases: role, arm, (fold, seed) to cases.
    """
    single = not images["patient"].duplicated().any()
    members = memberships(images, settings.subgroups)
    names = [ALL] if task.kind == "binary" else columns(task)
    found: dict[str, dict[str, Estimates]] = {}
    rows, differences, curves, confusion = [], [], [], []
    for number, role in enumerate(ROLES):
        if role not in cases:
            continue
        patients = np.concatenate([part.patient for runs in cases[role].values() for part in runs.values()])
        draws = Draws(patients, settings.bootstrap, (settings.seed, number))
        parts = {}
        for arm, runs in cases[role].items():
            print(f"{role}: {arm}, {len(runs)} runs, {len(draws.patients)} patients", flush=True)
            measured = found.setdefault(role, {})[arm] = estimates(runs, role, task, draws, settings.specificity)
            rows += metric_rows(measured, arm, role, task, settings, single)
            if role not in TESTED:
                continue
            parts[arm] = replicates(runs, role)
            rows += subgroup_rows(parts[arm], arm, role, task, draws, settings, members)
            whose = {"arm": arm, "role": role}
            curves += [whose | row for row in curve_rows(parts[arm], names, draws, settings.confidence)]
            confusion += [whose | row for row in confusion_rows(parts[arm], task)]
        if role in TESTED:
            reference = reference_arm(list(found[role]), settings.reference)
            differences += difference_rows(found[role], parts, reference, role, task, settings.confidence)
    return (
        found,
        _frame(rows, METRICS),
        _frame(differences, DIFFERENCES),
        _frame(curves, CURVES),
        _frame(confusion, CONFUSION),
    )


def threshold_table(chosen: dict | None, task: Task) -> pd.DataFrame:
    """The table THRESHOLDS."""
    rows = [
        {"arm": run.arm, "fold": run.fold, "seed": run.seed, "class": name, "threshold": level, "note": note}
        for run, levels in (chosen or {}).items()
        for name, (level, note) in zip(columns(task), levels, strict=True)
    ]
    return _frame(rows, THRESHOLDS)


def recalibration_table(found: dict[Run, recalibrating.Recalibration], task: Task) -> pd.DataFrame:
    """The table RECALIBRATIONS."""
    rows = [
        {"arm": run.arm, "fold": run.fold, "seed": run.seed, "class": name}
        | {"slope": slope, "offset": offset, "note": note}
        for run, each in found.items()
        for name, slope, offset, note in zip(columns(task), each.slope, each.offset, each.notes, strict=True)
    ]
    return _frame(rows, RECALIBRATIONS)


def _frame(rows: list[dict], schema: tables.Schema) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(schema.columns)) if rows else schema.empty()


def in_order(predictions: pd.DataFrame, images: pd.DataFrame, task: Task, arms: list[str]) -> pd.DataFrame:
    """Predictions by arm, fold, seed, condition, the image's place in the cohort and class: no pseudonym decides."""
    rank = pd.DataFrame(
        {
            "arm": pd.Index(arms).get_indexer(predictions["arm"]),
            "fold": predictions["fold"].to_numpy(),
            "seed": predictions["seed"].to_numpy(),
            "condition": predictions["condition"].to_numpy(),
            "image": pd.Index(images["image"]).get_indexer(predictions["image"]),
            "class": pd.Index(task.classes).get_indexer(predictions["class"]),
        }
    )
    return predictions.iloc[rank.sort_values(list(rank.columns), kind="stable").index].reset_index(drop=True)


def _level(chosen: dict | None, run: Run, task: Task) -> float | dict[str, float] | None:
    if chosen is None:
        return None
    levels = [level for level, _ in chosen[run]]
    return levels[0] if task.kind == "binary" else dict(zip(task.classes, levels, strict=True))


def choice_record(
    choice: Choice,
    runs: pd.DataFrame,
    threshold: float | dict[str, float] | None,
    recalibration: recalibrating.Recalibration,
    task: Task,
) -> dict:
    """What choice.json holds.

    Args:
        threshold: of the positive class, of each label, or None where the most probable class decides.
        recalibration: of the chosen run.

    Raises:
        StudyError: the chosen run is not in train/runs.
    """
    arm, fold, seed = choice.run
    row = runs[(runs["arm"] == arm) & (runs["fold"] == fold) & (runs["seed"] == seed)]
    if len(row) != 1:
        raise StudyError(
            f"train/runs: arm {arm}, fold {fold}, seed {seed} stands in {len(row)} rows, 1 expected; train it again"
        )
    return {
        "arm": arm,
        "metric": choice.metric,
        # JSON knows no NaN.
        "validation": {name: None if np.isnan(value) else value for name, value in choice.validation.items()},
        "fold": fold,
        "seed": seed,
        "model": str(row["model"].iloc[0]),
        "preprocess": str(row["preprocess"].iloc[0]),
        "threshold": threshold,
        "recalibration": {
            name: {"slope": float(slope), "offset": float(offset)}
            for name, slope, offset in zip(columns(task), recalibration.slope, recalibration.offset, strict=True)
        },
        "sentence": choice.sentence,
    }


def keep_model(folder: Path, results: Path, record: dict, task: Task, metrics: pd.DataFrame, rule: str) -> None:
    """Copy the chosen model, its preprocessing and a card with its figures into one folder, whole or not at all.

    Raises:
        StudyError: the model's files are missing.
    """
    model, preprocess = results / record["model"], results / record["preprocess"]
    for path in (model, preprocess):
        if not path.is_file():
            raise StudyError(f"{path}: the chosen model's file is missing; train arm {record['arm']} again")
    everyone = metrics[(metrics["arm"] == record["arm"]) & (metrics["subgroup"] == ALL) & (metrics["class"] == ALL)]
    card = {
        "arm": record["arm"],
        "fold": record["fold"],
        "seed": record["seed"],
        "model": model.name,
        "preprocess": "preprocess.json",
        "task": {"kind": task.kind, "classes": list(task.classes), "positive": task.positive},
        "threshold": record["threshold"],
        "threshold_rule": rule if record["threshold"] is not None else None,
        "recalibration": record["recalibration"],
        "choice": record["sentence"],
        **({"demonstration": record["demonstration"]} if "demonstration" in record else {}),
        "metrics": {
            "arm": _figures(everyone, ALL, ALL),
            "run": _figures(everyone, str(record["fold"]), str(record["seed"])),
        },
    }
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        beside.chmod(0o755)
        shutil.copyfile(model, beside / model.name)
        shutil.copyfile(preprocess, beside / "preprocess.json")
        tables.write_text(beside / "card.json", write_json(card))
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _figures(metrics: pd.DataFrame, fold: str, seed: str) -> dict:
    found: dict[str, dict] = {}
    for row in metrics[(metrics["fold"] == fold) & (metrics["seed"] == seed)].to_dict("records"):
        numbers = {name: None if np.isnan(row[name]) else round(row[name], DIGITS) for name in ("value", "low", "high")}
        found.setdefault(row["role"], {})[row["metric"]] = numbers | {"n": row["n"]}
    return found
