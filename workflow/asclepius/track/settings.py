"""The `track` section."""

from pydantic import Field

from asclepius.settings import Settings


class TrackSettings(Settings):
    uri: str | None = Field(None, description="address of an MLflow server; null is results/mlflow.db")
    experiment: str | None = Field(None, description="null is the study's name")
