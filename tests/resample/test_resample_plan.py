"""The planned grid: from headers alone, readable, edited at will."""

import json

import numpy as np
import pandas as pd
import pytest
from resample_cases import item, series, shared

from asclepius import tables
from asclepius.errors import StudyError
from asclepius.provenance import digest
from asclepius.resample import headers, plan, planning, target
from asclepius.resample.schema import GEOMETRY
from asclepius.resample.settings import ResampleSettings

AUTO = ResampleSettings(target="auto")


def geometry(*images, flat=False) -> pd.DataFrame:
    """Rows of (shape, spacing)."""
    return pd.DataFrame({"shape": [s for s, _ in images], "spacing": [s for _, s in images], "flat": flat})


def table(path, rows):
    """A shard's geometry; rows of (image, fixed_test, shape)."""
    found = [
        {"image": name, "fixed_test": test, "flat": True, "shape": shape and json.dumps(shape), "spacing": None}
        for name, test, shape in rows
    ]
    tables.write(path, pd.DataFrame(found), GEOMETRY)
    return path


def test_the_spacing_is_the_median_and_most_images_lie_whole_in_the_grid():
    found = plan.planned(geometry(*[((30 + n, 50, 60), (2.0, 1.0, 1.0)) for n in range(10)]), AUTO)
    assert found.spacing == [2.0, 1.0, 1.0]
    assert found.size == [40, 56, 64]
    tall = [((40 if n < 8 else 72, 50, 60), (2.0, 1.0, 1.0)) for n in range(10)]
    assert plan.planned(geometry(*tall), AUTO).size[0] == 80  # one in ten may be cut, not two
    assert "multiples of 8" in found.reasons["size"]


def test_thick_slices_take_the_tenth_percentile_so_that_thin_ones_keep_their_detail():
    images = [((20, 200, 200), (step, 0.7, 0.7)) for step in [2.5] + [5.0] * 9]
    found = plan.planned(geometry(*images), ResampleSettings(target="auto", budget=10**7))
    assert found.spacing == pytest.approx([np.percentile([2.5] + [5.0] * 9, 10), 0.7, 0.7])
    assert "10th percentile" in found.reasons["spacing"]
    # 3 times as thick but no more: the median
    assert plan.planned(geometry(*[((20, 200, 200), (2.1, 0.7, 0.7))] * 3), AUTO).spacing[0] == 2.1


def test_the_budget_coarsens_the_finest_axes_first():
    found = plan.planned(
        geometry(*[((40, 512, 512), (5.0, 0.7, 0.7))] * 3), ResampleSettings(target="auto", budget=10**6)
    )
    assert np.prod(found.size) <= 10**6
    assert found.spacing[0] == 5.0
    assert found.spacing[1] == found.spacing[2] > 0.7
    assert "finest axes first" in found.reasons["spacing"]


@pytest.mark.parametrize("flat", [True, False])
def test_images_of_one_size_keep_it(flat):
    shape = (1, 28, 28) if flat else (28, 28, 28)
    found = plan.planned(geometry((shape, None), (shape, None), flat=flat), AUTO)
    assert (found.size, found.spacing) == (list(shape[flat:]), None)


def test_flat_pictures_take_their_median_size():
    sizes = [(1, 1000 + n, 1200) for n in range(9)]
    found = plan.planned(
        geometry(*[(s, None) for s in sizes], flat=True), ResampleSettings(target="auto", budget=10**7)
    )
    assert found.size == [1008, 1200]
    small = plan.planned(geometry(*[(s, None) for s in sizes], flat=True), AUTO)
    assert np.prod(small.size) <= 512**2
    assert small.size[0] / small.size[1] == pytest.approx(1004 / 1200, rel=0.05)


def test_volumes_without_spacing_are_stretched():
    found = plan.planned(geometry(((20, 30, 40), None), ((22, 30, 40), (1.0, 1.0, 1.0))), AUTO)
    assert (found.size, found.spacing) == ([24, 32, 40], None)


