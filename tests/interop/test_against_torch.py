"""The same weights in PyTorch: the same outputs, and the same losses while training.

Networks are torchvision's where it can be imported, elsewhere the twins that
`bench.peer_layers` makes of ours.
"""

from __future__ import annotations

import copy
import gc
import shlex
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import interop, models, nn, optim
from fastdl.autograd import no_grad
from fastdl.errors import DataError

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from bench.peer import images  # noqa: E402
from bench.peer_layers import twin  # noqa: E402
from bench.peer_networks import translate  # noqa: E402

CLASSES, BATCH = 10, 4
# The smallest pictures that leave more than one number in the last batch norm.
SIZES = {
    "alexnet": 67,
    "vgg11": 32,
    "resnet18": 64,
    "resnet50": 64,
    "mobilenet_v2": 64,
    "efficientnet_b0": 64,
}
NAMES = [name for name in SIZES if name in models.names()]


@dataclass
class Pair:
    """A network here and there, and pictures."""

    ours: nn.Module
    theirs: torch.nn.Module
    x: np.ndarray
    labels: np.ndarray

    @property
    def their_x(self):
        return images(self.x, torch.contiguous_format)


def filled(module):
    """Give a network of PyTorch weights that do not hide an error; return it.

    Nothing is 0, 1 or equal to its neighbour, and no layer is the identity.
    """
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            for values in (part.weight, part.running_var):
                torch.nn.init.uniform_(values, 0.5, 1.5, generator)
            for values in (part.bias, part.running_mean):
                torch.nn.init.normal_(values, 0, 0.1, generator)
    return module


def quiet(model):
    """Let nothing happen at random; return the network, here or there."""
    for part in model.modules():
        if type(part).__name__ in (
            "Dropout",
            "DropPath",
            "_DropPath",
            "StochasticDepth",
        ):
            part.p = 0.0
    return model


@pytest.fixture(scope="module", params=NAMES)
def pair(request, torchvision_models):
    name = request.param
    ours = quiet(models.create(name, classes=CLASSES))
    size = SIZES[name]
    ours.build((size, size, 3))
    torch.manual_seed(0)
    if torchvision_models is None:
        theirs = twin(ours)
    else:
        theirs = getattr(torchvision_models, name)(num_classes=CLASSES)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, size, size, 3), np.float32)
    yield Pair(ours, filled(quiet(theirs)), x, rng.integers(0, CLASSES, BATCH))
    gc.collect()


def assert_close(ours, theirs, tolerance=1e-4):
    """Compare arrays, relative to the largest number."""
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * abs(theirs).max())


def test_names_shapes_and_types_are_torchvisions(pair):
    state = interop.torch_state(pair.ours)
    ours = {name: (array.shape, array.dtype.name) for name, array in state.items()}
    theirs = {
        name: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for name, value in pair.theirs.state_dict().items()
    }
    assert ours == theirs


def test_the_same_outputs(pair):
    """S43: in inference and in training, and the same running statistics after it."""
    state = copy.deepcopy(pair.theirs.state_dict())
    assert interop.load_torch_state(pair.ours, state) == ([], [])
    with no_grad(), torch.no_grad():
        ours, theirs = pair.ours.eval()(pair.x), pair.theirs.eval()(pair.their_x)
        assert_close(ours.numpy(), theirs)
        ours, theirs = pair.ours.train()(pair.x), pair.theirs.train()(pair.their_x)
        assert_close(ours.numpy(), theirs)
    after = pair.theirs.state_dict()
    for name, array in interop.torch_state(pair.ours).items():
        if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            assert_close(array, after[name])
    pair.theirs.load_state_dict(state)


def test_files_there_and_back(pair, tmp_path):
    state = {n: v.clone() for n, v in pair.theirs.state_dict().items()}
    save_file(state, tmp_path / "theirs.safetensors")
    interop.load_torch_state(pair.ours, tmp_path / "theirs.safetensors")
    interop.save_torch_state(pair.ours, tmp_path / "ours.safetensors")
    saved = load_file(tmp_path / "ours.safetensors")
    assert saved.keys() == state.keys()
    for name, value in saved.items():
        assert torch.equal(value, state[name])
    pair.theirs.load_state_dict(saved, strict=True)


def test_the_same_losses(pair):
    """S43: over 20 steps of SGD, without dropout.

    Behind a batch norm of few numbers, large steps let rounding grow tenfold each time,
    here as there. So networks with batch norm are compared in float64, and all take
    steps that are small enough for the loss to fall.
    """
    has_norm = any(isinstance(m, nn.BatchNorm2d) for m in pair.ours.modules())
    dtype = np.float64 if has_norm else np.float32
    ours = pair.ours.astype(dtype).train()  # the last test of a pair uses it up
    theirs = pair.theirs.to(getattr(torch, dtype.__name__)).train()
    interop.load_torch_state(ours, theirs.state_dict())
    x, labels = pair.x.astype(dtype), torch.from_numpy(pair.labels)
    their_x = pair.their_x.to(getattr(torch, dtype.__name__))

    def their_loss():
        theirs.zero_grad()
        loss = torch.nn.functional.cross_entropy(theirs(their_x), labels)
        loss.backward()
        return loss.item()

    def our_loss():
        ours.zero_grad()
        loss = F.cross_entropy(ours(x), pair.labels)
        loss.backward()
        return loss.item()

    losses = [(our_loss(), their_loss())]
    square = sum(float((p.grad**2).sum()) for p in theirs.parameters())
    our_steps = optim.SGD(ours.parameters(), lr=0.02 / square)
    their_steps = torch.optim.SGD(theirs.parameters(), lr=0.02 / square)
    for _ in range(20):
        our_steps.step()
        their_steps.step()
        losses.append((our_loss(), their_loss()))
    here, there = np.transpose(losses)
    np.testing.assert_allclose(here, there, rtol=1e-6 if has_norm else 1e-4)
    assert here[-1] < here[0] - 0.1


