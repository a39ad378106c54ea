"""The common manner of every section of config.yaml."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A section: unknown keys refused, values frozen, every field described (the reference is generated)."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
