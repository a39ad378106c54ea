import pytest


@pytest.fixture(scope="session", autouse=True)
def keras(keras_as_in_training):
    """The tests of this room compute with Keras."""
