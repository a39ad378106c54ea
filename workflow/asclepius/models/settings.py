"""The `model` section."""

from typing import Literal, Self

from pydantic import Field, model_validator

from asclepius.settings import Settings


class ModelSettings(Settings):
    name: Literal["logistic", "convnet"] = Field("convnet", description="logistic regression, or a convnet")
    blocks: int = Field(3, ge=1, le=6, description="convnet: convolution blocks, each halving the image")
    convolutions: int = Field(1, ge=1, le=3, description="convnet: convolutions per block")
    filters: int = Field(16, ge=1, description="convnet: filters of the first block, doubled in each next")
    dense: int = Field(64, ge=0, description="convnet: units of the dense layer; 0 leaves it out")
    dropout: float = Field(0.3, ge=0, lt=1, description="before the dense layer and the output")
    normalisation: Literal["batch", "group", "none"] = Field("batch", description="after each convolution")
    pooling: Literal["flatten", "average"] = Field("average", description="between convolutions and dense layer")
    l2: float = Field(1.0, gt=0, description="logistic: strength of the penalty")
    columns: list[str] = Field([], description="logistic: table values as input: age, sex, x_... ; gaps are filled")
    pixels: bool = Field(True, description="logistic: whether the image is input; false leaves the columns alone")

    @model_validator(mode="after")
    def _inputs(self) -> Self:
        if self.name != "logistic" and (self.columns or not self.pixels):
            raise ValueError(f"columns and pixels: false are for name: logistic; a {self.name} takes the image alone")
        if not self.pixels and not self.columns:
            raise ValueError("pixels: false leaves no input; name columns, e.g. columns: [age, sex]")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns: every column once")
        return self
