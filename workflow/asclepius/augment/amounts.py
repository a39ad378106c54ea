"""What happens to each image of a batch: the numbers of every transform, drawn."""

from typing import Any

import numpy as np

from asclepius.augment.intensity import terms
from asclepius.augment.mixing import box, partners_share
from asclepius.augment.parameters import Draws
from asclepius.augment.settings import AugmentSettings, RandAugment
from asclepius.augment.spatial import Pose
from asclepius.errors import StudyError

AXES = ("z", "y", "x")
MOVING = ("flip", "rotate", "shift", "zoom", "affine", "crop")
MAGNITUDE = 10

# What RandAugment draws from, with the strength at its highest magnitude: those of Cubuk et al. (2020) that leave a
# medical image one. Equalize, posterize and solarize do not.
RANDOM = {
    "rotate": 30.0,
    "shear": 15.0,
    "shift": 0.2,
    "zoom": 0.3,
    "contrast": 0.5,
    "brightness": 0.5,
    "gamma": 0.5,
    "blur": 2.0,
    "noise": 0.3,
}


def check(settings: AugmentSettings, shape: tuple[int, ...]) -> None:
    """Refuse what an image has not.

    Args:
        settings: without preset.
        shape: (y, x) or (z, y, x).

    Raises:
        StudyError: an axis named is none of the image's, or RandAugment is asked of volumes.
    """
    axes = AXES[-len(shape) :]
    named = {name: getattr(one, "axes", ()) for name, one in settings.transforms.items() if name == "flip"}
    named |= {name: (one.axis,) for name, one in settings.transforms.items() if hasattr(one, "axis")}
    for name, asked in named.items():
        for axis in asked:
            if axis not in axes:
                raise StudyError(
                    f"augment.{name}: {axis!r} is no axis of a {len(shape)}D image; choose of {', '.join(axes)}"
                )
    if settings.randaugment and settings.randaugment.probability and len(shape) == 3:
        raise StudyError("augment.randaugment: made for 2D images; name transforms or a preset for volumes")


