"""The `canary` section: how the whole pipeline is tried on labels that mean nothing."""

from typing import Any, Literal

from pydantic import Field, field_validator

from asclepius.balance.settings import KNOWN, ONE_LABEL, BalanceSettings
from asclepius.models.settings import ModelSettings
from asclepius.settings import Settings
from asclepius.split.settings import SplitSettings
from asclepius.train.settings import TrainSettings

Design = Literal["fair", "naive"]
METHODS: tuple[str, ...] = tuple(KNOWN)
# It keeps what it ends with: a best epoch, chosen on honest validation patients, would hide what a leak taught.
# Networks this small gain nothing from a second thread; two of them at once do.
TRAIN = {"epochs": 20, "batch_size": 16, "learning_rate": 0.003, "keep": "last", "patience": 0, "threads": 1}
# A generator need not be good to leak, only to be trained.
BALANCE = {"gan": {"steps": 50, "threads": 1}}


class CanarySettings(Settings):
    methods: list[str] | None = Field(None, min_length=1, description="balance methods to try; null: all that suit")
    naive: list[str] = Field(["none"], min_length=1, description="methods that the naive split shows the leak with")
    shuffles: int = Field(2, ge=1, description="times that labels are shuffled anew; more make the intervals narrower")
    folds: int = Field(2, ge=2, description="of each shuffle; 2 test most patients per fit")
    validation: float = Field(0.15, gt=0, lt=1, description="share of the patients that are not test")
    patients: int = Field(400, ge=10, description="at most; further ones are left out at random, class by class")
    images: int = Field(12, ge=1, description="of one patient at most, neighbours from the middle")
    confidence: float = Field(0.999, gt=0.5, lt=1, description="of all methods together (Holm)")
    seed: int = Field(1, ge=0, description="of shuffles, folds and training")
    model: ModelSettings = Field(
        ModelSettings(blocks=2, filters=16, dense=0, dropout=0.0, pooling="flatten"),
        description="small, and able to learn patients by heart",
    )
    train: dict[str, Any] = Field(TRAIN, description="what differs from the section train")
    balance: dict[str, Any] = Field({}, description="what differs from the section balance")

    @field_validator("methods", "naive")
    @classmethod
    def _known(cls, value: list[str] | None) -> list[str] | None:
        unknown = [name for name in value or [] if name not in METHODS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no balance method; known: {', '.join(METHODS)}")
        return value

    def designs(self, multilabel: bool) -> dict[Design, list[str]]:
        """The methods tried with each split.

        Args:
            multilabel: whether an image may have several labels.
        """
        suited = [
            name
            for name in METHODS
            if not (multilabel and name in ONE_LABEL) and not BalanceSettings(method=name).refusal(self.model.name)
        ]
        return {"fair": list(dict.fromkeys(self.methods or suited)), "naive": list(dict.fromkeys(self.naive))}

    def balanced(self, base: BalanceSettings, method: str) -> BalanceSettings:
        """The study's balance section with this method, made quick."""
        values = base.model_dump()
        for name, changed in (BALANCE | self.balance).items():
            values[name] = values[name] | changed if isinstance(changed, dict) and name in values else changed
        return BalanceSettings.model_validate(values | {"method": method})

    def trained(self, base: TrainSettings) -> TrainSettings:
        """The study's train section with what differs here."""
        return TrainSettings.model_validate(base.model_dump() | self.train)

    def split(self, design: Design, shuffle: int) -> SplitSettings:
        """Folds by patient, or by image."""
        method = {"fair": "kfold", "naive": "naive"}[design]
        return SplitSettings(
            method=method, folds=self.folds, validation=self.validation, seed=1000 * self.seed + shuffle
        )
