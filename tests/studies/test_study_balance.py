"""Every remedy for a rare class on real sets, as docs/studies.md tells. Long: `make studies`.

A GAN is trained once per fold, whatever the seeds of the networks; its minutes are in the study.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from asclepius.__main__ import main

pytestmark = pytest.mark.study
ROOT = Path(__file__).parents[2]
SETS = {
    "pneumoniamnist_imbalanced": "pneumoniamnist/pneumoniamnist_train3882.npz",
    "covid_chest_xray_balance": "covid_chest_xray",
    "mednist_rare": "mednist_subset",
    "adrenalmnist3d_balance": "adrenalmnist3d/adrenalmnist3d.npz",
}
FLOORS = {"pneumoniamnist_imbalanced": 0.88}  # below it the pipeline, not the method, would be broken
RARE, COMMON, VALIDATED, TESTED = 7, 140, 20, 40  # images of a class in each part of mednist_rare


def rare_split(folder, seed=1):
    """The table of mednist_rare: AbdomenCT rare in training, all classes equal elsewhere."""
    random, rows = np.random.default_rng(seed), []
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = random.permutation(sorted(path.name for path in kind.iterdir()))
        train = RARE if kind.name == "AbdomenCT" else COMMON
        roles = ["test"] * TESTED + ["validation"] * VALIDATED + ["train"] * train
        rows += [(f"{kind.name}/{name}", kind.name, role) for name, role in zip(files, roles, strict=False)]
    return pd.DataFrame(rows, columns=["file", "label", "split"])


def configured(name, real_data, folder):
    """The ready study with its paths, in a file of its own."""
    study = yaml.safe_load((ROOT / "studies" / f"{name}.yaml").read_text())
    study["cohort"]["path"] = str(real_data / SETS[name])
    if name == "covid_chest_xray_balance":
        study["cohort"]["labels"]["path"] = str(real_data / SETS[name] / "metadata.csv")
    if name == "mednist_rare":
        study["cohort"]["labels"]["path"] = str(folder / "mednist_rare.csv")
        rare_split(real_data / SETS[name]).to_csv(folder / "mednist_rare.csv", index=False)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def chosen_auc(results):
    """Test AUC of the arm that validation chose."""
    arm = json.loads((results / "evaluate" / "choice.json").read_text())["arm"]
    metrics = pd.read_csv(results / "metrics.csv").set_index(
        ["arm", "role", "fold", "seed", "subgroup", "class", "metric"]
    )
    return metrics.loc[(arm, "test", "all", "all", "all", "all", "auc"), "value"]


@pytest.mark.parametrize("name", SETS)
def test_every_remedy_beside_none(workflow_in, real_data, tmp_path, capsys, name):
    workflow = workflow_in()
    workflow(study=configured(name, real_data, tmp_path))
    results = workflow.folder / "results" / name
    with capsys.disabled():
        print(f"\n{name}")
        assert main(["compare", str(results)]) == 0
    arms = set(pd.read_parquet(results / "evaluate" / "differences.parquet")["arm"])
    assert "gan" in arms
    assert len(arms) >= 5
    assert chosen_auc(results) > FLOORS.get(name, 0)