class Amounts:
    """The numbers of one batch, drawn.

    Args:
        settings: without preset.
        shape: (y, x) or (z, y, x), pixels.
        spacing: of pixels, same order; see `Pose.matrices`.
        draws: of the batch's n images.
    """

    def __init__(
        self, settings: AugmentSettings, shape: tuple[int, ...], spacing: tuple[float, ...] | None, draws: Draws
    ):
        self.transforms, self.draws = settings.transforms, draws
        self.shape, self.spacing, self.axes = shape, spacing, AXES[-len(shape) :]
        self.changed = draws.uniform("changed") < settings.probability

    def all(self) -> dict[str, np.ndarray]:
        """By name what the device needs, n rows each; nothing of transforms that are not asked for."""
        simple = {
            name: self._amount(name, part, neutral)
            for name, part, neutral in (
                ("gamma", "exponent", 1.0),
                ("contrast", "factor", 1.0),
                ("brightness", "offset", 0.0),
                ("noise", "deviation", 0.0),
                ("rician", "deviation", 0.0),
                ("blur", "sigma", 0.0),
            )
            if name in self.transforms
        }
        pose = self._pose()
        if "randaugment" in self.transforms:
            self._randaugment(simple, pose)
        found: dict[str, np.ndarray] = {name: value.astype(np.float32) for name, value in simple.items()}
        if {"noise", "rician"} & found.keys():
            found["keys"] = self.draws.words("field", 3).view(np.uint32).reshape(-1, 3, 2)
        if {*MOVING, "randaugment", "elastic"} & self.transforms.keys():
            found["matrices"] = pose.matrices(self.shape, self.spacing)
        for name in ("elastic", "bias_field", "motion", "ghosting", "spike", "low_resolution", "cutout"):
            if name in self.transforms:
                found |= getattr(self, f"_{name}")(self.transforms[name])
        return found

    def mixing(self, partners: np.ndarray) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
        """What mixing needs, and the partners' shares, (n,) each, in the order in which they are applied.

        Args:
            partners: (n,), place of each image's partner in the batch.
        """
        found: dict[str, np.ndarray] = {}
        shares = []
        if "cutmix" in self.transforms:
            d = len(self.shape)
            area = partners_share(self.draws.uniform("cutmix share"), self._amount("cutmix", "alpha", 1.0))
            sides = np.where(self._on("cutmix"), area, 0.0)[:, None] ** (1 / d) * np.ones(d)
            lower, upper = box(sides, self.draws.uniform("cutmix place", d), self.shape)
            found |= {"cutmix_lower": lower, "cutmix_upper": upper}
            shares.append(np.prod((upper - lower) / np.asarray(self.shape), axis=1))
        if "mixup" in self.transforms:
            share = partners_share(self.draws.uniform("mixup share"), self._amount("mixup", "alpha", 1.0))
            found["mixup"] = np.where(self._on("mixup"), share, 0.0).astype(np.float32)
            shares.append(found["mixup"].astype(float))
        if found:
            found["partners"] = partners.astype(np.int32)
        return found, shares

    def _on(self, name: str) -> np.ndarray:
        return self.changed & (self.draws.uniform(f"{name} on") < self.transforms[name].probability)

    def _amount(self, name: str, part: str, neutral: float, *shape: int) -> np.ndarray:
        """(n, *shape), evenly between the limits; `neutral` where the transform does not come about."""
        low, high = getattr(self.transforms[name], part)
        drawn = low + (high - low) * self.draws.uniform(f"{name} {part}", *shape)
        return np.where(self._on(name).reshape(-1, *(1,) * len(shape)), drawn, neutral)

    def _pose(self) -> Pose:
        d, side = len(self.shape), np.asarray(self.shape)
        pose = Pose.still(len(self.changed), d)
        if "flip" in self.transforms:
            flip = self.transforms["flip"]
            drawn = self.draws.uniform("flip", 3)[:, -d:] < flip.probability
            pose.flip = drawn & np.isin(self.axes, flip.axes) & self.changed[:, None]
        if "rotate" in self.transforms:
            asked = np.isin(AXES, self.transforms["rotate"].axes) if d == 3 else True
            pose.angle = np.where(asked, self._amount("rotate", "degrees", 0.0, pose.angle.shape[1]), 0.0)
        if "affine" in self.transforms:
            pose.scale = pose.scale * self._amount("affine", "scale", 1.0, d)
            pose.shear = self._amount("affine", "shear", 0.0, d, d)
        if "zoom" in self.transforms:
            pose.scale = pose.scale * self._amount("zoom", "factor", 1.0)[:, None]
        if "crop" in self.transforms:
            kept = self._amount("crop", "share", 1.0)[:, None]
            pose.scale = pose.scale / kept
            pose.source = (2 * self.draws.uniform("crop place", d) - 1) * (1 - kept) / 2 * side
        if "shift" in self.transforms:
            pose.shift = self._amount("shift", "share", 0.0, d) * side
        return pose

    def _randaugment(self, simple: dict[str, np.ndarray], pose: Pose) -> None:
        """Add a few of the nine to what is drawn already, with a random sign."""
        asked: RandAugment = self.transforms["randaugment"]
        order = np.argsort(np.argsort(self.draws.uniform("randaugment", len(RANDOM)), axis=1), axis=1)
        signs = np.where(self.draws.uniform("randaugment sign", len(RANDOM)) < 0.5, -1.0, 1.0)
        strength = self._amount("randaugment", "magnitude", 0.0)[:, None] / MAGNITUDE
        drawn = np.where(order < asked.number, signs * strength * list(RANDOM.values()), 0.0)
        of = dict(zip(RANDOM, drawn.T, strict=True))
        d = len(self.shape)
        along = np.eye(d)[(self.draws.uniform("randaugment axis") * d).astype(int)]
        pose.angle[:, 0] += of["rotate"]
        pose.shear = pose.shear + (of["shear"][:, None] * along)[:, :, None]
        pose.shift = pose.shift + of["shift"][:, None] * along * self.shape
        pose.scale = pose.scale * (1 + of["zoom"][:, None])
        for name in ("contrast", "gamma"):
            simple[name] = simple.get(name, 1.0) * (1 + of[name])
        simple["brightness"] = simple.get("brightness", 0.0) + of["brightness"]
        for name in ("blur", "noise"):
            simple[name] = np.hypot(simple.get(name, 0.0), of[name])

    def _elastic(self, asked: Any) -> dict[str, np.ndarray]:
        d = len(self.shape)
        size = self._amount("elastic", "share", 0.0).reshape(-1, *(1,) * (d + 1))
        points = 2 * self.draws.uniform("elastic points", d, *(asked.points + 2,) * d) - 1
        side = np.asarray(self.shape).reshape(-1, *(1,) * d)
        return {"control": (size * points * side).astype(np.float32)}

    def _bias_field(self, asked: Any) -> dict[str, np.ndarray]:
        drawn = 2 * self.draws.uniform("bias_field terms", len(terms(len(self.shape), asked.order))) - 1
        return {
            "bias_field": self._amount("bias_field", "strength", 0.0).astype(np.float32),
            "bias_terms": drawn.astype(np.float32),
        }

    def _motion(self, asked: Any) -> dict[str, np.ndarray]:
        return {
            "motion": (self._amount("motion", "share", 0.0, len(self.shape)) * self.shape).astype(np.float32),
            "motion_since": (0.1 + 0.8 * self.draws.uniform("motion since")).astype(np.float32),
        }

    def _ghosting(self, asked: Any) -> dict[str, np.ndarray]:
        low, high = asked.copies
        copies = low + np.floor((high - low + 1) * self.draws.uniform("ghosting copies"))
        strength = self._amount("ghosting", "strength", 0.0)
        return {"ghosting": strength.astype(np.float32), "ghosting_copies": copies.astype(np.float32)}

    def _spike(self, asked: Any) -> dict[str, np.ndarray]:
        # Not near the middle of k-space, where a wave is a shade rather than a stripe.
        drawn = self.draws.uniform("spike waves", len(self.shape))
        waves = np.round((0.1 + 0.3 * drawn) * self.shape)
        signs = np.where(self.draws.uniform("spike signs", len(self.shape)) < 0.5, -1, 1)
        return {
            "spike": self._amount("spike", "strength", 0.0).astype(np.float32),
            "spike_waves": (waves * signs).astype(np.float32),
            "spike_phase": (2 * np.pi * self.draws.uniform("spike phase")).astype(np.float32),
        }

    def _low_resolution(self, asked: Any) -> dict[str, np.ndarray]:
        factor = self._amount("low_resolution", "factor", 1.0)[:, None]
        return {"low_resolution": np.where(np.isin(self.axes, asked.axes), factor, 1.0).astype(np.float32)}

    def _cutout(self, asked: Any) -> dict[str, np.ndarray]:
        d = len(self.shape)
        lower, upper = box(self._amount("cutout", "share", 0.0, d), self.draws.uniform("cutout place", d), self.shape)
        return {"cutout_lower": lower, "cutout_upper": upper}
