"""A sound pipeline passes; a leak planted on purpose is caught by the audit and by the canary, each alone."""

import pytest
from canary_cohort import Canary

from asclepius.canary.chance import Auc
from asclepius.canary.settings import CanarySettings
from asclepius.canary.verdict import document
from asclepius.canary.verdict import run as verdict
from asclepius.errors import StudyError


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Every stage as the rules run them, with the naive split beside."""
    canary = Canary(tmp_path_factory.mktemp("sound")).shuffle().split("fair").split("naive")
    for method in canary.methods:
        canary.fit("fair", method)
    canary.fit("naive", "none")
    canary.audit("fair", list(canary.methods), demonstration=False).audit("naive", ["none"], demonstration=True)
    return canary, canary.measure()


def rows(outcome, design):
    return {row["method"]: row for row in outcome["rows"] if row["design"] == design}


def test_meaningless_labels_give_chance_by_patient_and_a_discovery_by_image(sound):
    _, outcome = sound
    assert outcome["passed"]
    for row in rows(outcome, "fair").values():
        assert row["low"] < 0.5 < row["high"]
        assert len(row["folds"]) == 2
    naive = rows(outcome, "naive")["none"]
    assert naive["failed"]
    assert naive["auc"] > 0.95
    assert (outcome["patients"], outcome["images"]) == (60, 240)


def test_the_audit_of_the_naive_folds_says_what_is_wrong_with_them(sound):
    _, outcome = sound
    assert outcome["audit"]["fair"]["failed"] == 0
    assert {"patients in one role", "groups in one role"} <= set(outcome["audit"]["naive"]["which"])


def test_the_page_stands_alone_and_shows_both_splits(sound):
    canary, outcome = sound
    page = canary.path("canary.html").read_text()
    assert outcome["sentence"] in page
    assert "Nothing leaks" in page
    assert "none, by image" in page
    assert "smote, by patient" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_the_verdict_lets_a_sound_canary_pass(sound, capsys):
    canary, outcome = sound
    verdict(outcome=canary.path("canary.json"), page=canary.path("canary.html"))
    assert outcome["sentence"] in capsys.readouterr().out


def caught(canary):
    outcome = canary.measure()
    assert not outcome["passed"]
    with pytest.raises(StudyError) as error:
        verdict(outcome=canary.path("canary.json"), page=canary.path("canary.html"))
    return outcome, str(error.value)


def test_balancing_before_the_split_is_caught(tmp_path):
    """The planted leak: SMOTE sees test patients, as when it runs before the split."""
    canary = Canary(tmp_path).shuffle().split("fair").split("naive")
    canary.fit("fair", "none").fit("fair", "smote", leak=True).fit("naive", "none")
    with pytest.raises(StudyError, match="synthetic images made of training images"):
        canary.audit("fair", ["none", "smote"], demonstration=False)
    canary.audit("fair", ["none", "smote"], demonstration=True).audit("naive", ["none"], demonstration=True)
    outcome, message = caught(canary)
    assert {name: row["failed"] for name, row in rows(outcome, "fair").items()} == {"none": False, "smote": True}
    assert "with smote 0.9" in message or "with smote 1.0" in message
    assert "Something leaks" in canary.path("canary.html").read_text()


def test_naive_folds_under_the_fair_name_are_caught(tmp_path):
    canary = Canary(tmp_path, methods=("none",)).shuffle().split("fair", method="naive").split("naive")
    canary.fit("fair", "none").fit("naive", "none")
    with pytest.raises(StudyError, match="patients in one role"):
        canary.audit("fair", ["none"], demonstration=False)
    canary.audit("fair", ["none"], demonstration=True).audit("naive", ["none"], demonstration=True)
    assert "with none" in caught(canary)[1]


def test_a_cohort_with_one_patient_of_a_class_says_what_to_do():
    """No test part then has two classes of patients."""
    empty = {("fair", "none"): {0: [Auc(float("nan"), float("nan"))]}}
    with pytest.raises(StudyError, match=r"larger canary\.patients"):
        document(empty, [], CanarySettings(), (1, 1), "")


def test_a_network_that_learnt_nothing_proves_nothing():
    alike = {("fair", "none"): {0: [Auc(0.5, 0.0)]}}
    with pytest.raises(StudyError, match="gives every image the same score"):
        document(alike, [], CanarySettings(), (1, 1), "")
