from pathlib import Path

import jsonschema
import pytest
import yaml

from asclepius import config, reference
from asclepius.errors import StudyError

ROOT = Path(__file__).parents[2]
STUDIES = [ROOT / "config.yaml", *sorted((ROOT / "studies").glob("*.yaml"))]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"cohrt": {}}, "cohrt: unknown key; did you mean 'cohort'?"),
        ({"balance": {"metod": "smote"}}, "balance.metod: unknown key; did you mean 'method'?"),
        ({"cohort": {"labels": {"colum": "x"}}}, "cohort.labels.colum: unknown key; did you mean 'column'?"),
        ({"train": {"epochs": "many"}}, "train.epochs: input should be a valid integer"),
        ({"balance": {"method": "smotte"}}, "found 'smotte'"),
        ({"study": "My Study"}, "it names a folder"),
        ({"arms": {"a": {"balence": {}}}}, "did you mean 'balance'?"),
        ({"arms": {"a": {"train": {"epochs": 0}}}}, "arms.a.train.epochs: input should be greater than"),
        ({"grid": {"balance": ["none"]}}, "write section.option"),
        ({"seeds": [1, 1]}, "every seed once"),
        (
            {"arms": {"a": {"model": {"name": "logistic"}, "balance": {"method": "adasyn", "space": "embedding"}}}},
            "arms.a.balance: adasyn needs a network's embedding, model.name logistic has none; use adasyn on pixels",
        ),
        ({"split": {"method": "naive"}}, "config: split.method: naive puts images of one patient on both sides"),
    ],
)
def test_a_wrong_config_is_refused_in_one_sentence(values, sentence):
    with pytest.raises(StudyError) as caught:
        config.load(values)
    assert sentence in str(caught.value)


def test_a_grid_becomes_arms_with_readable_names():
    study = config.load({"grid": {"balance.method": ["none", "smote"], "model.blocks": [2, 3]}})
    found = config.arms(study)
    assert list(found) == ["none-blocks_2", "none-blocks_3", "smote-blocks_2", "smote-blocks_3"]
    assert found["smote-blocks_3"].balance.method == "smote"
    assert found["smote-blocks_3"].model.blocks == 3


def test_an_arm_changes_only_what_it_says():
    study = config.load({"train": {"epochs": 7}, "arms": {"a": {"train": {"batch_size": 3}}}})
    assert config.arms(study)["a"].train.epochs == 7
    assert config.arms(study)["a"].train.batch_size == 3


def test_missing_sources_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"cohort\.path: say where"):
        config.check_paths(config.load({}))
    with pytest.raises(StudyError, match=r"cohort\.path: scans does not exist"):
        config.check_paths(config.load({"cohort": {"path": "scans"}}))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_ready_study_is_valid(path):
    values = yaml.safe_load(path.read_text())
    assert config.arms(config.load(values))
    jsonschema.validate(values, yaml.safe_load((reference.FOLDER / "config.schema.json").read_text()))


def test_schema_and_defaults_have_not_drifted():
    assert (reference.FOLDER / "config.schema.json").read_text() == reference.schema(), "run `make schema`"
    assert (reference.FOLDER / "defaults.yaml").read_text() == reference.defaults(), "run `make schema`"


def test_the_defaults_say_what_the_code_does():
    assert config.load(yaml.safe_load(reference.defaults())) == config.load({})
