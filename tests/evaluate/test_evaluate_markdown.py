"""The table for documents says what the tables of the stage say."""

import re

import pytest

from asclepius.__main__ import main


def test_the_table_of_a_finished_study(make_study, capsys):
    study = make_study(skill={"none": 1.0, "smote": 3.0}, folds=1, seeds=(1,))
    study.run()
    capsys.readouterr()
    assert main(["compare", str(study.folder), "--metrics", "auc", "calibration_slope"]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0] == "| arm | AUC | Calibration slope |"
    assert {len(re.findall(r"\|", line)) for line in lines[:4]} == {4}, "all rows have as many columns"
    found = study.read("differences").set_index("metric")["value"]["auc"]
    assert f"<br>**+{found:.3f} [" in lines[3], "a difference that the interval supports is bold"
    assert "**" not in lines[2] + lines[3].split("|")[3], "neither the reference nor a slope is better or worse"
    assert "difference to none" in lines[-1]


@pytest.mark.parametrize(("option", "value"), [("--role", "external"), ("--class", "a")])
def test_what_the_study_lacks_is_refused(make_study, capsys, option, value):
    study = make_study(folds=1, seeds=(1,), n=60)
    study.run()
    assert main(["compare", str(study.folder), option, value]) == 2
    assert f"{value}" in capsys.readouterr().err
