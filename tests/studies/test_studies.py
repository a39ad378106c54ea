"""Each ready study on its real set, to the end; those of remedies: test_study_balance. Long: `make studies`."""

from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.study
SETS = {
    "pneumoniamnist": "pneumoniamnist/pneumoniamnist.npz",
    "mednist_subset": "mednist_subset",
    "covid_chest_xray": "covid_chest_xray",
    "brain_tumor_mri_2d": "brain_tumor_mri_2d",
    "adrenalmnist3d": "adrenalmnist3d/adrenalmnist3d.npz",
}


# Below these the pipeline, not the method, would be broken. The two sets of a few hundred pictures from mixed sources
# have none: their test parts differ from what is trained on.
FLOORS = {"mednist_subset": 0.97, "adrenalmnist3d": 0.75}


def run(workflow_in, real_data, name):
    path = real_data / SETS[name]
    labels = ", labels: {path: %s}" % (path / "metadata.csv") if name == "covid_chest_xray" else ""
    workflow = workflow_in()
    workflow("--config", f"cohort={{path: {path}{labels}}}", study=name)
    metrics = pd.read_csv(workflow.folder / "results" / name / "metrics.csv")
    choice = pd.read_json(workflow.folder / "results" / name / "evaluate" / "choice.json", typ="series")
    pooled = metrics.query("fold == 'all' and seed == 'all' and role == 'test' and subgroup == 'all'")
    pooled = pooled[pooled["class"] == "all"]
    print(f"\n{name}: chosen on validation: {choice['arm']}")
    print(pooled.pivot(index="arm", columns="metric", values="value").round(3).to_string())
    return pooled[pooled["arm"] == choice["arm"]].set_index("metric")["value"]


@pytest.mark.parametrize("name", [name for name in SETS if name != "pneumoniamnist"])
def test_a_ready_study_ends(workflow_in, real_data, name):
    assert run(workflow_in, real_data, name)["auc"] > FLOORS.get(name, 0)


def test_pneumoniamnist_beats_the_published_resnet(workflow_in, real_data):
    found = run(workflow_in, real_data, "pneumoniamnist")
    assert found["auc"] >= 0.970
    assert found["accuracy"] >= 0.90


def test_the_default_study_repeats_bit_for_bit(workflow_in):
    runs = [workflow_in(), workflow_in()]
    for workflow in runs:
        workflow(study=Path(__file__).parents[2] / "config.yaml")
    for name in ("metrics.csv", "predictions.parquet"):
        first, second = (workflow.folder / "results" / "phantom" / name for workflow in runs)
        assert first.read_bytes() == second.read_bytes(), name
