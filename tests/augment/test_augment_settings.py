import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asclepius import config, reference
from asclepius.augment.presets import PRESETS, resolved
from asclepius.augment.settings import AugmentSettings
from asclepius.augment.words import NAMES, sentence
from asclepius.errors import StudyError

TRANSFORMS = [name for name in AugmentSettings.model_fields if name not in ("laterality", "preset", "probability")]


def test_a_number_is_fixed_a_pair_a_range_and_a_mapping_adds_a_probability():
    found = AugmentSettings(rotate=5, zoom=[0.9, 1.1], blur={"sigma": [0.5, 1.5], "probability": 0.2}, gamma=False)
    assert found.rotate.degrees == (5, 5)
    assert found.zoom.factor == (0.9, 1.1)
    assert (found.blur.sigma, found.blur.probability) == ((0.5, 1.5), 0.2)
    assert set(found.transforms) == {"rotate", "zoom", "blur"}
    assert AugmentSettings.model_validate(found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"zoom": 0.1}, "augment.zoom.factor: write a number from 0.2 to 5, or two with the lower first, found 0.1"),
        ({"blur": [2, 1]}, "augment.blur.sigma: write a number from 0 to 20, or two with the lower first"),
        ({"rotat": 5}, "augment.rotat: unknown key; did you mean 'rotate'?"),
        ({"blur": {"sgma": 1}}, "augment.blur.sgma: unknown key; did you mean 'sigma'?"),
        ({"affine": 1.1}, "augment.affine: write scale or shear"),
        (
            {"elastic": {"share": 0.1, "points": 8}},
            "augment.elastic: share: with 8 points the picture folds",
        ),
        ({"ghosting": {"copies": [1, 2]}}, "augment.ghosting.copies: write two whole numbers from 2 on"),
        ({"laterality": True, "flip": ["y", "x"]}, "augment.flip: x exchanges left and right"),
        ({"laterality": True, "flip": ["y"], "rotate": [-180, 180]}, "augment.rotate: a flip and half a turn"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(values, sentence):
    with pytest.raises(StudyError) as caught:
        config.load({"augment": values})
    assert sentence in str(caught.value)


def test_laterality_is_kept_by_an_arm_that_flips():
    with pytest.raises(StudyError, match=r"arms\.a\.augment\.flip: x exchanges"):
        config.load({"augment": {"laterality": True}, "arms": {"a": {"augment": {"flip": ["x"]}}}})


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_gives_way_to_laterality_and_to_what_stands_beside_it(preset, dimensions):
    found = resolved(AugmentSettings(preset=preset, noise=0.5, zoom=False), dimensions)
    assert found.noise.deviation == (0.5, 0.5)
    assert "zoom" not in found.transforms
    assert {"rotate", "contrast", "brightness"} <= set(found.transforms)
    sided = resolved(AugmentSettings(preset=preset, laterality=True), dimensions)
    assert sided.flip is None or "x" not in sided.flip.axes
    assert len(PRESETS[preset].__doc__.splitlines()) > len(PRESETS[preset](2)) / 2, "reasons"


def test_every_preset_and_ready_form_fits_the_schema():
    schema = jsonschema.Draft202012Validator(config.Study.model_json_schema())
    forms = [{name: 1.0} for name in ("rotate", "zoom", "crop", "contrast")]
    forms += [{"flip": ["x"]}, {"flip": False}, {"blur": {"sigma": [0.5, 1], "probability": 0.1}}, {"randaugment": 2}]
    for values in [*forms, *(preset(3) for preset in PRESETS.values())]:
        schema.validate({"augment": values})
    with pytest.raises(jsonschema.ValidationError):
        schema.validate({"augment": {"blur": "much"}})


def test_every_transform_has_words_and_a_line_in_the_reference():
    assert set(NAMES) == set(TRANSFORMS)
    for name in TRANSFORMS:
        assert f"\n  {name}: null  # " in reference.defaults()
    said = sentence(AugmentSettings(rotate=[-10, 10], noise={"deviation": [0, 0.1], "probability": 0.25}, flip=["x"]))
    assert said == (
        "Flips along x (50%); rotation by ±10°; Gaussian noise of 0 to 0.1 SD (25%). "
        "SD: standard deviations of the image."
    )


@settings(max_examples=10, deadline=None)
@given(low=st.floats(-30, 30), extent=st.floats(0, 20), probability=st.floats(0.01, 1), whole=st.floats(0.2, 1))
def test_amounts_stay_within_what_was_asked_in_the_share_of_images_asked(low, extent, probability, whole):
    from asclepius.augment.amounts import Amounts
    from asclepius.augment.parameters import Draws

    chosen = AugmentSettings(
        brightness={"offset": [low / 10, (low + extent) / 10], "probability": probability}, crop=[0.5, 0.9],
        flip={"axes": ["x"], "probability": 0.3}, probability=whole,
    )  # fmt: skip
    found = Amounts(chosen, (16, 16), None, Draws(1, 1, np.arange(2000))).all()
    drawn = found["brightness"].astype(float)
    on = drawn != 0
    if abs(low) > 0.1:
        assert on.mean() == pytest.approx(probability * whole, abs=0.04)
    assert (drawn[on] >= low / 10 - 1e-6).all()
    assert (drawn[on] <= (low + extent) / 10 + 1e-6).all()
    linear = found["matrices"][:, :, :2].astype(float)
    kept = np.sqrt(np.abs(np.linalg.det(linear)))
    moved = np.abs(kept - 1) > 1e-6
    assert kept[moved].min() == pytest.approx(0.5, abs=0.02)
    assert kept[moved].max() == pytest.approx(0.9, abs=0.02)
    corners = np.einsum("nij,kj->nki", linear, [[0, 0], [15, 15]]) + found["matrices"][:, None, :, 2]
    assert corners.min() > -0.5
    assert corners.max() < 15.5
    assert (np.linalg.det(linear) < 0).mean() == pytest.approx(0.3 * whole, abs=0.04)
