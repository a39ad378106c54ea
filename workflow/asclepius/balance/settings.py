"""The `balance` section."""

from typing import Literal

from pydantic import Field

from asclepius.settings import Settings


class BalanceSettings(Settings):
    method: Literal["none", "class_weight", "random_over", "random_under", "smote"] = Field(
        "none", description="remedy for a rare class, applied to the training fold only"
    )
    ratio: float = Field(
        1.0, gt=0, le=1, description="size of each smaller class as a share of the largest, afterwards"
    )
    k_neighbors: int = Field(5, ge=1, description="smote: neighbours to interpolate between")
    seed: int = Field(1, ge=0, description="of the draw")