# timm --------------------------------------------------------------------------------

TIMM = {
    "vgg11": "vgg11",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "mobilenet_v2": "mobilenetv2_100",
    "efficientnet_b0": "efficientnet_b0",
}


@pytest.mark.parametrize("name", [name for name in TIMM if name in NAMES])
def test_weights_of_timm(name, torchvision_models):
    if torchvision_models is None:
        pytest.skip("timm needs torchvision")
    timm = pytest.importorskip("timm")
    theirs = filled(timm.create_model(TIMM[name], num_classes=CLASSES)).eval()
    ours = models.create(name, classes=CLASSES)
    size = 224 if name.startswith("vgg") else 64
    ours.build((size, size, 3))
    assert interop.load_torch_state(ours, theirs.state_dict()) == ([], [])
    x = np.random.default_rng(0).standard_normal((1, size, size, 3), np.float32)
    with no_grad(), torch.no_grad():
        expected = theirs(images(x, torch.contiguous_format))
        assert_close(ours.eval()(x).numpy(), expected)


# The rest ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, "resnet20", "mobilenet_v1"])
def test_twins_of_the_benchmarks(name):
    """Where there is no torchvision, and as the peers of the benchmarks."""
    options = {"width_mult": 0.25} if name in ("alexnet", "vgg11") else {}
    ours = models.create(name, classes=CLASSES, **options)
    size = SIZES.get(name, 32)
    theirs = filled(translate(ours, (size, size, 3))).eval()
    assert interop.load_torch_state(ours.eval(), theirs.state_dict()) == ([], [])
    x = np.random.default_rng(0).standard_normal((2, size, size, 3), np.float32)
    with no_grad(), torch.no_grad():
        assert_close(ours(x).numpy(), theirs(images(x, torch.contiguous_format)))


def test_own_modules():
    """Every layer that has weights, and a Flatten in a forward of one's own."""

    class Ours(nn.Module):
        def __init__(self):
            self.convs = nn.Sequential(
                nn.ConvTranspose2d(3, 4, (3, 2), (2, 1), padding=(1, 0)),
                nn.Conv2d(4, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(),
                nn.Conv2d(8, 8, (3, 1), padding=(1, 0), groups=8),
                nn.BatchNorm2d(8), nn.LayerNorm((17, 7, 8)),
            )  # fmt: skip
            self.norm = nn.BatchNorm1d(952)
            self.head = nn.Linear(952, 5)

        def forward(self, x):
            y = self.convs(x)
            return self.head(self.norm(F.relu(y.reshape(y.shape[0], -1))))

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            t = torch.nn
            self.convs = t.Sequential(
                t.ConvTranspose2d(3, 4, (3, 2), (2, 1), padding=(1, 0)),
                t.Conv2d(4, 8, 3), t.GroupNorm(2, 8), t.ReLU(),
                t.Conv2d(8, 8, (3, 1), padding=(1, 0), groups=8),
                t.BatchNorm2d(8), t.LayerNorm((8, 17, 7)),
            )  # fmt: skip
            self.norm = t.BatchNorm1d(952)
            self.head = t.Linear(952, 5)

        def forward(self, x):
            return self.head(self.norm(torch.relu(self.convs(x).flatten(1))))

    ours, theirs = Ours(), Theirs()
    ours.build((10, 8, 3))
    for values in theirs.state_dict().values():
        if values.is_floating_point():
            torch.nn.init.uniform_(values, 0.5, 1.5)
    assert interop.load_torch_state(ours, theirs.state_dict()) == ([], [])
    x = np.random.default_rng(0).standard_normal((4, 10, 8, 3), np.float32)
    for training in (False, True):
        ours.train(training)
        y = theirs.train(training)(images(x, torch.contiguous_format))
        assert_close(ours(x).numpy(), y)


def test_bfloat16(tmp_path):
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 3)).to(torch.bfloat16)
    ours = nn.Sequential(nn.Linear(5, 3))
    ours.build((5,))
    save_file(theirs.state_dict(), tmp_path / "w")
    for source in (
        tmp_path / "w",
        theirs.state_dict(),
        dict(theirs.named_parameters()),
    ):
        ours[0].weight.data[...] = 0
        interop.load_torch_state(ours, source)
        expected = theirs[0].weight.detach().float().numpy().T
        np.testing.assert_array_equal(ours[0].weight.data, expected)


@pytest.mark.parametrize("zipped", [True, False])
def test_the_line_that_converts_a_pickle(zipped, tmp_path):
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 3))
    torch.save(
        theirs.state_dict(), tmp_path / "w.pt", _use_new_zipfile_serialization=zipped
    )
    ours = nn.Sequential(nn.Linear(5, 3))
    ours.build((5,))
    with pytest.raises(DataError, match="is a pickle") as caught:
        interop.load_torch_state(ours, tmp_path / "w.pt")
    line = str(caught.value).splitlines()[-1]
    program, *arguments = shlex.split(line)
    assert program == "python"
    subprocess.run([sys.executable, *arguments], check=True)
    interop.load_torch_state(ours, tmp_path / "w.safetensors")
    expected = theirs[0].weight.detach().numpy().T
    np.testing.assert_array_equal(ours[0].weight.data, expected)
