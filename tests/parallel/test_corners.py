"""What is seldom: see programs/corners.py, which checks most itself."""

import numpy as np


def test_corners(launch, tmp_path):
    measured = []
    for ranks in (1, 3):
        path = tmp_path / f"{ranks}.npz"
        launch(ranks, "corners.py", path)
        with np.load(path) as file:
            measured.append(dict(file))
    alone, together = measured
    assert {"loss", "one_loss", "val_two_loss", "val_one_accuracy"} <= alone.keys()
    for name, values in alone.items():
        np.testing.assert_allclose(together[name], values, rtol=1e-10, err_msg=name)
