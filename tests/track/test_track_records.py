"""Names and values as MLflow takes them."""

import re

from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from asclepius.track.records import _flat, allowed


@given(st.text(min_size=1, max_size=40))
def test_any_class_gives_a_name_that_mlflow_takes(name):
    _validate_metric_name(f"test_auc/{allowed(name)}")


def test_settings_become_dotted_text():
    values = {
        "model": {"name": "convnet", "weights": "/home/someone/w.keras"},
        "augment": {"flip": ["x", "y"], "noise": None},
    }
    assert dict(_flat(values)) == {"model.name": "convnet", "model.weights": "…/w.keras", "augment.flip": "x, y"}


def test_allowed_names_hold_no_slash():
    assert not re.search(r"[/\\]", allowed("a/b\\c"))
