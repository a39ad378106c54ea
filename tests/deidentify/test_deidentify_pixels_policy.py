"""Which images are searched for text, and where devices are known to write."""

import pytest
from pydicom import Dataset

from asclepius.deidentify.pixels.boxes import Box, merged, painted
from asclepius.deidentify.pixels.clean import outside_regions
from asclepius.deidentify.pixels.policy import boxes_by_device, needs_look
from asclepius.errors import StudyError

CT, US, SC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.7"
S2000 = {"manufacturer": "SIEMENS", "model": "S2000", "modality": "US", "rows": 768, "columns": 1024, "software": "VE"}


@pytest.mark.parametrize(
    ("modality", "sop_class", "image_type", "burned_in", "look"),
    [
        ("CT", CT, "ORIGINAL\\PRIMARY\\AXIAL", "", False),
        ("CT", CT, "ORIGINAL\\PRIMARY\\AXIAL", "YES", True),
        ("CT", CT, "DERIVED\\SECONDARY\\SCREEN SAVE", "NO", True),
        ("CT", CT, "DERIVED\\SECONDARY", "", True),
        ("CT", CT, "DERIVED\\SECONDARY\\MPR", "", False),
        ("CT", SC, "DERIVED\\SECONDARY", "NO", True),
        ("MR", SC + ".4", "", "NO", True),
        ("US", US, "ORIGINAL\\PRIMARY", "NO", True),
        ("", US, "", "NO", True),
        (" us ", "", "", "no", True),
        ("DX", "", "ORIGINAL\\PRIMARY", "", True),
        ("DX", "", "ORIGINAL\\PRIMARY", "NO", False),
        ("NEW", "", "", "NO", True),
        ("ES", "1.2.840.10008.5.1.4.1.1.77.1.1", "", "NO", True),
    ],
)
def test_who_is_looked_at(modality, sop_class, image_type, burned_in, look):
    assert needs_look(modality, sop_class, image_type, burned_in) is look


def test_devices_of_ours_and_of_the_user(tmp_path):
    assert boxes_by_device(S2000) == [Box(0, 0, 1024, 60)]
    assert boxes_by_device({**S2000, "rows": 600}) == []
    table = tmp_path / "mine.csv"
    table.write_text("# ours\nmanufacturer,model,modality,rows,columns,software,x0,y0,x1,y1\nSiem*,,,,,v?,5,6,7,8\n")
    assert boxes_by_device(S2000, table) == [Box(0, 0, 1024, 60), Box(5, 6, 7, 8)]


@pytest.mark.parametrize("row", ["a,b,c", "*,*,*,*,*,*,9,0,9,5", "*,*,*,*,*,*,a,0,9,5"])
def test_a_wrong_table_says_where(tmp_path, row):
    table = tmp_path / "mine.csv"
    table.write_text(f"# remark\n{row}\n")
    with pytest.raises(StudyError, match=r"mine.csv, line 2"):
        boxes_by_device(S2000, table)


def test_around_ultrasound_regions():
    dataset = Dataset()
    dataset.SequenceOfUltrasoundRegions = [_region(10, 20, 69, 79), _region(60, 20, 89, 49)]
    mask = painted(outside_regions(dataset, (100, 100)), (100, 100))
    assert not mask[20:80, 10:70].any()
    assert not mask[20:50, 60:90].any()
    assert mask.sum() == 100 * 100 - 60 * 60 - 20 * 30
    dataset.SequenceOfUltrasoundRegions = [_region(0, 0, 9, 9)]
    assert outside_regions(dataset, (100, 100)) == [], "a tiny region does not tell where the picture is"


def _region(x0: int, y0: int, x1: int, y1: int) -> Dataset:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = x0, y0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = x1, y1
    return region


def test_merged_boxes_keep_their_area():
    boxes = [Box(0, 0, 10, 10), Box(10, 0, 20, 10), Box(5, 0, 15, 10), Box(0, 8, 4, 40), Box(2, 2, 3, 3)]
    found = merged(boxes)
    before, after = painted(boxes, (50, 50)), painted(found, (50, 50))
    assert (after >= before).all()
    assert after.sum() <= 1.04 * before.sum()
    assert found == [Box(0, 0, 20, 10), Box(0, 8, 4, 40)]
