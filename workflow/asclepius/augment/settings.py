"""The `augment` section."""

from typing import Literal

from pydantic import Field

from asclepius.settings import Settings


class AugmentSettings(Settings):
    flip: list[Literal["x", "y", "z"]] = Field([], description="axes mirrored in half of the images: x, y, z")
    rotate: float = Field(0.0, ge=0, le=180, description="largest rotation in degrees (3D: about z)")
    shift: float = Field(0.0, ge=0, le=1, description="largest shift as a share of the image")
    zoom: float = Field(0.0, ge=0, lt=1, description="largest zoom in or out as a share")
    contrast: float = Field(0.0, ge=0, lt=1, description="largest change of contrast about the mean as a share")
    noise: float = Field(0.0, ge=0, description="largest standard deviation of Gaussian noise, in normalised units")
    probability: float = Field(1.0, ge=0, le=1, description="that an image is changed at all")
