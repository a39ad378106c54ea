"""A finished study's arms and metrics as a Markdown table: `asclepius compare results/STUDY`."""

import argparse
import math
from pathlib import Path
from typing import Any

import pandas as pd

from asclepius import tables
from asclepius.errors import StudyError
from asclepius.evaluate.catalogue import METRICS as NAMES
from asclepius.evaluate.catalogue import SIGNED, TITLES
from asclepius.evaluate.schema import DIFFERENCES, METRICS

USUAL = ("auc", "average_precision", "sensitivity_at_specificity", "f1", "brier", "brier_recalibrated")


def compared(metrics: pd.DataFrame, differences: pd.DataFrame, names: list[str], role: str, of: str) -> str:
    """Arms by metrics: each figure with its interval, below it the difference to the reference with its own.

    Args:
        metrics, differences: the tables of the evaluate stage.
        names: of the metrics.
        of: the class, or "all".

    Raises:
        StudyError: the tables hold no such metric, role or class.
    """
    rows = metrics[(metrics["role"] == role) & (metrics["class"] == of) & metrics["metric"].isin(names)]
    rows = rows[(rows["fold"] == "all") & (rows["seed"] == "all") & (rows["subgroup"] == "all")]
    missing = set(names) - set(rows["metric"])
    if missing:
        roles, classes = (", ".join(dict.fromkeys(metrics[name])) for name in ("role", "class"))
        raise StudyError(
            f"evaluate/metrics: no {', '.join(sorted(missing))} of role {role}, class {of}; there are roles {roles}, "
            f"classes {classes} and metrics {', '.join(NAMES)}"
        )
    own = rows.set_index(["arm", "metric"])
    beside = differences[(differences["role"] == role) & (differences["class"] == of)].set_index(["arm", "metric"])
    reference = ", ".join(dict.fromkeys(differences["reference"]))
    lines = [f"| arm | {' | '.join(TITLES[name] for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for arm in dict.fromkeys(rows["arm"]):
        cells = []
        for name in names:
            text = _figure(own.loc[arm, name])
            if (arm, name) in beside.index:
                text += f"<br>{_figure(beside.loc[arm, name], sign=True, decided=name not in SIGNED)}"
            cells.append(text)
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    patients = int(rows["n"].max())
    below = f", below the difference to {reference}; bold: its interval excludes zero" if reference else ""
    return "\n".join([*lines, "", f"{patients} {role} patients. In brackets the interval over patients{below}."])


def _figure(row: pd.Series, sign: bool = False, decided: bool = False) -> str:
    def write(value: float) -> str:
        text = f"{value:{'+' if sign else ''}.3f}"
        return "0.000" if float(text) == 0 else text.replace("-", "−")

    if not math.isfinite(row["value"]):
        return "–"
    text = write(row["value"])
    if math.isfinite(row["low"]):
        text += f" [{write(row['low'])}, {write(row['high'])}]"
        if decided and not row["low"] <= 0 <= row["high"]:
            text = f"**{text}**"
    return text


def add_parser(subparsers: Any, text: str) -> argparse.ArgumentParser:
    """The sub-command's options."""
    parser = subparsers.add_parser("compare", help=text, description=text)
    parser.add_argument("study", type=Path, help="folder of a finished study, results/STUDY")
    parser.add_argument("--metrics", nargs="+", default=list(USUAL), choices=NAMES, metavar="METRIC", help="columns")
    parser.add_argument("--role", default="test", help="test, external or validation")
    parser.add_argument("--class", dest="of", default="all", help="one class against the rest")
    parser.set_defaults(call=_call)
    return parser


def _call(given: dict[str, Any]) -> None:
    folder = given["study"] / "evaluate"
    found = tables.read(folder / "metrics.parquet", METRICS), tables.read(folder / "differences.parquet", DIFFERENCES)
    print(compared(*found, given["metrics"], given["role"], given["of"]))
