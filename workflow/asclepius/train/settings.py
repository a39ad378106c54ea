"""The `train` section."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from asclepius.settings import Settings


class TrainSettings(Settings):
    epochs: int = Field(15, ge=1, description="at most")
    batch_size: int = Field(64, ge=1, description="images per step, at most; steps of an epoch are of equal size")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam, at its largest")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="of the learning rate over all epochs")
    weight_decay: float = Field(0.0, ge=0, description="decoupled (AdamW)")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the cross-entropy")
    patience: int = Field(0, ge=0, description="epochs without a better validation loss before stopping; 0 never")
    keep: Literal["best", "last"] = Field("best", description="weights of the best validation loss, or the last")
    normalise: Literal["standardise", "scale", "window"] = Field(
        "standardise", description="mean and deviation, or 1st to 99th percentile, of the training images; or a window"
    )
    window: tuple[float, float] | None = Field(None, description="lower and upper value, e.g. HU, of a fixed window")
    precision: Literal["float32", "mixed_bfloat16"] = Field("float32", description="of the network's arithmetic")
    threads: int = Field(2, ge=1, description="of arithmetic; part of the recipe, it changes the last bits")
    pack: int = Field(16, ge=1, description="runs (fold x seed) fitted in one job; 1 spreads them over a cluster")

    @field_validator("window")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None, info: ValidationInfo) -> tuple[float, float] | None:
        if value is None and info.data.get("normalise") == "window":
            raise ValueError("normalise: window needs its lower and upper value, e.g. [-1000, 400]")
        if value is not None and value[0] >= value[1]:
            raise ValueError("write the lower value first, then the upper")
        return value