def test_images_of_the_fixed_test_set_change_nothing(tmp_path):
    rows = [("a", False, [1, 20, 20]), ("b", False, [1, 20, 20]), ("c", False, None), ("t", True, [1, 900, 900])]
    for name, some in (("all", rows), ("less", rows[:3])):
        planning.run(
            settings=AUTO,
            geometry=[table(tmp_path / name, some)],
            plan=tmp_path / f"{name}.yaml",
            fits=tmp_path / f"{name}.json",
        )
    assert (tmp_path / "all.yaml").read_text() == (tmp_path / "less.yaml").read_text()
    record = json.loads((tmp_path / "all.json").read_text())["fits"][0]
    assert record["images"] == digest(["a", "b", "c"])


def test_an_edited_plan_is_kept_and_any_other_is_made_anew(tmp_path, capsys):
    def go(side):
        planning.run(
            settings=AUTO, geometry=[table(tmp_path / "g", [("a", False, [1, side, side])])],
            plan=tmp_path / "plan.yaml", fits=tmp_path / "fits.json",
        )  # fmt: skip
        return target.read(tmp_path / "plan.yaml")

    assert go(20)[0].size == [20, 20]
    assert go(24) == (target.Target(size=[24, 24]), False)
    text = (tmp_path / "plan.yaml").read_text()
    (tmp_path / "plan.yaml").write_text(text.replace("[24, 24]", "[16, 16]"))
    assert go(28) == (target.Target(size=[16, 16]), True)
    said = capsys.readouterr().out
    assert "was edited and is kept: size [16, 16]" in said
    assert "planned anew it would be: size [28, 28]" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size: [8", "not YAML"),
        ("size: 8", "size: input should be a valid list"),
        ("size: [8, 8]\nspacing: [1.0]", "spacing has 1 values and size 2"),
        ("{}", "size: field required"),
    ],
)
def test_a_plan_that_cannot_be_followed_says_where_and_what(tmp_path, text, message):
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(StudyError, match=message):
        target.applied(AUTO, tmp_path / "plan.yaml")


def test_nothing_to_plan_from_stops_the_study():
    with pytest.raises(StudyError, match="no header can be read outside the test set"):
        plan.planned(geometry(), AUTO)


def test_headers_tell_what_the_images_then_are(stage, tmp_path, ramp):
    """Shape and spacing from headers alone equal those of the images once read and turned."""
    sagittal = series(ramp, cosines=(0, 1, 0, 0, 0, -1))
    nifti = shared("hippocampus_msd") / "images" / "hippocampus_001.nii.gz"
    nifti = nifti if nifti.exists() else sorted(nifti.parent.glob("*.nii.gz"))[0]
    oblique = shared("ms_lesion_mri") / "patient07" / "FLAIR_regtoMNI.nii.gz"
    items = [
        item("sagittal", "dicom", sagittal, modality="CT"),
        item("missing", "dicom", [data for n, data in enumerate(series(ramp)) if n != 2], modality="CT"),
        item("nifti", "nifti", [nifti.read_bytes()]),
        item("las", "nifti", [oblique.read_bytes()]),
        item("broken", "nifti", [b"no nifti"]),
    ]
    done = stage(items, size=[8, 8, 8])
    headers.run(
        settings=AUTO, shard=3, manifest=tmp_path / "manifest.parquet", release=tmp_path / "shard-0003.zip",
        geometry=tmp_path / "geometry",
    )  # fmt: skip
    found = tables.read(tmp_path / "geometry", GEOMETRY).set_index("image")
    assert found.loc["broken", "shape"] is None
    for name in done.index.index:
        # with a size that is stretched to, stored spacing times size is the extent of the turned original
        shape, spacing = json.loads(found.loc[name, "shape"]), json.loads(found.loc[name, "spacing"])
        stored = np.multiply(json.loads(done.index.loc[name, "spacing"]), 8)
        np.testing.assert_allclose(np.multiply(shape, spacing), stored, rtol=1e-4)
        assert sorted(shape) == sorted(json.loads(done.index.loc[name, "original_shape"]))
