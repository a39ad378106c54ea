"""The `augment` section: a number is that value, a pair is a range, a mapping adds a probability of its own."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.annotated_handlers import GetJsonSchemaHandler

from asclepius.settings import Settings

Axis = Literal["x", "y", "z"]
_AMOUNT = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}]}


def amount(least: float, most: float) -> Any:
    """The type of an amount within limits: a number, or a pair of which an image's value is drawn evenly."""

    def paired(value: Any) -> Any:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return (value, value) if plain else value

    def checked(value: tuple[float, float]) -> tuple[float, float]:
        if not least <= value[0] <= value[1] <= most:
            raise ValueError(f"write a number from {least:g} to {most:g}, or two with the lower first")
        return value

    return Annotated[tuple[float, float], BeforeValidator(paired), AfterValidator(checked), WithJsonSchema(_AMOUNT)]


class Transform(Settings):
    """One transform. Its short form is the value of its first option; `false` switches it off."""

    kind: ClassVar[str] = "number, pair or mapping"
    probability: float = Field(1.0, ge=0, le=1, description="share of the images that it changes")

    @classmethod
    def first(cls) -> str:
        return next(name for name in cls.model_fields if name != "probability")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if value is False:
            return {"probability": 0.0}
        return value if isinstance(value, dict | Transform) else {cls.first(): value}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler.resolve_ref_schema(handler(core))
        whole = dict(found)
        short = {name: part for name, part in whole["properties"][cls.first()].items() if name != "default"}
        found.clear()
        found["anyOf"] = [short, {"const": False}, whole]
        return found


class Flip(Transform):
    kind: ClassVar[str] = "list of x, y, z, or mapping"
    axes: tuple[Axis, ...] = Field((), description="axes mirrored, each by itself")
    probability: float = Field(0.5, ge=0, le=1, description="that an image is mirrored, for each axis")


class Rotate(Transform):
    degrees: amount(-180, 180) = Field((-10, 10), description="counter-clockwise where y points down")
    axes: tuple[Axis, ...] = Field(("x", "y", "z"), description="of a volume: turned about each by itself")


class Shift(Transform):
    share: amount(-1, 1) = Field((-0.05, 0.05), description="of the image's side, along each axis")


class Zoom(Transform):
    factor: amount(0.2, 5) = Field((0.9, 1.1), description="above 1 the picture grows, alike along all axes")


class Affine(Transform):
    kind: ClassVar[str] = "mapping"
    scale: amount(0.2, 5) = Field((1, 1), description="of each axis by itself; above 1 the picture grows")
    shear: amount(-60, 60) = Field((0, 0), description="degrees, of each axis along each other")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if not isinstance(value, dict | Transform) and value is not False:
            raise ValueError("write scale or shear, e.g. {scale: [0.9, 1.1], shear: [-5, 5]}")
        return {"probability": 0.0} if value is False else value


class Crop(Transform):
    share: amount(0.1, 1) = Field((0.8, 1.0), description="of each side that is kept, at a random place, and enlarged")


class Elastic(Transform):
    share: amount(0, 0.1) = Field((0, 0.03), description="largest displacement, as a share of the image's side")
    points: int = Field(5, ge=3, le=20, description="control points along each axis")

    @model_validator(mode="after")
    def _unfolded(self) -> Self:
        # Cubic B-splines map one to one while no point moves by more than 0.4 of the spacing (Choi & Lee 2000).
        if self.share[1] * (self.points - 1) > 0.4:
            raise ValueError(
                f"share: with {self.points} points the picture folds beyond {0.4 / (self.points - 1):.3g}; "
                "take less or fewer points"
            )
        return self


class Gamma(Transform):
    exponent: amount(0.1, 10) = Field((0.7, 1.4), description="of values scaled to 0..1; above 1 darkens")


class Brightness(Transform):
    offset: amount(-5, 5) = Field((-0.2, 0.2), description="added, in standard deviations of the image")


class Contrast(Transform):
    factor: amount(0.1, 10) = Field((0.8, 1.2), description="of the distance to the image's mean")


class Noise(Transform):
    deviation: amount(0, 5) = Field((0, 0.1), description="of Gaussian noise, in standard deviations of the image")


class Rician(Transform):
    deviation: amount(0, 5) = Field((0, 0.1), description="of each of the two channels that give a magnitude")


class Blur(Transform):
    sigma: amount(0, 20) = Field((0.5, 1.5), description="of a Gaussian, in pixels")


class LowResolution(Transform):
    factor: amount(1, 20) = Field((1, 2), description="by which pixels are coarser, before they are enlarged again")
    axes: tuple[Axis, ...] = Field(("x", "y", "z"), description="that are coarser")


class BiasField(Transform):
    strength: amount(0, 3) = Field((0, 0.3), description="natural logarithm of the largest gain")
    order: int = Field(3, ge=1, le=5, description="of the polynomial")


