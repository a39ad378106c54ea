"""The `balance.gan` section."""

from pydantic import Field

from asclepius.settings import Settings


class GanSettings(Settings):
    minutes: float = Field(20, gt=0, description="time to train for, interruptions not counted")
    steps: int | None = Field(None, ge=1, description="train for so many steps instead: the same images every time")
    batch_size: int = Field(32, ge=4, multiple_of=4, description="real images per step, in fours of one class")
    filters: int | None = Field(
        None, ge=4, multiple_of=4, description="at full size, up to four times as many below. null: 16, 3D 8"
    )
    size: int | None = Field(
        None, ge=8, description="longest side drawn, in pixels; larger images are enlarged afterwards. null: 64, 3D 32"
    )
    threads: int = Field(2, ge=1, description="part of the recipe: another number gives other rounding")
