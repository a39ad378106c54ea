"""The `split` section."""

from typing import Literal

from pydantic import Field, model_validator

from asclepius.settings import Settings


class SplitSettings(Settings):
    method: Literal["official", "holdout", "kfold", "leave_one_site_out", "temporal", "naive"] = Field(
        "kfold",
        description="official takes the source's own split; naive tears patients apart and needs demonstration: true; "
        "all others keep patients together",
    )
    folds: int = Field(5, ge=2, description="of kfold and naive; of leave_one_site_out: the number of sites")
    test: float = Field(0.2, gt=0, lt=1, description="share of patients: holdout and temporal")
    validation: float = Field(0.15, gt=0, lt=1, description="share of the patients that are not test")
    order: str | None = Field(
        None, description="temporal: column with a number or an ISO date, one of cohort.columns, e.g. x_year"
    )
    seed: int = Field(1, ge=0, description="of the draw")

    @model_validator(mode="after")
    def _ordered(self) -> "SplitSettings":
        if self.method == "temporal" and not self.order:
            raise ValueError("method temporal needs split.order, the column that says when, e.g. x_year")
        return self

    @property
    def count(self) -> int:
        """Number of folds, known before the data are."""
        return self.folds if self.method in ("kfold", "leave_one_site_out", "naive") else 1
