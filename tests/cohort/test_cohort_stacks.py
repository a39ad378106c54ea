"""Which slices belong together: acquisitions, echoes, kinds of image, and the volumes of a multi-frame object."""

import json
import random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from asclepius.cohort import frames, stacks
from asclepius.cohort.series import is_localiser
from asclepius.errors import Rejected

FOLDERS = {"classes": ["ill", "well"]}


def slices(places, separators=(None, None), spacing=(1.0, 1.0), start=0):
    return [
        SimpleNamespace(
            path=f"{start + number:04d}",
            number=number,
            rows=4,
            columns=4,
            orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            position=(0.0, 0.0, float(place)),
            spacing=spacing,
            separators=separators,
        )
        for number, place in enumerate(places)
    ]


def shapes(found) -> list[list[float]]:
    return sorted([one.position[2] for one in volume] for volume in found)


def test_acquisitions_that_stand_between_each_other_are_told_apart():
    mixed = [*slices([0, 5, 10, 15], ("1", None)), *slices([2, 7, 12, 17], ("2", None), start=10)]
    random.Random(1).shuffle(mixed)
    assert shapes(stacks.separate(mixed)) == [[0, 5, 10, 15], [2, 7, 12, 17]]


def test_a_head_in_two_thicknesses_stays_one_volume():
    parts = [*slices([0, 4, 8, 12], ("1", None)), *slices([19, 26, 33], ("2", None), start=10)]
    assert shapes(stacks.separate(parts)) == [[0, 4, 8, 12, 19, 26, 33]]


def test_a_number_that_differs_in_every_slice_separates_nothing():
    volume = [one for n in range(5) for one in slices([3 * n], (str(n), None), start=n)]
    assert shapes(stacks.separate(volume)) == [[0, 3, 6, 9, 12]]


@given(st.integers(1, 3), st.integers(1, 3), st.integers(2, 5), st.randoms())
def test_echoes_times_phases_give_each_its_volume(echoes, phases, depth, order):
    series = [
        one
        for echo in range(echoes)
        for phase in range(phases)
        for one in slices(range(depth), (f"e{echo}", f"p{phase}"), start=100 * echo + 10 * phase)
    ]
    order.shuffle(series)
    found = stacks.separate(series)
    assert len(found) == echoes * phases
    for volume in found:
        assert len({one.separators for one in volume}) == 1
        assert [one.position[2] for one in volume] == list(range(depth))


def test_slices_of_two_pixel_sizes_are_no_volume():
    groups = stacks.alike([*slices([0, 1, 2]), *slices([3, 4], spacing=(2.0, 2.0))])
    assert [len(group) for group in groups] == [3, 2]


def test_kinds_of_image_in_one_series_are_volumes_of_their_own(cohort, slice_file, series_folder, tmp_path):
    for kind in ("W", "F"):
        for number in (1, 2, 3):
            slice_file(
                tmp_path / f"set/ill/{kind}{number}",
                SeriesInstanceUID="1.2.3.6",
                SOPInstanceUID=f"1.2.3.6.{ord(kind)}.{number}",
                InstanceNumber=number,
                ImageType=["DERIVED", "PRIMARY", "DIXON", kind],
            )
    series_folder(tmp_path / "set/well", "1.2.3.2", PatientID="MRN-2")
    images = cohort(source="dicom", unit="volume", path=tmp_path / "set", labels=FOLDERS).images
    found = [{name[4] for name in json.loads(files)} for files in images["files"] if "ill" in files]
    assert sorted(map(sorted, found)) == [["F"], ["W"]]


