"""The whole of config.yaml: only assembles the rooms' settings, expands arms and says what is wrong in words.

Imported by common.smk, the command line and tests alone, so that a new option of one room re-runs no other.
"""

import difflib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from asclepius.augment.settings import AugmentSettings
from asclepius.balance.settings import BalanceSettings
from asclepius.canary.settings import CanarySettings
from asclepius.cohort.settings import CohortSettings
from asclepius.deidentify.settings import DeidentifySettings
from asclepius.errors import StudyError
from asclepius.evaluate.settings import EvaluateSettings
from asclepius.explain.settings import ExplainSettings
from asclepius.models.settings import ModelSettings
from asclepius.phantom.settings import PhantomSettings
from asclepius.quality.settings import QualitySettings
from asclepius.report.settings import ReportSettings
from asclepius.resample.settings import ResampleSettings
from asclepius.settings import Settings
from asclepius.split.settings import SplitSettings
from asclepius.track.settings import TrackSettings
from asclepius.train.settings import TrainSettings

RECIPE = ("model", "balance", "augment", "train")
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Study(Settings):
    study: str = Field("phantom", description="name of the study: results/<study>/")
    seeds: list[int] = Field([1], min_length=1, description="each arm is trained once per seed and fold")
    demonstration: bool = Field(
        False, description="allows split.method: naive; leaks are listed and do not stop the run; stamped everywhere"
    )
    phantom: PhantomSettings = Field(PhantomSettings(), description="the simulated cohort of source: phantom")
    cohort: CohortSettings = Field(CohortSettings(), description="where images, patients and labels come from")
    deidentify: DeidentifySettings = Field(DeidentifySettings(), description="removing identity")
    resample: ResampleSettings = Field(ResampleSettings(), description="one grid for all images")
    quality: QualitySettings = Field(QualitySettings(), description="what is kept")
    split: SplitSettings = Field(SplitSettings(), description="folds by patient")
    model: ModelSettings = Field(ModelSettings(), description="the network; an arm may differ")
    balance: BalanceSettings = Field(BalanceSettings(), description="remedy for rare classes; an arm may differ")
    augment: AugmentSettings = Field(AugmentSettings(), description="random transforms; an arm may differ")
    train: TrainSettings = Field(TrainSettings(), description="the fit; an arm may differ")
    evaluate: EvaluateSettings = Field(EvaluateSettings(), description="metrics and the choice of the best arm")
    explain: ExplainSettings = Field(ExplainSettings(), description="Grad-CAM")
    report: ReportSettings = Field(ReportSettings(), description="the page")
    track: TrackSettings = Field(TrackSettings(), description="MLflow")
    canary: CanarySettings = Field(CanarySettings(), description="the target canary: labels that mean nothing")
    arms: dict[str, dict[str, dict[str, Any]]] = Field(
        {}, description="name: what differs from the sections model, balance, augment and train above"
    )
    grid: dict[str, list[Any]] = Field(
        {}, description="section.option: values; every combination becomes an arm, e.g. balance.method: [none, smote]"
    )

    @field_validator("study")
    @classmethod
    def _slug(cls, value: str) -> str:
        if not SLUG.fullmatch(value):
            raise ValueError("use lower-case letters, digits, '-' and '_' only; it names a folder")
        return value

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) != len(value):
            raise ValueError("every seed once")
        return value

    @model_validator(mode="after")
    def _naive(self) -> "Study":
        if self.split.method == "naive" and not self.demonstration:
            raise ValueError(
                "split.method: naive puts images of one patient on both sides of a fold; write split.method: kfold, or "
                "demonstration: true if the study is to show what that does"
            )
        return self


class Arm(Settings):
    """A complete recipe."""

    model: ModelSettings
    balance: BalanceSettings
    augment: AugmentSettings
    train: TrainSettings


