"""What the balance stage asks of a fit: recipe.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asclepius.balance.settings import BalanceSettings
from asclepius.errors import StudyError
from asclepius.task import Task

KNOWN = {
    "loss": ("crossentropy", "focal", "logit_adjusted"),
    "sampler": ("shuffle", "balanced"),
    "space": ("image", "embedding"),
}
FEWEST = 1e-6  # share of a class: every training image may have a label


@dataclass(frozen=True)
class Recipe:
    """Args:
    loss: its name and its numbers.
    sampler: shuffle, or balanced: to settings.ratio.
    space: where synthetic examples are made; embedding asks the fit to make them.
    settings: of the method.
    prior: (classes,) share of the fold's training images that have the class.
    """

    loss: dict[str, Any]
    sampler: str
    space: str
    settings: BalanceSettings
    prior: np.ndarray

    @classmethod
    def read(cls, path: Path, task: Task) -> "Recipe":
        """Read recipe.json.

        Raises:
            StudyError: it asks for what is unknown here.
        """
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        for name, value in (("loss", found["loss"]["name"]), ("sampler", found["sampler"]), ("space", found["space"])):
            if value not in KNOWN[name]:
                raise StudyError(f"{path}: {name} {value!r} is unknown; known: {', '.join(KNOWN[name])}")
        settings = BalanceSettings.model_validate(found["settings"])
        prior = np.array([found["prior"][name] for name in task.classes])
        return cls(found["loss"], found["sampler"], found["space"], settings, prior)

    def shift(self, task: Task) -> np.ndarray:
        """(classes,) what logit adjustment adds to logits in the loss, or takes from them after (Menon et al. 2021).

        tau log prior; for independent labels tau times the prior's logit.
        """
        prior = np.clip(self.prior, FEWEST, 1 - FEWEST)
        return self.loss["tau"] * (np.log(prior) - (np.log1p(-prior) if task.kind == "multilabel" else 0))