def test_a_mosaic_is_refused(cohort, slice_file, series_folder, tmp_path):
    series_folder(tmp_path / "set/ill", "1.2.3.1")
    series_folder(tmp_path / "set/well", "1.2.3.2", PatientID="MRN-2")
    slice_file(tmp_path / "set/ill/m", SeriesInstanceUID="1.2.3.3", ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    found = cohort(source="dicom", unit="volume", path=tmp_path / "set", labels=FOLDERS, max_rejected=0.5)
    assert found.rejected["sentence"].str.startswith("a mosaic").tolist() == [True]


@pytest.mark.parametrize("name", ["AAHead_Scout", "3-plane loc", "Localizer", "SURVEY", "Topogram 0.6", "t1_LOC_sag"])
def test_planning_images_are_known_by_what_operators_call_them(name):
    assert is_localiser(SimpleNamespace(image_type="ORIGINAL", description=name))


@pytest.mark.parametrize("name", ["local anaesthesia", "T1 location check", "block", "velocity", "Scouting"])
def test_other_words_are_no_planning_images(name):
    assert not is_localiser(SimpleNamespace(image_type="ORIGINAL", description=name))


def enhanced(described: list[dict]) -> Dataset:
    """An object with one functional group per frame: z, and an item of attributes per sequence."""
    found, groups = Dataset(), []
    for one in described:
        group = Dataset()
        group.PlanePositionSequence = [Dataset()]
        group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, one["z"]]
        group.PlaneOrientationSequence = [Dataset()]
        group.PlaneOrientationSequence[0].ImageOrientationPatient = one.get("cosines", [1, 0, 0, 0, 1, 0])
        group.FrameContentSequence = [Dataset()]
        for keyword, value in one.get("content", {}).items():
            setattr(group.FrameContentSequence[0], keyword, value)
        if "echo" in one:
            group.MREchoSequence = [Dataset()]
            group.MREchoSequence[0].EffectiveEchoTime = one["echo"]
        groups.append(group)
    found.NumberOfFrames, found.Rows, found.Columns = len(groups), 4, 4
    found.PerFrameFunctionalGroupsSequence = groups
    return found


def test_time_points_and_echoes_of_an_object_are_its_volumes():
    order = [(z, t, e) for z in (2, 0, 1) for t in (1, 2) for e in (10.0, 30.0)]
    dataset = enhanced([{"z": z, "content": {"TemporalPositionIndex": t}, "echo": e} for z, t, e in order])
    parts = frames.parts(dataset)
    assert len(parts) == 4
    for part in parts:
        assert [order[number][0] for number in part] == [0, 1, 2]
        assert len({order[number][1:] for number in part}) == 1


def test_stacks_of_two_directions_are_two_volumes():
    axial = [{"z": z} for z in range(3)]
    sagittal = [{"z": 0, "cosines": [0, 1, 0, 0, 0, -1], "content": {"StackID": "2"}}]
    dataset = enhanced([*axial, *sagittal])
    assert frames.parts(dataset) == [[0, 1, 2], [3]]


def test_dimension_indices_tell_frames_apart_where_nothing_else_does():
    dataset = enhanced([{"z": z, "content": {"DimensionIndexValues": [t, z + 1]}} for t in (1, 2) for z in range(3)])
    assert frames.parts(dataset) == [[0, 1, 2], [3, 4, 5]]


def test_frames_at_one_place_that_nothing_tells_apart_are_refused():
    with pytest.raises(Rejected, match="geometry: several frames at one place"):
        frames.parts(enhanced([{"z": 0}, {"z": 0}, {"z": 1}]))


def test_a_film_is_one_part():
    film = Dataset()
    film.NumberOfFrames = 5
    assert frames.parts(film) == [[0, 1, 2, 3, 4]]


def test_a_slice_of_a_mask_drawn_as_a_series_that_changes_changes_the_stamp(cohort, series_folder, table, tmp_path):
    root = tmp_path / "set"
    for number, name in enumerate(("a", "b", "drawn"), start=1):
        series_folder(root / name, f"1.2.3.{number}", PatientID=f"MRN-{number}")
    labels = table(tmp_path / "t.csv", file=["a", "b"], label=["ill", "well"], mask=["drawn", ""])

    def stamps(name: str) -> list[str]:
        found = cohort(name, source="dicom", unit="volume", path=root, mask="mask", labels={"path": labels})
        assert found.rejected["sentence"].tolist() == ["the mask of another image"]
        return found.images["stamp"].tolist()

    before = stamps("first")
    (root / "drawn/IM0002").write_bytes((root / "drawn/IM0002").read_bytes() + b"\0\0")
    after = stamps("second")
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]
