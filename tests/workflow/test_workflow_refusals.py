"""What is wrong with a study is said in one sentence before any job starts."""

import pytest
import yaml

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"cohrt": {}}, "cohrt: unknown key; did you mean 'cohort'?"),
        ({"cohort": {"path": "nowhere"}}, "cohort.path: nowhere does not exist"),
        ({"cohort": {"path": ".", "labels": {"path": "labels.csv", "column": "diagnose"}}}, "'diagnosis'"),
    ],
)
def test_refused_before_any_job(workflow_in, tmp_path, values, sentence):
    (tmp_path / "labels.csv").write_text("file,diagnosis\na.png,x\n")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(values))
    done = workflow_in(tmp_path)("--dry-run", study=tmp_path / "study.yaml", check=False)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "results").exists()
