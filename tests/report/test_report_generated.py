"""Synthetic images on the page: only where there are some, beside the ceiling, with their warnings."""

import numpy as np
from fabricated import Fabricated, Shape
from PIL import Image

from asclepius.provenance import write_json
from asclepius.report.wording import percent


def quality(name, used, warnings=(), compared=True):
    pair = {"synthetic": 0.71, "real": 0.93}
    measures = {measure: pair for measure in ("precision", "recall", "density", "coverage", "spacing")}
    measures |= {"fid": {"synthetic": 25.6, "real": 3.1}}
    measures |= {"kid": {"synthetic": 0.123, "real": -0.004, "synthetic_error": 0.011, "real_error": 0.002}}
    return {
        "used": used,
        "compared": measures if compared else {},
        "copies": {"drawn": 200, "dropped": 6},
        "warnings": list(warnings),
    }


def test_figures_stand_beside_what_real_images_reach_with_warnings_and_samples(tmp_path, report_again):
    study = Fabricated(tmp_path, Shape())
    first, *rest = study.shape.classes
    classes = {first: quality(first, 40, ["the generator repeats a few kinds of image (mode collapse)"])}
    classes |= {name: quality(name, 0, compared=False) for name in rest}
    folder = study.paths["recipes"][0].parent / "generated"
    folder.mkdir()
    (folder / "quality.json").write_text(write_json({"classes": classes}), encoding="utf-8")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "samples.png")
    page = report_again(study)
    for text in (percent(0.71), f"real {percent(0.93)}", "0.123 ± 0.011", "25.6", percent(0.03), "too few images"):
        assert text in page
    assert "mode collapse" in page
    assert '<img src="data:image/png;base64,' in page
    assert 'href="#generated"' in page


def test_a_study_without_a_gan_does_not_speak_of_one(reported):
    _, page = reported(Shape())
    assert 'id="generated"' not in page
    assert "Synthetic images" not in page
