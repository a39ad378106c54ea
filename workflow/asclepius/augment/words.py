"""Settings in words, for the contact sheet and the report."""

from asclepius.augment.settings import AugmentSettings, Transform

NAMES = {
    "flip": "flips along {axes}",
    "rotate": "rotation by {degrees}°",
    "shift": "shifts by {share} of the side",
    "zoom": "zoom {factor} times",
    "affine": "scale {scale} times and shear by {shear}° of each axis",
    "crop": "crops of {share} of each side",
    "elastic": "elastic displacement up to {share} of the side",
    "bias_field": "a bias field of log gain {strength}",
    "motion": "motion by {share} of the side",
    "ghosting": "ghosting of strength {strength}",
    "spike": "spikes of {strength} SD",
    "blur": "blur of sigma {sigma} pixels",
    "low_resolution": "pixels {factor} times coarser",
    "gamma": "gamma {exponent}",
    "contrast": "contrast {factor} times",
    "brightness": "brightness by {offset} SD",
    "noise": "Gaussian noise of {deviation} SD",
    "rician": "Rician noise of {deviation} SD",
    "cutout": "a box of {share} of each side cut out",
    "mixup": "mixup of alpha {alpha}",
    "cutmix": "cutmix of alpha {alpha}",
    "randaugment": "RandAugment of {number} at magnitude {magnitude}",
}


def sentence(settings: AugmentSettings) -> str:
    """What is drawn, between which limits and in how many images.

    Args:
        settings: without preset.
    """
    parts = [_part(name, one) for name, one in settings.transforms.items()]
    text = "; ".join(parts)
    if settings.probability < 1:
        text += f"; {settings.probability:.0%} of the images are changed at all"
    if not text:
        return "Nothing."
    return text[:1].upper() + text[1:] + "." + (" SD: standard deviations of the image." if " SD" in text else "")


def _part(name: str, one: Transform) -> str:
    values = {part: _value(getattr(one, part)) for part in type(one).model_fields}
    text = NAMES[name].format(**values)
    return text if one.probability == 1 else f"{text} ({one.probability:.0%})"


def _value(value: object) -> str:
    if isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], str):
        low, high = value
        if low == -high and high:
            return f"±{high:g}"
        return f"{low:g}" if low == high else f"{low:g} to {high:g}".replace("-", "−")
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
