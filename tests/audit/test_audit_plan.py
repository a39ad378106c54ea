"""A planned grid has seen the headers of all images outside the fixed test set, and of no other."""

import pandas as pd
import pytest

from asclepius.audit.fits import check_plan
from asclepius.errors import StudyError
from asclepius.provenance import fit_record, write_json

RELEASED = pd.DataFrame(
    {"image": ["a", "b", "t", "e", "v"], "official": [None, "train", "test", "external", "validation"]}
)


@pytest.mark.parametrize(
    ("seen", "passed"), [("abv", True), ("vba", True), ("abvt", False), ("abve", False), ("ab", False)]
)
def test_a_plan_may_see_all_but_the_fixed_test_set(tmp_path, seen, passed):
    record = fit_record("geometry of the stored grid", ["geometry only"], seen)
    (tmp_path / "fits.json").write_text(write_json({"fits": [record]}))
    finding = check_plan(tmp_path / "fits.json", RELEASED)
    assert finding.passed == passed
    assert ("no label, no intensity" in finding.sentence) == passed


def test_a_record_that_is_none_says_what_to_do(tmp_path):
    (tmp_path / "fits.json").write_text("{}")
    with pytest.raises(StudyError, match=r"not a record of fits .* delete it and run again"):
        check_plan(tmp_path / "fits.json", RELEASED)
