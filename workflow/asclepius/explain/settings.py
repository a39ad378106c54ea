"""The `explain` section."""

from pydantic import Field

from asclepius.settings import Settings


class ExplainSettings(Settings):
    cases: int = Field(4, ge=1, description="test cases per kind: right and wrong, for each class")
    threads: int = Field(2, ge=1, description="of arithmetic; it changes the last bits")
