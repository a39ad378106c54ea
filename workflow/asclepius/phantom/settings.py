"""The `phantom` section: a simulated chest-CT cohort."""

from pydantic import Field

from asclepius.settings import Settings


class PhantomSettings(Settings):
    patients: int = Field(180, ge=10, description="simulated patients")
    prevalence: float = Field(0.2, gt=0, lt=1, description="share of patients with a nodule")
    second_visits: float = Field(0.15, ge=0, le=1, description="share of patients scanned twice")
    matrix: int = Field(96, ge=48, le=512, description="pixels along x and y of a slice")
    difficulty: float = Field(1.0, gt=0, description="1 is the default study; larger means fainter, smaller nodules")
    seed: int = Field(7, ge=0, description="every value gives another cohort, the same value the same bytes")
