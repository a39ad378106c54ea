"""How figures, counts and names are written, and what each metric means in a sentence."""

import math
import re
import textwrap
from typing import Any

from asclepius.evaluate.catalogue import TITLES
from asclepius.report.evidence import Estimate

UNKNOWN = "–"

DEFINITIONS = {
    "auc": "Area under the ROC curve: the chance that a random image with the class scores higher than a random "
    "image without it. 0.5 is a coin, 1 is perfect. Needs no threshold.",
    "average_precision": "Area under the precision-recall curve. A blind guess scores the prevalence, so compare it "
    "with that, not with 0.5.",
    "sensitivity_at_specificity": "The share of images with the class that is found at the lowest threshold that still "
    "has the specificity evaluate.specificity. Compares arms at one price in false alarms, whatever their thresholds.",
    "accuracy": "Share of images called rightly. Misleading where one class is rare.",
    "balanced_accuracy": "Mean of the shares called rightly in each class. 0.5 is a coin for two classes.",
    "sensitivity": "Of the images with the class, the share that is found (also called recall).",
    "specificity": "Of the images without the class, the share that is cleared.",
    "precision": "Of the images called positive, the share that really is (positive predictive value). "
    "It falls with the prevalence.",
    "f1": "Harmonic mean of precision and sensitivity.",
    "brier": "Mean squared distance between predicted probability and truth (summed over exclusive classes). "
    "Lower is better; for two classes, always predicting the prevalence p scores p(1 − p).",
    "ece": "Expected calibration error: mean distance of predicted share and observed share over ten groups of equally "
    "many images. Lower is better; chance keeps it above 0, more so in small sets.",
    "calibration_intercept": "What must be added to the log-odds to be right on average. 0 is ideal; below 0 "
    "probabilities are too high.",
    "calibration_slope": "1 is ideal; below 1 probabilities are too extreme, above 1 too timid.",
    "intercept_error": "Distance of the calibration intercept from 0. Lower is better.",
    "slope_error": "Distance of the calibration slope from 1. Lower is better.",
}

ROLES = {
    "train": "training",
    "validation": "validation",
    "test": "test",
    "external": "external test",
    "unlabelled": "unlabelled",
}

STAGES = {
    "cohort": "reading",
    "deidentify": "de-identification",
    "resample": "resampling",
    "quality": "quality control",
}

REASONS = {
    "empty": "empty file",
    "truncated": "truncated file",
    "unreadable": "unreadable file",
    "undecodable": "pixels cannot be decoded",
    "unlabelled": "no label",
    "wrong-shape": "wrong shape",
    "geometry": "irregular geometry",
    "identity": "identity could not be removed",
    "burned-in-text": "text burned into the pixels",
    "wrong-modality": "other modality",
    "not-an-image": "not an image",
    "duplicate": "copy of another image",
    "blank": "blank image",
    "excluded": "excluded by the study's criteria",
}


def metric(name: str) -> str:
    return TITLES.get(name, name.replace("_", " "))


def role(name: str) -> str:
    return ROLES.get(name, name)


def reason(name: str) -> str:
    return REASONS.get(name, name.replace("-", " "))


def number(value: float, digits: int = 3) -> str:
    """A figure, or a dash where there is none; never "nan", never "-0.000"."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    text = number(value, digits)
    return text if text == UNKNOWN or text.startswith("−") or float(text) == 0 else f"+{text}"


def interval(estimate: Estimate, *, sign: bool = False) -> str:
    """ "[0.812, 0.943]", or nothing where it is not known."""
    write = signed if sign else number
    return f"[{write(estimate.low)}, {write(estimate.high)}]" if estimate.bounded else ""


def full(estimate: Estimate, *, sign: bool = False) -> str:
    """ "0.884 [0.812, 0.943]"."""
    value = (signed if sign else number)(estimate.value)
    return f"{value} {interval(estimate, sign=sign)}".strip()


def p_value(value: float) -> str:
    """ "p 0.012", "p < 0.001", or nothing."""
    if not math.isfinite(value):
        return ""
    return "p < 0.001" if value < 0.001 else f"p {value:.3f}"


def percent(share: float) -> str:
    """A share as a percentage; one decimal below 10 %."""
    if not math.isfinite(share):
        return UNKNOWN
    digits = 0 if share == 0 or share >= 0.1 else 1
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def percent_interval(estimate: Estimate) -> str:
    bounds = f" [{percent(estimate.low)}, {percent(estimate.high)}]" if estimate.bounded else ""
    return percent(estimate.value) + bounds


def count(value: float | None) -> str:
    """A number of things with thin spaces between thousands; a mean over seeds keeps one decimal."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    whole = float(value).is_integer()
    return f"{value:,.{0 if whole else 1}f}".replace(",", " ")


def plural(value: int, noun: str) -> str:
    """ "1 patient", "2 patients", "3 studies"."""
    if value == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count(value)} {many}"


def listed(words: list[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def slug(name: str) -> str:
    """A file name for a class or an arm; unlike names may share one, the caller numbers them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "class"


def wrapped(name: str, width: int) -> list[str]:
    """A name in lines of about `width` characters, broken after blanks, "-" and "_" where possible."""
    lines = textwrap.wrap(name.replace("_", "_ "), width)
    return [line.replace("_ ", "_") for line in lines] or [""]


def without_home(value: Any) -> Any:
    """Settings with absolute paths cut to their last part: a report is passed on, a home folder names a person."""
    if isinstance(value, dict):
        return {str(key): without_home(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_home(item) for item in value]
    text = str(value)
    if text.startswith(("/", "~")) or re.match(r"[A-Za-z]:[\\/]", text):
        return "…/" + re.split(r"[\\/]", text.rstrip("/"))[-1]
    return value if isinstance(value, bool | int | float) or value is None else text
