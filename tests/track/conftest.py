import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))  # the fabricated study serves both rooms


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """An MLflow store without runs: making one takes a second, copying it none."""
    from mlflow import MlflowClient

    import asclepius.track.ledger  # noqa: F401  (no usage statistics)

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def study(tmp_path, empty_store):
    """A study of two arms, two folds and one seed, with something that stands for its report."""
    from fabricated import Fabricated, Shape

    made = Fabricated(tmp_path / "results" / "fabricated", Shape(arms=("convnet", "smote"), folds=2, patients=60))
    shutil.copyfile(empty_store, made.root.parent / "mlflow.db")
    made.root.joinpath("report/figures").mkdir(parents=True)
    made.root.joinpath("report/figures/roc.svg").write_text("<svg/>")
    made.root.joinpath("report.html").write_text("<p>the page</p>")
    return made


@pytest.fixture
def track(study):
    """Run the stage and hand back its receipt."""
    import json

    from asclepius.track.command import run
    from asclepius.track.settings import TrackSettings

    def call(**changes):
        names = ("images", "histories", "runs", "recipes", "metrics", "choice", "folds")
        arguments = {name: study.paths[name] for name in names} | {
            "settings": TrackSettings(),
            "study": "fabricated",
            "config": study.config(),
            "arms": {arm: study.recipe(arm) for arm in study.shape.arms},
            "page": study.root / "report.html",
            "figures": study.root / "report/figures",
            "receipt": study.root / "track/receipt.json",
            "store": study.root.parent / "mlflow.db",
            "results": study.root,
        }
        run(**arguments | changes)
        return json.loads((study.root / "track/receipt.json").read_text(encoding="utf-8"))

    return call


@pytest.fixture
def stored(study):
    """The runs MLflow holds now."""

    def read():
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{study.root.parent / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("fabricated")
        return client, client.search_runs([experiment.experiment_id], max_results=1000)

    return read
