"""The track stage."""

import json
import subprocess
from pathlib import Path

import asclepius
from asclepius import provenance, tables
from asclepius.audit.stamp import STAMP
from asclepius.errors import StudyError
from asclepius.evaluate.schema import METRICS
from asclepius.provenance import write_json
from asclepius.quality.schema import IMAGES
from asclepius.split.schema import FOLDS
from asclepius.track.records import PARENT, Record, records
from asclepius.track.settings import TrackSettings
from asclepius.train.schema import HISTORY, RUNS

PAGE = "http://127.0.0.1:5000"  # where `mlflow ui` answers unless told otherwise


def run(
    *,
    settings: TrackSettings,
    study: str,
    config: dict[str, object],
    arms: dict[str, dict],
    images: Path,
    histories: list[Path],
    runs: list[Path],
    recipes: list[Path],
    metrics: Path,
    choice: Path,
    page: Path,
    figures: Path,
    receipt: Path,
    store: Path,
    results: Path,
    folds: Path | None = None,
) -> None:
    """Write the study to MLflow: an experiment, a run per arm, below it a run per fold and seed; each once.

    Args:
        arms: name to complete settings (model, balance, augment, train).
        page, figures: the report, kept with the chosen arm.
        receipt: what was done, as JSON.
        store: SQLite file used unless `settings.uri` names a server; files go to mlartifacts/ beside it.
        results: results/{study}, which paths in `runs` are relative to.
        folds: split/folds, to record which images each run saw.

    Raises:
        StudyError: an input is not the table it should be, or MLflow cannot be reached.
    """
    chosen = json.loads(Path(choice).read_text(encoding="utf-8"))
    made = records(
        arms=arms,
        config=config,
        images=tables.read(images, IMAGES),
        folds=None if folds is None else tables.read(folds, FOLDS),
        history=tables.concat([tables.read(path, HISTORY) for path in histories], HISTORY),
        runs=tables.concat([tables.read(path, RUNS) for path in runs], RUNS),
        recipes={Path(path).as_posix(): json.loads(Path(path).read_text(encoding="utf-8")) for path in recipes},
        metrics=tables.read(metrics, METRICS),
        choice=chosen,
    )
    files = _files(made, chosen, Path(results), Path(page), Path(figures))
    experiment = settings.experiment or study
    stamp = STAMP if config.get("demonstration") else None
    number, counts = _write(settings, Path(store), experiment, study, made, files, chosen, stamp)
    address = f"{PAGE}/#/experiments/{number}?workflowType=machine_learning" if settings.uri is None else settings.uri
    done = {"experiment": experiment, "runs": len(made), **counts, "chosen": chosen["arm"], "address": address}
    tables.write_text(receipt, write_json(done))
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"track: experiment {experiment!r}, {len(made)} runs: {words}")
    where = f"cd {Path(store).parent} && mlflow ui, then " if settings.uri is None else ""
    print(f"track: to compare them: {where}open {address}")


def _write(
    settings: TrackSettings,
    store: Path,
    experiment: str,
    study: str,
    made: list[Record],
    files: dict[tuple[str, str, str], list[tuple[Path, str]]],
    chosen: dict,
    stamp: str | None,
) -> tuple[str, dict[str, int]]:
    """The experiment's number and counts of runs.

    Args:
        stamp: of a demonstration.

    Under a lock: eight processes that opened a new SQLite store at once broke it for good.
    """
    from filelock import FileLock

    from asclepius.track.ledger import Ledger

    store.parent.mkdir(parents=True, exist_ok=True)
    local = settings.uri is None
    uri = f"sqlite:///{store.resolve()}" if local else settings.uri
    artifacts = store.resolve().parent / "mlartifacts" if local else None
    with FileLock(store.with_name(f".{store.name}.lock")):
        from mlflow.exceptions import MlflowException

        try:
            tags = _constant() | ({"asclepius.demonstration": stamp} if stamp else {})
            ledger = Ledger(uri, artifacts, experiment, study, tags)
            told = [f"**{stamp}**"] * bool(stamp) + [
                chosen["sentence"],
                f"The whole answer: `results/{study}/report.html`.",
            ]
            ledger.describe("\n\n".join(told))
            return ledger.experiment, ledger.sync(made, files).as_dict()
        except MlflowException as error:
            where = str(store) if local else f"{settings.uri} (track.uri)"
            raise StudyError(f"track: MLflow at {where} refused: {str(error).splitlines()[0]}") from error


def _constant() -> dict[str, str]:
    """Tags of every run: the code, not the person or the machine."""
    tags = {
        "asclepius.version": asclepius.__version__,
        "mlflow.source.name": "asclepius",
        "mlflow.source.type": "PROJECT",
    }
    commit = _commit()
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def _commit() -> str | None:
    """The commit of the workflow's own folder, None outside git."""
    try:
        found = subprocess.run(
            ["git", "-C", str(provenance.PACKAGE), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def _files(
    made: list[Record], chosen: dict, results: Path, page: Path, figures: Path
) -> dict[tuple[str, str, str], list[tuple[Path, str]]]:
    """The report with the chosen arm, the model with the chosen run."""
    model, preprocess = results / chosen["model"], results / chosen["preprocess"]
    found = {
        (chosen["arm"], *PARENT): [(page, page.name), (figures, "figures")],
        (chosen["arm"], str(chosen["fold"]), str(chosen["seed"])): [
            (model, f"model/{model.name}"),
            (preprocess, f"model/{preprocess.name}"),
        ],
    }
    known = {record.key for record in made}
    for key, files in found.items():
        missing = [path for path, _ in files if not path.exists()]
        if missing:
            raise StudyError(f"track: {missing[0]} is missing; run the stage that writes it again")
        if key not in known:
            raise StudyError(f"track: {key} was chosen but is no run of this study; run evaluate again")
    return found
