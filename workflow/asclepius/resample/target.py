"""Size and spacing from a plan's file: what a person may edit, and what the stage then does."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asclepius.errors import StudyError
from asclepius.provenance import digest, write_json
from asclepius.resample.settings import ResampleSettings


class Target(BaseModel):
    """What of a plan counts; the rest of the file is for people."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    size: list[int] = Field(min_length=2, max_length=3)
    spacing: list[float] | None = None

    @property
    def digest(self) -> str:
        """Of both, to tell whether they are as they were planned."""
        return digest([write_json(self.model_dump())])[:12]


def read(path: Path) -> tuple[Target, bool]:
    """Size and spacing of a plan, and whether a person has changed them.

    Raises:
        StudyError: the file is missing or no plan.
    """
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        target = Target.model_validate(found)
        return target, found.get("planned") != target.digest
    except FileNotFoundError:
        raise StudyError(f"config: resample.plan: {path} does not exist; give the path of a plan.yaml") from None
    except ValidationError as error:
        raise StudyError(f"{path}: {_first(error)}; mend it, or delete it to plan anew") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = str(error).splitlines()[-1].strip()
        raise StudyError(f"{path}: not YAML ({where}); mend it, or delete it to plan anew") from None


def applied(settings: ResampleSettings, path: Path) -> ResampleSettings:
    """The settings with the size and spacing of a plan.

    Raises:
        StudyError: as `read`, or size and spacing contradict each other or the other settings.
    """
    target, _ = read(path)
    try:
        return ResampleSettings.model_validate(settings.model_dump() | target.model_dump())
    except ValidationError as error:
        raise StudyError(f"{path}: {_first(error)}; mend it, or delete it to plan anew") from None


def _first(error: ValidationError) -> str:
    item = error.errors()[0]
    where = ".".join(str(part) for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}" if where else message
