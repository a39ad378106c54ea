"""The order of transforms: body, scanner, display, mixing."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from asclepius.augment import artefacts, intensity, mixing, spatial
from asclepius.augment.compiled import when


def change(images: Any, found: dict[str, Any], bias_order: int, phase: dict[str, int]) -> Any:
    """Every transform of a batch; what `found` does not name is no part of the compiled function.

    Args:
        images: (n, ..., channel), float32.
        found: from `Amounts.draw` and `Amounts.mixing`.
        bias_order: of the bias field's polynomial.
        phase: number of the axis of phase encoding, for motion and ghosting.
    """

    def step(used: Any, function: Callable[..., Any], *arguments: Any) -> None:
        nonlocal images
        images = when(used, lambda given: function(given, *arguments), images)

    if "matrices" in found:
        step(_moved(found), spatial.warp, found["matrices"], found.get("control"))
    if "bias_field" in found:
        step(found["bias_field"] != 0.0, intensity.bias_field, found["bias_field"], found["bias_terms"], bias_order)
    if "motion" in found:
        step(found["motion"] != 0.0, artefacts.motion, found["motion"], found["motion_since"], phase["motion"])
    matrices, used = _filters(found, tuple(images.shape[1:-1]), phase)
    if any(matrices):
        step(used, artefacts.filtered, matrices, used)
    if "spike" in found:
        step(found["spike"] != 0.0, artefacts.spike, found["spike"], found["spike_waves"], found["spike_phase"])
    for name, neutral in (("gamma", 1.0), ("contrast", 1.0), ("brightness", 0.0)):
        if name in found:
            step(found[name] != neutral, getattr(intensity, name), found[name])
    for name in ("noise", "rician"):
        if name in found:
            step(found[name] != 0.0, getattr(intensity, name), found[name], found["keys"])
    for name, function, given in (
        ("cutout", mixing.cutout, ()),
        ("cutmix", mixing.cutmix, (found.get("partners"),)),
    ):
        if f"{name}_lower" in found:
            lower, upper = found[f"{name}_lower"], found[f"{name}_upper"]
            step(upper > lower, function, *given, lower, upper)
    if "mixup" in found:
        step(found["mixup"] != 0.0, mixing.mixup, found["partners"], found["mixup"])
    return images


def follow(masks: Any, found: dict[str, Any]) -> Any:
    """Masks as their images move, 0 where a box is cut out.

    Args:
        masks: (n, ..., channel), any type.
        found: as of `change`.
    """
    if "matrices" in found:
        masks = spatial.warp(masks, found["matrices"], found.get("control"), order=0)
    if "cutout_lower" in found:
        hidden = mixing.inside(found["cutout_lower"], found["cutout_upper"], tuple(masks.shape[1:-1]))
        masks = ops.where(hidden, ops.zeros((), masks.dtype), masks)
    return masks


def _moved(found: dict[str, Any]) -> Any:
    d = found["matrices"].shape[1]
    moved = ops.any(found["matrices"] != np.eye(d, d + 1, dtype=np.float32))
    return moved | ops.any(found["control"] != 0.0) if "control" in found else moved


def _filters(found: dict[str, Any], shape: tuple[int, ...], phase: dict[str, int]) -> tuple[list[list[Any]], Any]:
    """Ghosts, blur and coarse pixels of each axis, and which images have any."""
    matrices: list[list[Any]] = []
    used: Any = False
    for axis, size in enumerate(shape):
        own = []
        if "ghosting" in found and axis == phase["ghosting"]:
            own.append(artefacts.ghosting(found["ghosting"], found["ghosting_copies"], size))
            used = used | (found["ghosting"] != 0.0)
        if "blur" in found:
            own.append(artefacts.blurring(found["blur"], size))
            used = used | (found["blur"] != 0.0)
        if "low_resolution" in found:
            own.append(artefacts.coarsening(found["low_resolution"][:, axis], size))
            used = used | (found["low_resolution"][:, axis] != 1.0)
        matrices.append(own)
    return matrices, used
