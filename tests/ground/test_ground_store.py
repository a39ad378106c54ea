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


def test_images_of_several_shards_come_in_the_order_asked_for(tmp_path):
    """Small images and large ones take different ways."""
    for side in (2, 200):
        arrays = [
            np.full((3, side, side, 1), shard, np.int16) + np.arange(3)[:, None, None, None] * 10 for shard in (0, 1)
        ]
        for shard, array in enumerate(arrays):
            store.write(store.shard_path(tmp_path / str(side), shard), array, (side, side, 1), np.int16)
        found = store.Store(tmp_path / str(side)).read([1, 0, 1, 0], [2, 0, 0, 1])
        assert found[:, 0, 0, 0].tolist() == [21, 0, 1, 10]
        for wrong in (3, -1):
            with pytest.raises(IndexError, match="holds 3 images"):
                store.Store(tmp_path / str(side)).read([0, 0], [0, wrong])