class Motion(Transform):
    share: amount(-0.5, 0.5) = Field((-0.05, 0.05), description="of the side that the patient moves along each axis")
    axis: Axis = Field("y", description="of phase encoding")


class Ghosting(Transform):
    strength: amount(0, 1) = Field((0, 0.5), description="that every line of k-space in turn loses")
    copies: tuple[int, int] = Field((2, 6), description="number of ghosts, from and to")
    axis: Axis = Field("y", description="of phase encoding")

    @field_validator("copies")
    @classmethod
    def _some(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 2 <= value[0] <= value[1]:
            raise ValueError("write two whole numbers from 2 on, the lower first")
        return value


class Spike(Transform):
    strength: amount(0, 5) = Field((0, 0.5), description="of the stripes, in standard deviations of the image")


class Cutout(Transform):
    share: amount(0, 0.9) = Field((0.1, 0.3), description="of each side that a box covers; it takes the image's mean")


class MixUp(Transform):
    alpha: amount(0.01, 10) = Field((0.2, 0.2), description="of the beta distribution of a partner's share")


class CutMix(Transform):
    alpha: amount(0.01, 10) = Field((1, 1), description="of the beta distribution of the area a partner covers")


class RandAugment(Transform):
    kind: ClassVar[str] = "whole number or mapping"
    number: int = Field(2, ge=1, le=9, description="of transforms an image gets, drawn of nine")
    magnitude: amount(0, 10) = Field((5, 5), description="0 changes nothing, 10 most")


class AugmentSettings(Settings):
    laterality: bool = Field(False, description="left and right matter: no flip along x")
    preset: Literal["xray", "ct", "mri", "fundus", "skin", "microscopy", "ultrasound"] | None = Field(
        None, description="transforms of a modality; what stands beside it counts instead, false switches off"
    )
    flip: Flip | None = Field(None, description="axes mirrored in half of the images: x left-right, y, z")
    rotate: Rotate | None = Field(None, description="degrees")
    shift: Shift | None = Field(None, description="share of the side, along each axis")
    zoom: Zoom | None = Field(None, description="factor, alike along all axes")
    affine: Affine | None = Field(None, description="scale and shear of each axis by itself")
    crop: Crop | None = Field(None, description="share of each side that is kept and enlarged")
    elastic: Elastic | None = Field(None, description="largest displacement as a share of the side")
    bias_field: BiasField | None = Field(None, description="natural logarithm of the largest gain")
    motion: Motion | None = Field(None, description="share of the side that the patient moves during acquisition")
    ghosting: Ghosting | None = Field(None, description="share that lines of k-space lose")
    blur: Blur | None = Field(None, description="sigma in pixels")
    low_resolution: LowResolution | None = Field(None, description="by which pixels are coarser")
    spike: Spike | None = Field(None, description="stripes, in standard deviations of the image")
    gamma: Gamma | None = Field(None, description="exponent")
    contrast: Contrast | None = Field(None, description="factor about the mean")
    brightness: Brightness | None = Field(None, description="offset in standard deviations of the image")
    noise: Noise | None = Field(None, description="Gaussian, in standard deviations of the image")
    rician: Rician | None = Field(None, description="noise of magnitude images, in the same unit")
    cutout: Cutout | None = Field(None, description="share of each side that a box covers")
    cutmix: CutMix | None = Field(None, description="alpha; a box of another image, targets by its area")
    mixup: MixUp | None = Field(None, description="alpha; images and targets of a batch mixed")
    randaugment: RandAugment | None = Field(None, description="2D: how many of nine transforms an image gets")
    probability: float = Field(1.0, ge=0, le=1, description="that an image is changed at all")

    @field_validator("flip")
    @classmethod
    def _sided(cls, value: Flip | None, info: ValidationInfo) -> Flip | None:
        if value is not None and "x" in value.axes and value.probability and info.data.get("laterality"):
            raise ValueError("x exchanges left and right, which laterality: true forbids; take x out")
        return value

    @field_validator("rotate")
    @classmethod
    def _upright(cls, value: Rotate | None, info: ValidationInfo) -> Rotate | None:
        flip = info.data.get("flip")
        mirrored = flip is not None and flip.axes and info.data.get("laterality")
        if value is not None and mirrored and max(map(abs, value.degrees)) > 90:
            raise ValueError("a flip and half a turn exchange left and right, which laterality: true forbids")
        return value

    @property
    def transforms(self) -> dict[str, Transform]:
        """Those named and not switched off, without the preset's."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: one for name, one in named.items() if isinstance(one, Transform) and one.probability > 0}

    @property
    def active(self) -> bool:
        """Whether any image is ever changed."""
        return self.probability > 0 and bool(self.preset or self.transforms)
