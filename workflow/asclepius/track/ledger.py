"""Bringing an MLflow experiment to what the records say: runs kept, made, replaced, removed."""

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asclepius.track.records import Record

# MLflow sends usage statistics unless told otherwise; a hospital's run sends nothing.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Of a server that does not answer; MLflow's own seven tries take four minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

PROXIED = "mlflow-artifacts:/"
BATCH = 100  # MLflow takes at most 100 params and 1000 metrics in one call
HISTORY = 900


@dataclass
class Counts:
    """How many runs."""

    created: int = 0
    kept: int = 0
    replaced: int = 0
    removed: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Ledger:
    """One study's runs in one MLflow experiment.

    Args:
        uri: of the tracking store.
        artifacts: folder that holds the files of a local store; None for a server, which keeps its own.
        constant: tags every run carries.

    In a local store, runs name their files `mlflow-artifacts:/...`, as if a server kept them: no path of the machine
    goes into the database, results/ can be moved, and `cd results && mlflow ui` finds everything by its defaults.
    """

    def __init__(self, uri: str, artifacts: Path | None, experiment: str, study: str, constant: dict[str, str]):
        import mlflow

        self.client = mlflow.MlflowClient(tracking_uri=uri)
        self.artifacts, self.study, self.constant = artifacts, study, constant
        self.experiment = self._experiment(experiment)

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            location = f"{PROXIED}{re.sub(r'[^a-zA-Z0-9_-]+', '-', name)}" if self.artifacts else None
            return self.client.create_experiment(name, artifact_location=location)
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def describe(self, text: str) -> None:
        """The experiment's description in the MLflow pages, and its kind."""
        self.client.set_experiment_tag(self.experiment, "mlflow.note.content", text)
        self.client.set_experiment_tag(self.experiment, "mlflow.experimentKind", "custom_model_development")

    def sync(self, records: list[Record], files: dict[tuple[str, str, str], list[tuple[Path, str]]]) -> Counts:
        """Make the experiment hold these records, each once.

        Args:
            records: parents before their runs.
            files: record's key to (file or folder, name among the run's artifacts).
        """
        counts = Counts()
        found = self._found()
        parents: dict[str, str] = {}
        for record in records:
            old = found.pop(record.key, [])
            same = [run for run in old if run.data.tags.get("asclepius.digest") == record.digest]
            keep = same[0] if same else None
            for run in old:
                if run is not keep:
                    self.client.delete_run(run.info.run_id)
            if keep is not None:
                counts.kept += 1
                run_id, tags = keep.info.run_id, keep.data.tags
            else:
                counts.replaced += bool(old)
                counts.created += not old
                run_id, tags = self._create(record), {}
            mutable = {"chosen": "true" if record.chosen else "false"}
            if record.is_parent:
                parents[record.arm] = run_id
            else:
                mutable["mlflow.parentRunId"] = parents[record.arm]
            for name, value in mutable.items():
                if tags.get(name) != value:
                    self.client.set_tag(run_id, name, value)
            self._keep_files(run_id, tags, files.get(record.key, []))
            if keep is None:  # last: a run without its digest was cut short and is made anew
                self.client.set_tag(run_id, "asclepius.digest", record.digest)
        for old in found.values():
            for run in old:
                self.client.delete_run(run.info.run_id)
                counts.removed += 1
        return counts

    def _found(self) -> dict[tuple[str, str, str], list[Any]]:
        """This study's runs by arm, fold and seed; runs a person made are left alone."""
        found: dict[tuple[str, str, str], list[Any]] = {}
        query = "tags.`asclepius.study` = '{}'".format(self.study.replace("'", ""))
        page = None
        while True:
            runs = self.client.search_runs([self.experiment], query, max_results=1000, page_token=page)
            for run in runs:
                tags = run.data.tags
                key = (tags.get("arm", ""), tags.get("fold", ""), tags.get("seed", ""))
                found.setdefault(key, []).append(run)
            page = runs.token
            if not page:
                return found

    def _create(self, record: Record) -> str:
        from mlflow.entities import Metric, Param, RunTag

        end = time.time_ns() // 1_000_000
        start = end - round(record.seconds * 1000)
        tags = self.constant | {"asclepius.study": self.study, "arm": record.arm}
        if not record.is_parent:
            tags |= {"fold": record.fold, "seed": record.seed}
        tags |= {f"asclepius.images.{data.role}": data.tokens for data in record.data}
        run = self.client.create_run(self.experiment, start_time=start, tags=tags, run_name=record.name)
        run_id = run.info.run_id
        last = max((epoch for _, epoch, _ in record.history), default=0)
        metrics = [
            Metric(name, value, start + round((end - start) * epoch / max(last, 1)), epoch)
            for name, epoch, value in record.history
        ]
        metrics += [Metric(name, value, end, 0) for name, value in record.metrics.items()]
        params = [Param(name, value) for name, value in record.params.items()]
        extra = [RunTag("kind", "arm" if record.is_parent else "run")]
        for at in range(0, max(len(metrics), 1), HISTORY):
            self.client.log_batch(run_id, metrics=metrics[at : at + HISTORY], tags=extra if at == 0 else [])
        for at in range(0, len(params), BATCH):
            self.client.log_batch(run_id, params=params[at : at + BATCH])
        self._log_data(run_id, record)
        self.client.set_terminated(run_id, end_time=end)
        return run_id

    def _log_data(self, run_id: str, record: Record) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = []
        for data in record.data:
            profile = {"images": data.images, "patients": data.patients, "classes": data.classes}
            source = json.dumps({"table": f"results/{self.study}/quality/images.parquet", "role": data.role})
            dataset = Dataset(self.study, data.digest, "asclepius", source, None, json.dumps(profile))
            inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", data.role)]))
        if inputs:
            self.client.log_inputs(run_id, inputs)

    def _keep_files(self, run_id: str, tags: dict[str, str], files: list[tuple[Path, str]]) -> None:
        digest = _content(files)
        if tags.get("asclepius.files", "") == digest:
            return
        address = self.client.get_run(run_id).info.artifact_uri
        if self.artifacts is not None and address.startswith(PROXIED):
            _replace_folder(self.artifacts / address.removeprefix(PROXIED).lstrip("/"), files)
        else:
            for path, name in files:
                if path.is_dir():
                    self.client.log_artifacts(run_id, str(path), artifact_path=name)
                else:
                    folder = os.path.dirname(name)
                    self.client.log_artifact(run_id, str(path), artifact_path=folder or None)
        self.client.set_tag(run_id, "asclepius.files", digest)


def _content(files: list[tuple[Path, str]]) -> str:
    """A digest over names and bytes, empty without files."""
    state = hashlib.sha256()
    for path, name in files:
        for found in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if found.is_file():
                inner = found.relative_to(path).as_posix() if path.is_dir() else ""
                state.update(f"{name}/{inner}\0".encode() + hashlib.sha256(found.read_bytes()).digest())
    return state.hexdigest() if files else ""


def _replace_folder(folder: Path, files: list[tuple[Path, str]]) -> None:
    """Copy the files into a folder that then takes the place of the old one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        beside.chmod(0o755)
        for path, name in files:
            target = beside / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target)
            else:
                shutil.copyfile(path, target)
        shutil.rmtree(folder, ignore_errors=True)
        if files:
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
