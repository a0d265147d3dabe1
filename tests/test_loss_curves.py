"""Training in float32, direct and with Winograd, against float64: the same losses.

All runs start from equal weights and see equal batches. Rounding is all that differs:
1e-7 of the first loss, with Winograd 1e-6. It grows, because some unit of a ReLU sooner
or later falls on the other side of zero and changes a gradient by more than rounding;
small steps keep that small. So the tests ask for rounding level in the first step, a
little more in the next ones, and final losses within 1 %.
"""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import backend, datasets, models, optim, random
from fastdl import functional as F

kernels = pytest.importorskip(
    "fastdl.kernels", reason="the compiled kernels are not built"
)

SOME = 10  # steps: at the start, and over which the final loss is averaged


@pytest.fixture(autouse=True)
def restored():
    name, algorithm = backend.name, kernels.get_conv_algorithm()
    yield
    backend.use(name)
    kernels.set_conv_algorithm(algorithm)


def batches(shape, size, count):
    """Yield digits, each pixel a square, in as many equal channels as asked for."""
    train = datasets.load("digits").train
    scale = shape[0] // 8
    for step in range(count):
        rows = np.arange(step * size, (step + 1) * size) % len(train)
        x = train.x[rows].repeat(scale, 1).repeat(scale, 2).repeat(shape[2], 3)
        yield x, train.y[rows]


def losses(name, shape, size, steps, lr, dtype, algorithm="direct", module="compiled"):
    """Train from the same weights; return the loss of each step."""
    backend.use(module)
    kernels.set_conv_algorithm(algorithm)
    random.seed(0)
    model = models.create(name, **({"padding": 0} if name == "lenet5" else {}))
    model.build(shape)
    model.astype(dtype)
    optimizer = optim.Adam(model.parameters(), lr=lr)
    values = []
    for x, y in batches(shape, size, steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x.astype(dtype)), y)
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return np.array(values)


def check(*run, reference):
    """Compare both algorithms in float32 with float64."""
    expected = losses(*run, np.float64, module=reference)
    final = expected[-SOME:].mean()
    assert final < expected[0] / 2, "it has to learn"
    for algorithm in ("direct", "winograd"):
        actual = losses(*run, np.float32, algorithm)
        difference = np.abs(actual / expected - 1)
        assert difference[0] < 5e-6, algorithm
        assert difference[:SOME].max() < 1e-3, algorithm
        assert actual[-SOME:].mean() == pytest.approx(final, rel=0.01), algorithm


def test_lenet5():
    """The float64 run is that of the NumPy reference."""
    check("lenet5", (32, 32, 1), 16, 40, 1e-3, reference="reference")


def test_resnet20():
    check("resnet20", (8, 8, 3), 32, 40, 1e-4, reference="compiled")


@pytest.mark.soak
@pytest.mark.parametrize(
    "run",
    [("lenet5", (32, 32, 1), 64, 200, 1e-3), ("resnet20", (16, 16, 3), 64, 200, 1e-4)],
    ids=lambda run: run[0],
)
def test_200_steps(run):
    check(*run, reference="compiled")
