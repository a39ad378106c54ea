"""The `train` section."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from asclepius.settings import Settings

Method = Literal["standardise", "scale", "window", "zscore", "percentile", "nyul", "clahe"]


class TrainSettings(Settings):
    epochs: int = Field(15, ge=1, description="at most")
    batch_size: int = Field(64, ge=1, description="images per step, at most; steps of an epoch are of equal size")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam, at its largest")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="of the learning rate over all epochs")
    weight_decay: float = Field(0.0, ge=0, description="decoupled (AdamW)")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the cross-entropy")
    patience: int = Field(0, ge=0, description="epochs without a better validation loss before stopping; 0 never")
    keep: Literal["best", "last"] = Field("best", description="weights of the best validation loss, or the last")
    normalise: Literal["auto"] | Method = Field(
        "standardise",
        description="fitted to the training images: standardise, scale, nyul; by fixed numbers: window; "
        "each image by itself: zscore, percentile, clahe; auto: by modality",
    )
    window: tuple[float, float] | None = Field(None, description="lower and upper value, e.g. HU, of a fixed window")
    harmonise: Literal["none", "site", "scanner"] = Field(
        "none", description="brings the histograms of sites or scanners together before normalising (ComBat)"
    )
    percentiles: tuple[float, float] = Field(
        (1.0, 99.0), description="that scale, percentile, nyul and clahe take for the ends, 0 to 100"
    )
    foreground: Literal["all", "above_minimum", "above_mean"] | None = Field(
        None,
        description="what zscore, percentile, nyul and harmonise measure; null: all for percentile, else above_mean",
    )
    clahe_tiles: int = Field(8, ge=1, description="along each axis, at most; a tile has 8 pixels a side at least")
    clahe_limit: float = Field(0.01, gt=0, le=1, description="share of a tile's pixels that one grey value may hold")
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

    @field_validator("percentiles")
    @classmethod
    def _around_the_deciles(cls, value: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        low, high = value
        if not 0 <= low < high <= 100:
            raise ValueError("write two of 0 to 100, the lower first")
        landmarks = info.data.get("normalise") in ("nyul", "auto") or info.data.get("harmonise") != "none"
        if landmarks and (low >= 10 or high <= 90):
            raise ValueError("nyul and harmonise have the deciles between them: write one below 10 and one above 90")
        return value
