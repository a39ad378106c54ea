"""The `evaluate` section."""

from typing import Literal

from pydantic import Field

from asclepius.settings import Settings

Metric = Literal[
    "auc",
    "average_precision",
    "sensitivity_at_specificity",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "brier",
]


class EvaluateSettings(Settings):
    primary: Metric = Field(
        "auc", description="the arm with the best (brier: lowest) mean validation score of it is chosen"
    )
    threshold: Literal["youden", "accuracy", "f1", "half"] = Field(
        "youden", description="what the threshold maximises on validation; half is plain 0.5"
    )
    specificity: float = Field(0.9, gt=0, lt=1, description="at which arms are compared in sensitivity")
    bootstrap: int = Field(1000, ge=50, description="draws of patients behind each interval")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the intervals")
    subgroups: list[str] = Field([], description="columns to report apart, e.g. sex, site, age (in bands)")
    reference: str | None = Field(
        None, description="arm the others are compared with; null takes the arm none, else the first"
    )
    seed: int = Field(1, ge=0, description="of the draws")
