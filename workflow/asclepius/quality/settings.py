"""The `quality` section."""

from pydantic import Field

from asclepius.settings import Settings


class QualitySettings(Settings):
    drop_blank: bool = Field(True, description="set aside images of one single value")
    exclude: dict[str, list[str]] = Field(
        {},
        description='column of the manifest: values set aside, e.g. sex: [O] or x_view: [L]; "" is an empty cell',
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
