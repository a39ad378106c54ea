"""Transforms for each modality, with the reason for each choice."""

from collections.abc import Callable
from typing import Any

from asclepius.augment.settings import AugmentSettings, Flip

Preset = dict[str, Any]


def xray(dimensions: int) -> Preset:
    """Projection radiographs.

    - rotate, shift, zoom: patients stand a little aslant, aside, or nearer the detector.
    - contrast, brightness, gamma: exposure and the maker's grey curve differ between machines.
    - noise, blur: quanta, and motion during a long exposure.
    - No flip: the heart lies left, and side markers are read.
    - No elastic: bones do not bend.
    """
    return {
        "rotate": [-7, 7],
        "shift": [-0.05, 0.05],
        "zoom": [0.9, 1.1],
        "gamma": {"exponent": [0.7, 1.4], "probability": 0.3},
        "contrast": {"factor": [0.8, 1.2], "probability": 0.5},
        "brightness": {"offset": [-0.2, 0.2], "probability": 0.5},
        "noise": {"deviation": [0, 0.1], "probability": 0.3},
        "blur": {"sigma": [0.3, 1.0], "probability": 0.2},
    }


def ct(dimensions: int) -> Preset:
    """Computed tomography.

    - rotate about z most, and about the others in volumes: how the patient lies on the table.
    - shift, zoom, affine: table height and body size; lungs and vessels stretch more along one axis than another.
    - elastic: organs move with breath.
    - noise, blur: dose and reconstruction kernel, which differ most between scanners.
    - low_resolution along z in volumes: slice thickness.
    - contrast and brightness only a little, no gamma, no bias field: HU are calibrated; contrast agent shifts them.
    - No flip: liver and heart have their sides.
    """
    found: Preset = {
        "rotate": [-10, 10],
        "shift": [-0.05, 0.05],
        "zoom": [0.9, 1.1],
        "affine": {"scale": [0.95, 1.05], "shear": [-3, 3], "probability": 0.3},
        "elastic": {"share": [0, 0.03], "probability": 0.2},
        "blur": {"sigma": [0.3, 1.0], "probability": 0.2},
        "contrast": {"factor": [0.9, 1.1], "probability": 0.2},
        "brightness": {"offset": [-0.1, 0.1], "probability": 0.2},
        "noise": {"deviation": [0, 0.15], "probability": 0.3},
    }
    if dimensions == 3:
        found["low_resolution"] = {"factor": [1, 3], "axes": ["z"], "probability": 0.2}
    return found


def mri(dimensions: int) -> Preset:
    """Magnetic resonance, magnitude images.

    - rotate, shift, zoom: how the patient lies in the coil.
    - elastic: soft tissue, and distortion by gradients that are not straight.
    - bias_field: coils receive unevenly.
    - gamma, contrast, brightness: intensities have no unit and follow sequence and maker.
    - rician: the noise of a magnitude (Gudbjartsson & Patz 1995).
    - motion, ghosting, spike: what k-space makes of a patient who moves or breathes, and of sparks; rare.
    - low_resolution along any axis, blur: matrix, slice thickness and filters.
    - flip along x: body halves are near enough alike, in the brain above all; set laterality where a side is asked for.
    """
    return {
        "flip": ["x"],
        "rotate": [-10, 10],
        "shift": [-0.05, 0.05],
        "zoom": [0.9, 1.1],
        "elastic": {"share": [0, 0.03], "probability": 0.2},
        "bias_field": {"strength": [0, 0.3], "probability": 0.3},
        "motion": {"share": [-0.05, 0.05], "probability": 0.1},
        "ghosting": {"strength": [0, 0.5], "probability": 0.1},
        "spike": {"strength": [0, 0.3], "probability": 0.05},
        "blur": {"sigma": [0.3, 1.0], "probability": 0.2},
        "low_resolution": {"factor": [1, 2], "probability": 0.2},
        "gamma": {"exponent": [0.7, 1.4], "probability": 0.3},
        "contrast": {"factor": [0.8, 1.2], "probability": 0.3},
        "brightness": {"offset": [-0.2, 0.2], "probability": 0.3},
        "rician": {"deviation": [0, 0.1], "probability": 0.3},
    }


def fundus(dimensions: int) -> Preset:
    """Photographs of the retina.

    - flip along x: a right eye mirrored looks like a left one. Not along y: vessels and macula tell up from down.
    - rotate, shift, zoom: gaze and the camera's field.
    - brightness, contrast, gamma: flash, pupil and pigment.
    - bias_field: uneven lighting through a small pupil.
    - blur, noise: cataract, focus, and the sensor.
    """
    return {
        "flip": ["x"],
        "rotate": [-15, 15],
        "shift": [-0.05, 0.05],
        "zoom": [0.9, 1.1],
        "bias_field": {"strength": [0, 0.3], "probability": 0.3},
        "blur": {"sigma": [0.3, 1.5], "probability": 0.2},
        "gamma": {"exponent": [0.7, 1.4], "probability": 0.3},
        "contrast": {"factor": [0.8, 1.2], "probability": 0.5},
        "brightness": {"offset": [-0.3, 0.3], "probability": 0.5},
        "noise": {"deviation": [0, 0.05], "probability": 0.2},
    }


