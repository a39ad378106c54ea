"""The `quality` section."""

from typing import Literal

from pydantic import Field, field_validator

from asclepius.settings import Settings

FLAG_NAMES = (
    "blank", "low_contrast", "saturated", "clipped", "noisy", "blurred", "foreign_spacing", "wrong_orientation",
    "wrong_body_part", "burned_in_text",
)  # fmt: skip


class QualitySettings(Settings):
    drop_blank: bool = Field(True, description="set aside images of one single value")
    exclude: dict[str, list[str]] = Field(
        {},
        description='column of the manifest: values set aside, e.g. sex: [O] or x_view: [L]; "" is an empty cell; '
        "flags: names of flags, e.g. flags: [blurred]",
    )
    near_duplicates: Literal["group", "flag", "off"] = Field(
        "group",
        description="images that look the same: group keeps their patients in one fold, flag only tells, off does "
        "not search",
    )
    similarity: float = Field(
        0.95, gt=0.5, le=1, description="correlation of two small images, coarse layout removed, that makes them one"
    )
    few: int = Field(20, ge=3, description="images of a kind below which none is called unusual")
    outlier: float = Field(
        3.5, gt=0, description="robust standard deviations (median, MAD) from which a measure is unusual"
    )
    low_contrast: float = Field(
        0.1, ge=0, le=1, description="flag images whose range of values is below this share of their modality's median"
    )
    saturated: float = Field(
        0.05,
        gt=0,
        le=1,
        description="flag images with this share of pixels, beyond their modality's median, at their highest value",
    )
    clipped: float = Field(
        0.1, gt=0, le=1, description="the same for their lowest value; padding at the border does not count"
    )
    noisy: float = Field(2.0, gt=1, description="flag images with so many times the noise usual at their site")
    blurred: float = Field(
        0.8, gt=0, lt=1, description="flag images whose sharpness is below this share of what is usual at their site"
    )
    spacing: float = Field(
        3.0, gt=1, description="flag images with a spacing so many times larger or smaller than usual in their modality"
    )
    orientation: float = Field(
        0.2, gt=0, le=2, description="flag images that fit the others better by this correlation when turned"
    )
    body_part: str | None = Field(
        None, description="column that names the body part or view, one of cohort.columns, e.g. x_view"
    )
    rare_body_part: float = Field(
        0.05, ge=0, lt=0.5, description="flag body parts that a smaller share of a modality's images has"
    )
    burned_in_text: bool = Field(
        True, description="search 2-D images for burned-in text; both sides need 192 stored pixels"
    )

    @field_validator("exclude")
    @classmethod
    def _known_flags(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        unknown = [name for name in value.get("flags", []) if name not in FLAG_NAMES]
        if unknown:
            raise ValueError(f"flags: {unknown[0]!r} is none of {', '.join(FLAG_NAMES)}")
        return value
