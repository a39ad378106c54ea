"""The `deidentify` section."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from asclepius.deidentify.profile.options import Option, Preset, chosen
from asclepius.errors import StudyError
from asclepius.settings import Settings


class DeidentifySettings(Settings):
    key: Path | None = Field(None, description="the secret key; null is ~/.config/asclepius/<study>.key")
    preset: Preset = Field("research", description="which options of PS3.15 E.3 apply; docs/deidentify.md lists them")
    options: list[Option] | None = Field(None, description="options instead of the preset's")
    words: list[str] = Field([], description="further words that may stay in cleaned descriptions")
    burned_in_text: Literal["quarantine", "keep"] = Field(
        "quarantine", description="without the option pixels: images said or likely to carry text in their pixels"
    )
    devices: Path | None = Field(None, description="CSV of further screen regions that devices write text to")
    crosswalk: bool = Field(True, description="keep an encrypted way back from pseudonyms, under restricted/")
    release: Literal["container", "tree"] = Field(
        "container", description="released files of a shard: one uncompressed zip, or a folder of files"
    )

    @model_validator(mode="after")
    def _options_agree(self) -> "DeidentifySettings":
        try:
            chosen(self.preset, self.options)
        except StudyError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def active(self) -> frozenset[str]:
        """The options in force."""
        return chosen(self.preset, self.options)