def skin(dimensions: int) -> Preset:
    """Dermatoscopy and photographs of skin.

    - flip along both axes, rotate all round: a lesion has no up and no left.
    - shift, crop: the lesion is rarely centred, and the camera's distance differs.
    - affine: skin stretches, and cameras look aslant.
    - brightness, contrast, gamma: light and skin tone.
    - blur: focus.
    - cutout: hair, rulers and bubbles cover parts; no single spot may decide.
    """
    return {
        "flip": ["x", "y"],
        "rotate": [-180, 180],
        "shift": [-0.05, 0.05],
        "crop": {"share": [0.75, 1.0], "probability": 0.5},
        "affine": {"scale": [0.9, 1.1], "shear": [-10, 10], "probability": 0.3},
        "blur": {"sigma": [0.3, 1.5], "probability": 0.2},
        "gamma": {"exponent": [0.7, 1.4], "probability": 0.3},
        "contrast": {"factor": [0.8, 1.2], "probability": 0.5},
        "brightness": {"offset": [-0.3, 0.3], "probability": 0.5},
        "cutout": {"share": [0.1, 0.25], "probability": 0.2},
    }


def microscopy(dimensions: int) -> Preset:
    """Histology, cytology and cells.

    - flip along every axis, rotate all round (in volumes about z, the optical axis): a section has no up and no left.
    - zoom: magnification and pixel size differ between scanners.
    - elastic: sections stretch and fold a little on the slide.
    - brightness, contrast, gamma: stain and lamp.
    - blur, noise: focus and the camera.
    """
    axes = ["x", "y", "z"][:dimensions]
    return {
        "flip": axes,
        "rotate": {"degrees": [-180, 180], "axes": ["z"]},
        "zoom": [0.9, 1.1],
        "elastic": {"share": [0, 0.03], "probability": 0.3},
        "blur": {"sigma": [0.3, 1.5], "probability": 0.2},
        "gamma": {"exponent": [0.7, 1.4], "probability": 0.3},
        "contrast": {"factor": [0.8, 1.2], "probability": 0.5},
        "brightness": {"offset": [-0.3, 0.3], "probability": 0.5},
        "noise": {"deviation": [0, 0.1], "probability": 0.3},
    }


def ultrasound(dimensions: int) -> Preset:
    """Ultrasound.

    - flip along x: the probe may be held either way. Not along y: sound comes from above and weakens with depth.
    - rotate, shift, zoom: the hand that holds the probe, and the depth set.
    - bias_field: gain over depth.
    - gamma, contrast, brightness: dynamic range and gain, set by hand.
    - noise, blur: speckle and focus.
    - cutout: shadows behind bone and gas hide parts.
    """
    return {
        "flip": ["x"],
        "rotate": [-10, 10],
        "shift": [-0.05, 0.05],
        "zoom": [0.9, 1.1],
        "bias_field": {"strength": [0, 0.3], "probability": 0.3},
        "blur": {"sigma": [0.3, 1.0], "probability": 0.2},
        "gamma": {"exponent": [0.7, 1.4], "probability": 0.5},
        "contrast": {"factor": [0.8, 1.2], "probability": 0.5},
        "brightness": {"offset": [-0.2, 0.2], "probability": 0.5},
        "noise": {"deviation": [0, 0.2], "probability": 0.3},
        "cutout": {"share": [0.1, 0.25], "probability": 0.2},
    }


PRESETS: dict[str, Callable[[int], Preset]] = {
    preset.__name__: preset for preset in (xray, ct, mri, fundus, skin, microscopy, ultrasound)
}


def resolved(settings: AugmentSettings, dimensions: int) -> AugmentSettings:
    """The same with the preset's transforms in the place of those not named.

    Args:
        dimensions: 2 or 3, of the image.
    """
    if settings.preset is None:
        return settings
    chosen = AugmentSettings.model_validate(PRESETS[settings.preset](dimensions))
    given = {name: getattr(settings, name) for name in type(settings).model_fields}
    found = {name: getattr(chosen, name) if value is None else value for name, value in given.items()}
    if settings.laterality and settings.flip is None and chosen.flip is not None:
        kept = tuple(axis for axis in chosen.flip.axes if axis != "x")
        turned = found["rotate"] is not None and max(map(abs, found["rotate"].degrees)) > 90
        found["flip"] = Flip(axes=() if turned else kept, probability=chosen.flip.probability)
    return AugmentSettings.model_validate(found | {"preset": None})
