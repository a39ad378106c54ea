import pytest

from asclepius.train import device
from asclepius.train.settings import TrainSettings


@pytest.fixture(scope="session", autouse=True)
def keras_as_in_training():
    """Threads must be set before the first computation of the process, or later tests could not set theirs."""
    device.start(TrainSettings())
