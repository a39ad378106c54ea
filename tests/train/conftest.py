import pytest
from train_study import bright, make, split


@pytest.fixture
def study(tmp_path):
    """48 images of 8 x 8 pixels, two folds."""
    arrays, labels = bright()
    return make(tmp_path, arrays, labels, [split(fold=0), split(fold=1)])
