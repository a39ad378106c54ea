import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asclepius.cohort import demographics, series
from asclepius.cohort.folder import stem, suffix
from asclepius.cohort.header import Header, is_dicom
from asclepius.cohort.matching import match_files
from asclepius.cohort.settings import LabelSettings
from asclepius.cohort.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("060Y", 60),
        ("45", 45),
        ("013M", 13 / 12),
        ("001D", 1 / 365.2425),
        ("52W", 52 / 52.1775),
        (" 7.5 ", 7.5),
        ("7,5", 7.5),
    ],
)
def test_ages_in_all_units(text, years):
    assert demographics.age(text) == pytest.approx(years)


@pytest.mark.parametrize("text", [None, "", "411Y", "-3", "unknown", "121", "Y"])
def test_implausible_ages_are_unknown(text):
    assert math.isnan(demographics.age(text))


@given(st.text(max_size=8))
def test_any_text_gives_a_plausible_age_or_none(text):
    years = demographics.age(text)
    assert math.isnan(years) or 0 <= years <= 120


@given(st.dates(date(1900, 1, 1), date(2030, 1, 1)), st.integers(0, 115 * 365))
def test_age_between_counts_birthdays(born, days):
    now = date.fromordinal(born.toordinal() + days)
    years = demographics.age_between(born.isoformat(), now.isoformat())
    if days == 0:
        assert math.isnan(years)
    else:
        assert abs(years - days / 365.2425) < 1.01


@pytest.mark.parametrize(
    ("text", "expected"),
    [("male", "M"), ("1", "M"), ("F", "F"), ("W", "F"), ("2", "F"), ("O", "O"), ("", None), ("0", None), ("9", None)],
)
def test_sexes(text, expected):
    assert demographics.sex(text) == expected


@given(
    st.dates(date(1900, 1, 1)), st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%B %d, %Y", "%d.%m.%Y", "%Y-%m-%d 10:30:00"])
)
def test_dates_are_read_back(day, form):
    assert demographics.iso_date(day.strftime(form)) == day.isoformat()


@pytest.mark.parametrize(
    ("text", "expected"), [("2013", "2013"), ("January 2020", "2020-01"), ("03/09/20", None), ("7", None)]
)
def test_dates_are_never_more_precise_than_written(text, expected):
    assert demographics.iso_date(text) == expected


def header(path="a", position=(0.0, 0.0, 0.0), orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), number=1.0):
    words = dict.fromkeys(
        ("patient", "study", "series", "frame", "date", "birth", "age", "sex", "site", "scanner", "modality")
    )
    return Header(
        path=path,
        instance_uid=path,
        image_type="",
        description="",
        rows=4,
        columns=4,
        frames=1,
        orientation=orientation,
        position=position,
        spacing=(1.0, 1.0),
        number=number,
        separators=(None,) * 5,
        complete=True,
        **words,
    )


@given(st.permutations(range(6)), st.tuples(*[st.floats(-math.pi, math.pi)] * 3), st.floats(0.5, 5))
def test_slices_come_in_anatomical_order_however_the_stack_is_turned(order, angles, step):
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [i for i in range(3) if i != axis]
        plane = np.eye(3)
        plane[a, a] = plane[b, b] = math.cos(angle)
        plane[a, b], plane[b, a] = -math.sin(angle), math.sin(angle)
        turned = turned @ plane
    row, column, normal = turned.T
    stack = [
        header(f"{n:02d}", tuple(normal * step * k + 3 * row - column), (*row, *column), number=float(n))
        for n, k in enumerate(order)
    ]
    [volume] = series.volumes(stack).volumes
    assert [order[int(one.path)] for one in volume] == list(range(6))


def test_without_positions_the_instance_number_decides():
    stack = [header(str(n), position=None, number=float(-n)) for n in range(4)]
    [volume] = series.volumes(stack).volumes
    assert [one.path for one in volume] == ["3", "2", "1", "0"]


def test_a_lone_slice_of_another_orientation_is_left_out():
    stack = [header(str(n), (0.0, 0.0, float(n))) for n in range(4)]
    sorted_out = series.volumes([*stack, header("x", orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))])
    assert [len(volume) for volume in sorted_out.volumes] == [4]
    [(left, rejected)] = sorted_out.rejected
    assert (left[0].path, rejected.reason) == ("x", "excluded")


@given(st.binary(max_size=140))
def test_any_bytes_are_told_from_dicom(head):
    assert is_dicom(head) in (True, False)
    assert is_dicom(b"\0" * 128 + b"DICM" + head)


NAMES = st.lists(
    st.tuples(st.sampled_from(["u", "v"]), st.text("abc1.", min_size=1, max_size=4)),
    min_size=1,
    unique=True,
    max_size=8,
)


@given(NAMES)
def test_a_whole_path_always_finds_its_own_file(parts):
    paths = [f"{folder}/{name}.png" for folder, name in parts]
    assert match_files(paths, paths).tolist() == list(range(len(paths)))
    assert match_files(paths, [f"./{path}" for path in paths]).tolist() == list(range(len(paths)))
    assert match_files(paths, [f"/disk/{path}" for path in paths]).tolist() == list(range(len(paths)))


def test_a_table_of_another_folder_does_not_match_by_bare_name():
    assert match_files(["test/7.png"], ["train/7.png"]).tolist() == [-1]


def test_dots_of_a_name_are_no_ending():
    assert stem("1.2.840/1.2.3") == "1.2.840/1.2.3"
    assert (suffix("a/b.NII.GZ"), stem("a/b.nii.gz")) == (".nii.gz", "a/b")


@given(st.lists(st.sampled_from(["u", "v", "w", "other"]), max_size=5))
def test_several_labels_keep_class_order_whatever_is_written(names):
    words = Vocabulary.of(LabelSettings(classes=["w", "u", "v"], multilabel=True, separator=","), "cohort")
    expected = [name for name in ("w", "u", "v") if name in names]
    assert words.label(", ".join(names)) == "|".join(expected)
