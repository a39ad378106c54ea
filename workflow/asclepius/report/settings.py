"""The `report` section."""

from pydantic import Field

from asclepius.settings import Settings


class ReportSettings(Settings):
    title: str | None = Field(None, description="heading of the page; null is the study's name")
    question: str | None = Field(None, description="a sentence on what the study asks")
