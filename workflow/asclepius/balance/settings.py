"""The `balance` section."""

from typing import Any, Literal

from pydantic import Field

from asclepius.balance.gan.settings import GanSettings
from asclepius.settings import Settings

Method = Literal[
    "none",
    "class_weight",
    "focal",
    "logit_adjustment",
    "balanced_batches",
    "random_over",
    "random_under",
    "smote",
    "borderline_smote",
    "svm_smote",
    "adasyn",
    "smote_tomek",
    "smote_enn",
    "latent_smote",
    "gan",
]
_SMOTE = ("ratio", "k_neighbors", "space", "seed")
# The options each method knows; the others are ignored, so that one section can serve a grid of methods.
KNOWN: dict[str, tuple[str, ...]] = {
    "none": (),
    "class_weight": ("ratio",),
    "focal": ("gamma",),
    "logit_adjustment": ("tau",),
    "balanced_batches": ("ratio",),
    "random_over": ("ratio", "seed"),
    "random_under": ("ratio", "seed"),
    "smote": _SMOTE,
    "borderline_smote": (*_SMOTE, "m_neighbors"),
    "svm_smote": (*_SMOTE, "m_neighbors"),
    "adasyn": _SMOTE,
    "smote_tomek": _SMOTE,
    "smote_enn": _SMOTE,
    "latent_smote": ("ratio", "k_neighbors", "seed"),
    "gan": ("ratio", "gan", "seed"),
}

# Why a method does not suit several labels per image; those that are not named do.
ONE_LABEL: dict[str, str] = {
    **dict.fromkeys(
        [name for name, options in KNOWN.items() if "k_neighbors" in options],
        "an example between two sets of labels has none for certain",
    ),
    "random_under": "removing images of a common class removes rare ones with it",
    "gan": "it draws images of one class each",
}


class BalanceSettings(Settings):
    method: Method = Field("none", description="remedy for a rare class, applied to the training fold only")
    ratio: float = Field(
        1.0, gt=0, le=1, description="size of each smaller class as a share of the largest, afterwards"
    )
    space: Literal["pixels", "embedding"] = Field(
        "pixels", description="smote and its kin: interpolate stored pixels, or what the arm's network makes of them"
    )
    k_neighbors: int = Field(5, ge=1, description="smote and its kin: neighbours to interpolate between")
    m_neighbors: int = Field(
        10, ge=1, description="borderline_smote, svm_smote: neighbours that tell whether an image lies at the border"
    )
    gamma: float = Field(2.0, ge=0, description="focal: how much less well-classified images count")
    tau: float = Field(1.0, gt=0, description="logit_adjustment: 1 for the least mean error over classes")
    gan: GanSettings = Field(GanSettings(), description="gan: the generative network")
    seed: int = Field(1, ge=0, description="of the draw")

    @property
    def interpolates(self) -> bool:
        """Whether the method makes examples between others."""
        return "k_neighbors" in KNOWN[self.method]

    @property
    def embedded(self) -> bool:
        """Whether examples are made in the embedding of a trained network, in the train stage."""
        return self.method == "latent_smote" or (self.interpolates and self.space == "embedding")

    @property
    def known(self) -> dict[str, Any]:
        """The method and the options it knows, as plain values."""
        return self.model_dump(mode="json", include={"method", *KNOWN[self.method]})

    def recipe(self, columns: list[str], pixels: bool) -> dict[str, Any]:
        """What decides the stage's files: method, the options it knows, and the table values it works on.

        Args:
            columns, pixels: of the arm's `model` section; they matter only where examples are made of them.
        """
        found = self.known
        if columns and self.interpolates and not self.embedded:
            found |= {"columns": columns, "pixels": pixels}
        return found

    def refusal(self, model: str) -> str | None:
        """Why a model cannot be trained this way, and what to write instead; None if it can."""
        if model != "logistic":
            return None
        if self.embedded:
            instead = "smote" if self.method == "latent_smote" else self.method
            return f"{self.method} needs a network's embedding, model.name logistic has none; use {instead} on pixels"
        if self.method == "focal":
            return "focal is a loss of networks, not of model.name logistic; use class_weight or logit_adjustment"
        return None
