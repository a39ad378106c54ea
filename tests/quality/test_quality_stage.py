"""What is kept, what is not, and why."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from asclepius.errors import StudyError
from asclepius.quality.settings import QualitySettings

TWO = [("P-1", "well", {}), ("P-2", "ill", {})]


def included(done) -> list[str]:
    return list(done.images["image"])


def test_tables_are_joined_in_order_of_position_with_stored_boxes(stage):
    done = stage([*TWO, ("P-1", "well", {"x_view": "PA", "visit": 2})])
    assert included(done) == ["i00", "i01", "i02"]
    assert list(done.images["row"]) == [0, 0, 1]
    assert set(done.images["boxes"]) == {"[[1, 1, 1, 2, 2, 2]]"}
    assert list(done.images["x_view"]) == [None, None, "PA"]
    assert "path" not in done.images


def test_a_blank_image_is_set_aside_unless_told_otherwise(stage):
    blank = ("P-3", "ill", {"minimum": 5.0, "maximum": 5.0, "p01": 5.0, "p99": 5.0, "at_maximum": 1.0})
    done = stage([*TWO, blank])
    assert done.quarantine.loc["i02", "reason"] == "blank"
    assert not done.flags.loc["i02", "included"]
    assert not done.flags.loc["i02", ["low_contrast", "saturated"]].any()
    assert included(stage([*TWO, blank], settings={"drop_blank": False})) == ["i00", "i01", "i02"]


def test_contrast_and_saturation_are_judged_within_a_modality(stage):
    faint = {"p01": 0.0, "p99": 50.0}
    radiograph = {"modality": "DX", "p01": 0.0, "p99": 50.0, "at_maximum": 0.3}
    images = [*TWO, ("P-3", "ill", {}), ("P-4", "ill", faint), ("P-5", "ill", {"at_maximum": 0.2})]
    images += [(f"P-{n}", "ill", radiograph) for n in (6, 7, 8)]
    done = stage(images, settings={"few": 3})
    assert list(done.flags.index[done.flags["low_contrast"]]) == ["i03"]
    assert list(done.flags.index[done.flags["saturated"]]) == ["i04"]
    assert done.flags["judged"].all()
    too_few = stage(images).flags
    assert not too_few[["low_contrast", "saturated", "judged"]].any().any()
    assert len(done.images) == len(images)  # a flag sets nothing aside


def test_of_copies_of_one_patient_the_first_by_position_stays(stage):
    copy = {"content": "same"}
    done = stage([*TWO, ("P-3", "ill", copy), ("P-3", "ill", copy | {"visit": 2}), ("P-3", "ill", copy)])
    assert included(done) == ["i00", "i01", "i02"]
    assert list(done.quarantine["reason"]) == ["duplicate", "duplicate"]
    assert "same pixels as image i02" in done.quarantine.loc["i03", "sentence"]
    assert list(done.flags["copies"]) == [1, 1, 3, 3, 3]


def test_a_labelled_copy_is_kept_rather_than_an_unlabelled_one(stage):
    done = stage([*TWO, ("P-3", None, {"content": "same"}), ("P-3", "ill", {"content": "same"})])
    assert included(done) == ["i00", "i01", "i03"]


def test_copies_under_several_patients_stay_for_the_split_to_join(stage):
    done = stage([*TWO, ("P-3", "ill", {"content": "same"}), ("P-4", "ill", {"content": "same"})])
    assert len(done.images) == 4


def test_copies_with_contradicting_labels_are_all_set_aside(stage):
    copies = [("P-3", "ill", {"content": "same"}), ("P-4", "well", {"content": "same"})]
    done = stage([*TWO, *copies])
    assert included(done) == ["i00", "i01"]
    assert list(done.quarantine["reason"]) == ["excluded", "excluded"]
    assert done.quarantine.loc["i02", "sentence"].startswith("identical image with two different labels")
    assert len(stage([*TWO, *copies], labels={"multilabel": True}).images) == 4


def test_an_official_split_keeps_its_copies_across_roles(stage):
    rows = [
        ("P-1", "well", {"official": "train"}),
        ("P-2", "ill", {"official": "train"}),
        ("P-3", "ill", {"official": "train", "content": "same"}),
        ("P-4", "well", {"official": "test", "content": "same"}),
    ]
    assert len(stage(rows).images) == 4
    rows[3] = ("P-3", "ill", rows[3][2])  # one patient in both roles: still for the split to decide
    rows.append(("P-3", "ill", {"official": "test", "content": "same"}))
    assert included(stage(rows)) == ["i00", "i01", "i02", "i03"]


def test_an_external_set_is_no_official_split(stage):
    rows = [*TWO, ("P-3", "ill", {"content": "same"}), ("P-4", "well", {"content": "same", "official": "external"})]
    assert len(stage(rows).images) == 2


def test_a_column_excludes_values(stage):
    rows = [*TWO, ("P-3", "ill", {"sex": "O"}), ("P-4", "ill", {"age": 40.0}), ("P-5", "ill", {"x_view": "L"})]
    done = stage(rows, settings={"exclude": {"sex": ["O"], "age": ["40"], "x_view": ["L"]}})
    assert included(done) == ["i00", "i01"]
    assert done.quarantine.loc["i02", "sentence"] == "sex is 'O', set aside by quality.exclude"
    assert set(done.quarantine["reason"]) == {"excluded"}
    assert (
        len(stage(rows, settings={"exclude": {"x_view": [""]}, "drop_blank": True}, labels={"multilabel": True}).images)
        == 1
    )


def test_a_value_that_never_occurs_is_said(stage, capsys):
    stage(TWO, settings={"exclude": {"sex": ["male"]}})
    assert "quality.exclude.sex: no image has the value 'male'" in capsys.readouterr().out


def test_an_unknown_column_is_refused_with_the_nearest(stage):
    with pytest.raises(StudyError, match=r"quality.exclude.scaner: .*did you mean 'scanner'\?"):
        stage(TWO, settings={"exclude": {"scaner": ["x"]}})


EARLIER = [
    ("q1", "P-8", "resample", "truncated", "the file ends early"),
    ("q2", None, "cohort", "unlabelled", "no row of the label table"),
    ("q3", "P-1", "cohort", "wrong-modality", "modality MR"),
]


def test_the_flow_adds_up(stage):
    done = stage([*TWO, ("P-2", "ill", {"content": "i01"}), ("P-9", None, {})], earlier=EARLIER)
    assert done.flow["found"] == {"images": 7, "patients": 4}
    assert [(s["stage"], s["reason"], s["images"]) for s in done.flow["steps"]] == [
        ("cohort", "unlabelled", 1),
        ("cohort", "wrong-modality", 1),
        ("resample", "truncated", 1),
        ("quality", "duplicate", 1),
    ]
    assert done.flow["included"] == {"images": 3, "patients": 3}
    assert done.flow["classes"] == {"ill": {"images": 1, "patients": 1}, "well": {"images": 1, "patients": 1}}
    assert done.flow["unlabelled"]["images"] == 1
    assert list(done.quarantine.index) == ["q2", "q3", "q1", "i02"]
    assert list(done.listing["sentence"]) == list(done.quarantine["sentence"])


def test_too_many_failures_stop_the_study_with_reasons_and_sentences(stage):
    with pytest.raises(StudyError) as caught:
        stage(TWO, earlier=EARLIER, max_rejected=0.1)
    message = str(caught.value)
    assert "2 of 5 images" in message
    assert "1 truncated" in message
    assert "resample, truncated: the file ends early" in message
    assert "wrong-modality" not in message  # protocol, not failure
    assert len(stage(TWO, earlier=EARLIER, max_rejected=0.4).images) == 2


def test_a_study_whose_images_all_failed_says_so(stage):
    failed = [(f"i0{i}", f"P-{i}", "resample", "truncated", "the file ends early") for i in (0, 1)]
    with pytest.raises(StudyError, match="2 of 2 images fail"):
        stage(TWO, lost=["i00", "i01"], earlier=failed, max_rejected=0.5)


def test_a_lost_image_is_noticed(stage):
    with pytest.raises(StudyError, match="1 released images are neither stored nor in quarantine"):
        stage(TWO, lost=["i01"])


def test_the_task_follows_what_is_declared_or_occurs(stage):
    assert (lambda t: (t.kind, t.classes, t.positive))(stage(TWO).task) == ("binary", ("ill", "well"), "well")
    chosen = stage(TWO, labels={"classes": ["well", "ill"], "positive": "well"}).task
    assert (chosen.classes, chosen.positive) == (("well", "ill"), "well")
    several = stage([*TWO, ("P-3", "other", {})]).task
    assert (several.kind, several.positive) == ("multiclass", None)
    both = stage([("P-1", "a|b", {}), ("P-2", "", {})], labels={"multilabel": True}).task
    assert (both.kind, both.classes) == ("multilabel", ("a", "b"))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (TWO[:1], {}, r"one class only: well \(1\); a classifier needs at least two"),
        ([("P-1", None, {})], {}, "no labelled image is left"),
        (TWO, {"classes": ["well", "ill", "dead"]}, "no image of class 'dead' is left"),
        ([*TWO, ("P-3", "new", {})], {"classes": ["well", "ill"]}, "images of class 'new' are not in the list"),
        (TWO, {"positive": "il"}, "'il' is none of ill, well; did you mean 'ill'"),
    ],
)
def test_what_makes_no_study_is_refused_with_the_remedy(stage, images, labels, message):
    with pytest.raises(StudyError, match=message):
        stage(images, labels=labels)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["P-1", "P-2", "P-3"]), st.sampled_from(["well", "ill"]), st.sampled_from("abcdefgh")
        ),
        max_size=14,
    )
)
def test_no_image_is_counted_twice_or_lost(stage, drawn):
    done = stage([("P-8", "well", {}), ("P-9", "ill", {}), *((who, label, {"content": c}) for who, label, c in drawn)])
    kept, aside = set(done.images["image"]), set(done.quarantine.index)
    assert not kept & aside
    assert len(kept | aside) == len(drawn) + 2 == done.flow["found"]["images"]
    assert not done.images.duplicated(["content", "patient"]).any()
    assert (done.images.groupby("content")["label"].nunique() == 1).all()


def test_a_flag_can_exclude(stage):
    blurred = {"sharpness": 0.3}
    rows = [(f"P-{n}", "ill" if n % 2 else "well", {"sharpness": 1 + n / 100}) for n in range(24)]
    rows.append(("P-30", "ill", blurred))
    assert stage(rows).flags["blurred"].sum() == 1
    assert len(stage(rows).images) == 25
    done = stage(rows, settings={"exclude": {"flags": ["blurred", "noisy"]}})
    assert list(done.quarantine.index) == ["i24"]
    assert done.quarantine.loc["i24", "sentence"] == "flagged blurred, set aside by quality.exclude"
    assert done.flow["steps"] == [{"stage": "quality", "reason": "excluded", "images": 1, "patients": 1}]


def test_an_unknown_flag_is_refused_before_any_job():
    with pytest.raises(ValidationError, match="flags: 'blury' is none of blank, low_contrast"):
        QualitySettings(exclude={"flags": ["blury"]})


LOOK = np.random.default_rng(5).integers(0, 256, (1, 32, 32), dtype=np.uint8)
TWINS = [*TWO, ("P-3", "ill", {"small": LOOK}), ("P-4", "well", {"small": 255 - (255 - LOOK) // 2})]


def test_near_duplicates_are_told_to_the_split_unless_it_shall_not_heed_them(stage):
    done = stage(TWINS)
    assert list(done.images["duplicates"]) == [None, None, "1", "1"]
    assert list(done.flags["near_copies"]) == [1, 1, 2, 2]
    assert done.duplicates[["image_a", "image_b", "group"]].to_numpy().tolist() == [["i02", "i03", "1"]]
    assert len(done.images) == 4  # nothing is set aside
    told = stage(TWINS, settings={"near_duplicates": "flag"})
    assert told.images["duplicates"].isna().all()
    assert len(told.duplicates) == 1
    off = stage(TWINS, settings={"near_duplicates": "off"})
    assert off.duplicates.empty
    assert set(off.flags["near_copies"]) == {1}


def test_the_page_shows_what_is_odd_and_needs_nothing_from_outside(stage):
    rows = [(f"P-{n}", "ill" if n % 2 else "well", {"noise": 0.01 + n / 1e4}) for n in range(40)]
    rows += [("P-50", "<b>", {"noise": 0.3, "site": "S-9"}), *TWINS[2:]]
    html = stage(rows).page
    assert "Noisy (1)" in html
    assert "noisy: 0.3, usual 0.0" in html
    assert "2 images in 1 group look the same; 1 group of several patients." in html
    assert "1 group of near-duplicates with different labels: look at these first." in html
    assert "labels differ" in html
    assert "site S-9" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert not re.findall(r"https?://|<script|url\(|@import", html)
    assert set(re.findall(r'(?:src|href)="([^"]{1,11})', html)) <= {"data:image/", "#flags", "#odd", "#duplicates",
                                                                     "#spread", "#aside", "#usual"}  # fmt: skip
    assert "nan" not in re.sub(r'"data:[^"]*"', "", html)


def test_the_page_stays_small_whatever_the_number_of_images(stage):
    rows = [(f"P-{n}", "ill" if n % 2 else "well", {"site": f"S-{n % 40}", "noise": 0.01}) for n in range(400)]
    rows += [(f"P-{n}", "ill", {"site": f"S-{n}", "noise": 0.5}) for n in range(400, 460)]
    html = stage(rows).page
    assert "16 of 60 shown here" in html
    assert "the 8 largest of 100 values of site" in html
    assert html.count("<img") < 60


def test_a_study_too_small_to_judge_says_so(stage):
    assert "4 images could not be compared: fewer than 20 of the same modality." in stage(TWINS).page
