import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asclepius import store
from asclepius.errors import StudyError


@given(data=st.data())
def test_images_come_back_in_the_order_asked(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    sizes = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3).filter(any))
    arrays = [np.random.default_rng(i).integers(-1000, 1000, (n, 3, 2, 1)) for i, n in enumerate(sizes)]
    for shard, array in enumerate(arrays):
        assert store.write(store.shard_path(folder, shard), iter(array), (3, 2, 1), np.int16) == len(array)
    places = [(shard, row) for shard, n in enumerate(sizes) for row in range(n)]
    asked = data.draw(st.lists(st.sampled_from(places), min_size=1))
    found = store.Store(folder).read([s for s, _ in asked], [r for _, r in asked])
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, [arrays[s][r] for s, r in asked])


def test_many_images_still_fit_the_header(tmp_path):
    path = store.shard_path(tmp_path, 0)
    assert store.write(path, (np.zeros((1, 1, 1)) for _ in range(100_000)), (1, 1, 1), np.uint8) == 100_000
    assert np.load(path, mmap_mode="r").shape == (100_000, 1, 1, 1)


def test_an_image_of_another_shape_is_refused(tmp_path):
    with pytest.raises(StudyError, match="image 1 has shape"):
        store.write(tmp_path / "a.npy", iter([np.zeros((2, 2, 1)), np.zeros((2, 3, 1))]), (2, 2, 1), np.uint8)
    assert list(tmp_path.iterdir()) == []
