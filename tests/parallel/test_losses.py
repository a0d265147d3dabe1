"""Several ranks train as one process does, in each step."""

import numpy as np
import pytest


def results(launch, folder, ranks, dtype):
    path = folder / f"{dtype}_{ranks}.npz"
    if not path.exists():
        launch(ranks, "losses.py", dtype, path)
    with np.load(path) as file:
        return dict(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("losses")


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float64", 1e-10), pytest.param("float32", 1e-4, marks=pytest.mark.soak)],
)
@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_losses_of_a_hundred_steps(ranks, dtype, tolerance, launch, folder):
    """Batches, augmentation, dropout, batch norm, weights and penalties agree."""
    alone = results(launch, folder, 1, dtype)
    together = results(launch, folder, ranks, dtype)
    assert len(alone["steps"]) == 105
    assert alone["loss"][-1] < 0.9 * alone["loss"][0]
    for name, expected in alone.items():
        scale = max(1.0, np.abs(expected).max())
        error = np.abs(together[name] - expected).max() / scale
        assert error <= (tolerance if expected.dtype.kind == "f" else 0), name


def test_same_bits_in_each_run(launch, folder, tmp_path):
    first = results(launch, folder, 2, "float32")
    again = results(launch, tmp_path, 2, "float32")
    for name, expected in first.items():
        np.testing.assert_array_equal(again[name], expected, name)