def load(values: dict[str, Any]) -> Study:
    """The study that the values of a config file describe.

    Raises:
        StudyError: one sentence for each unknown key (with the nearest known one), wrong type or value.
    """
    try:
        study = Study.model_validate(values)
    except ValidationError as error:
        raise StudyError(_sentences(error, Study)) from None
    arms(study)
    _check_canary(study)
    return study


def _check_canary(study: Study) -> None:
    canary = study.canary
    for name, changed, made in (
        ("train", TrainSettings, lambda: canary.trained(study.train)),
        ("balance", BalanceSettings, lambda: canary.balanced(study.balance, "none")),
    ):
        try:
            made()
        except ValidationError as error:
            raise StudyError(_sentences(error, changed, f"canary.{name}.")) from None


def arms(study: Study) -> dict[str, Arm]:
    """Every arm of the study by name; `arms` first, then `grid`; without either one arm, "default"."""
    base = {name: getattr(study, name).model_dump() for name in RECIPE}
    recipes = dict(study.arms) | dict(_expand(study.grid)) or {"default": {}}
    found = {}
    for name, changes in recipes.items():
        if not SLUG.fullmatch(name):
            raise StudyError(f"arms.{name}: use lower-case letters, digits, '-' and '_' only; it names a folder")
        unknown = [section for section in changes if section not in RECIPE]
        if unknown:
            raise StudyError(
                f"arms.{name}.{unknown[0]}: an arm may change {', '.join(RECIPE)}{_nearest(unknown[0], RECIPE)}"
            )
        merged = {section: base[section] | dict(changes.get(section) or {}) for section in RECIPE}
        try:
            found[name] = Arm.model_validate(merged)
        except ValidationError as error:
            raise StudyError(_sentences(error, Arm, f"arms.{name}.")) from None
        if refusal := found[name].balance.refusal(found[name].model.name):
            raise StudyError(f"config: arms.{name}.balance: {refusal}")
    return found


def _expand(grid: dict[str, list[Any]]) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    for name in grid:
        if name.count(".") != 1:
            raise StudyError(f"grid.{name}: write section.option, e.g. balance.method")
    for values in itertools.product(*grid.values()) if grid else ():
        recipe: dict[str, dict[str, Any]] = {}
        for name, value in zip(grid, values, strict=True):
            section, option = name.split(".")
            recipe.setdefault(section, {})[option] = value
        yield "-".join(_readable(name, value) for name, value in zip(grid, values, strict=True)), recipe


def _readable(name: str, value: Any) -> str:
    option = name.split(".")[1]
    text = re.sub(r"[^a-z0-9_]+", "_", str(value).lower()).strip("_")
    return text if option in ("method", "name") else f"{option}_{text}"


def _nearest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _sentences(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    lines = []
    for item in error.errors():
        where = prefix + ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _keys_at(model, item["loc"][:-1])
            lines.append(
                f"{where}: unknown key{_nearest(str(item['loc'][-1]), known) or '; known: ' + ', '.join(known)}"
            )
        else:
            message = item["msg"].removeprefix("Value error, ")
            if not item["loc"]:  # of the study as a whole; the message names the keys
                lines.append(message)
                continue
            lines.append(f"{where}: {message[0].lower() + message[1:]}, found {item['input']!r}")
    return "config: " + "\n        ".join(lines)


def _keys_at(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(model.model_fields)


def check_paths(study: Study) -> None:
    """Refuse paths and label columns that do not exist, before any job starts.

    Raises:
        StudyError: naming the key of the config, the path and what to do.
    """
    sources = {"cohort": study.cohort} | ({"cohort.external": study.cohort.external} if study.cohort.external else {})
    for key, source in sources.items():
        if source.source == "phantom":
            continue
        if source.path is None:
            raise StudyError(f"config: {key}.path: say where the images are")
        if not source.path.exists():
            raise StudyError(f"config: {key}.path: {source.path} does not exist (working directory {Path.cwd()})")
        if source.labels.path is not None:
            from asclepius.cohort.labels import check_columns

            check_columns(source, key)
