import numpy as np
import pytest

from asclepius.errors import StudyError
from asclepius.models.settings import ModelSettings
from asclepius.task import Task

keras = pytest.importorskip("keras")
from asclepius.models.registry import build  # noqa: E402

BINARY = Task("binary", ("no", "yes"), "yes")
SMALL = {"blocks": 2, "filters": 4, "dense": 4}


def weights(model):
    return [np.array(weight) for weight in model.weights]


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 10, 3), (4, 8, 8, 1)])
def test_softmax_over_the_classes_in_2d_and_3d(shape):
    model = build(ModelSettings(**SMALL), shape, BINARY, 1)
    out = np.array(model(np.random.default_rng(0).random((3, *shape), dtype=np.float32)))
    assert out.shape == (3, 2)
    np.testing.assert_allclose(out.sum(axis=1), 1, rtol=1e-5)


def test_multi_label_outputs_are_independent():
    model = build(ModelSettings(**SMALL), (8, 8, 1), Task("multilabel", ("a", "b", "c")), 1)
    assert model.get_layer("output").activation is keras.activations.sigmoid


def test_grad_cam_reads_the_last_feature_map_and_the_head():
    model = build(ModelSettings(blocks=2, convolutions=2, filters=4), (8, 8, 1), BINARY, 1)
    between = keras.Model(model.input, [model.get_layer("features").output, model.get_layer("output").output])
    maps, _ = between(np.zeros((1, 8, 8, 1), np.float32))
    assert tuple(maps.shape) == (1, 4, 4, 8)


def test_equal_seeds_give_equal_networks_and_other_seeds_others():
    first, second, third = (build(ModelSettings(**SMALL), (8, 8, 1), BINARY, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(weights(first), weights(third), strict=True))
    kernels = [weight.flatten()[:4].tolist() for weight in weights(first) if weight.ndim == 4]
    assert kernels[0] != kernels[1]


def test_equal_settings_give_equal_names_whatever_was_built_before():
    names = [[v.path for v in build(ModelSettings(**SMALL), (8, 8, 1), BINARY, 1).weights] for _ in range(2)]
    assert names[0] == names[1]


def test_logits_stay_float32_under_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(ModelSettings(**SMALL), (8, 8, 1), BINARY, 1)
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.output.dtype == "float32"
    assert model.get_layer("features").output.dtype == "bfloat16"


@pytest.mark.parametrize("changes", [{"normalisation": "group"}, {"normalisation": "none"}, {"pooling": "flatten"}])
def test_options_change_the_network(changes):
    plain = build(ModelSettings(**SMALL), (8, 8, 1), BINARY, 1)
    assert build(ModelSettings(**SMALL, **changes), (8, 8, 1), BINARY, 1).count_params() != plain.count_params()


def test_too_many_blocks_are_refused_with_the_remedy():
    with pytest.raises(StudyError, match=r"model.blocks: 4 blocks .* use at most 3"):
        build(ModelSettings(blocks=4), (8, 8, 1), BINARY, 1)


def test_a_thin_volume_is_halved_along_its_long_axes_only():
    model = build(ModelSettings(blocks=3, filters=2), (2, 8, 8, 1), BINARY, 1)
    assert tuple(model.get_layer("block3_pool").output.shape[1:]) == (1, 1, 1, 8)
