"""The `resample` section: one grid for all images."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from asclepius.settings import Settings


class ResampleSettings(Settings):
    target: Literal["fixed", "auto"] = Field(
        "fixed",
        description="fixed: size and spacing below; auto plans them from the headers and writes resample/plan.yaml",
    )
    plan: Path | None = Field(
        None, description="file with size and spacing, such as a kept plan.yaml; goes before both"
    )
    budget: int | None = Field(
        None,
        ge=64,
        description="most voxels of a planned image; null is 2,097,152 (128^3), flat images 262,144 (512^2)",
    )
    size: list[int] = Field([64, 64], min_length=2, max_length=3, description="stored pixels: [y, x] or [z, y, x]")
    spacing: list[float] | None = Field(
        None, description="mm, same order as size; null stretches each image to the size, whatever its extent"
    )
    fit: Literal["stretch", "pad"] = Field(
        "stretch", description="without spacing: stretch, or keep the aspect and pad"
    )
    crop: Literal["none", "foreground"] = Field(
        "none", description="foreground keeps the box around the body or head (dark background), before resampling"
    )
    interpolation: Literal["linear", "bspline", "nearest"] = Field("linear", description="of images")
    thick_slices: Literal["same", "linear", "nearest"] = Field(
        "same", description="interpolation across slices more than 3 times as thick as the finest axis"
    )
    mask_interpolation: Literal["nearest", "linear"] = Field(
        "nearest", description="of masks; linear interpolates class by class and keeps borders smooth on finer grids"
    )
    bias_field: Literal["none", "n4"] = Field(
        "none", description="n4 takes the shading of MR coils out of each image first; seconds per volume"
    )
    channels: int = Field(
        1, ge=1, le=64, description="1 turns colour into luminance; 3 keeps it; n takes n sequences or volumes"
    )
    dtype: Literal["int16", "uint8", "uint16", "float32"] = Field(
        "int16",
        description="type of stored values: int16 for CT in HU, uint8 for 8-bit pictures; values outside are clipped",
    )
    fill: float | None = Field(None, description="value outside the image; null is -1000 for CT, else 0")
    missing_slices: int = Field(2, ge=0, description="gap in slices that is interpolated; a wider one quarantines")
    gantry_tilt: Literal["correct", "refuse"] = Field(
        "correct", description="DICOM slices sheared by a tilted gantry: straighten them, or quarantine the series"
    )
    mask_classes: dict[str, int] = Field(
        {},
        description="DICOM SEG and RT structures: name or number of a segment, and its number in the mask; others are "
        "left out; empty keeps all under their own numbers",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(not 0 < number < 256 for number in self.mask_classes.values()):
            raise ValueError("mask_classes: numbers are 1 to 255; leave out what is not wanted")
        if min(self.size) < 1:
            raise ValueError("size: every side has at least one pixel")
        if self.spacing is not None:
            if len(self.spacing) != len(self.size):
                raise ValueError(f"spacing has {len(self.spacing)} values and size {len(self.size)}; give one per side")
            if min(self.spacing) <= 0:
                raise ValueError("spacing: every value is above 0 mm")
            if self.fit == "pad":
                raise ValueError("fit: pad is for spacing: null; with a spacing nothing is stretched")
        return self
