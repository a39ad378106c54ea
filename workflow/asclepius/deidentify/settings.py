"""The `deidentify` section."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from asclepius.settings import Settings


class DeidentifySettings(Settings):
    key: Path | None = Field(None, description="the secret key; null is ~/.config/asclepius/<study>.key")
    burned_in_text: Literal["quarantine", "keep"] = Field(
        "quarantine", description="images said or seen to carry text in their pixels"
    )
