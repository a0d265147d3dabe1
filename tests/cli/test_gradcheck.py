"""The command ``fastdl gradcheck``."""

import sys

import pytest

from fastdl import models, nn
from fastdl.cli import main


@pytest.fixture
def fastdl_gradcheck(capsys):
    """Run the command in this process; return its exit code, output and errors."""

    def run(*argv):
        code = main(["gradcheck", *map(str, argv)])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("model", ["mlp", "convnet", "digits_convnet"])
def test_fresh_networks(model, fastdl_gradcheck):
    """S09: every parameter of a network by name, dropout off."""
    code, out, err = fastdl_gradcheck(model, "--dataset", "digits", "--sample", 4)
    assert (code, err) == (0, "")
    network = models.create(model)
    network.build((8, 8, 1))
    lines = out.splitlines()
    assert lines[0].startswith(f"{model} on 8 examples of digits, cost ")
    for name, _ in network.named_parameters():
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        assert " great " in line
        assert "4 of " in line
    assert lines[-1].endswith(": great")


def test_a_run_after_training(fastdl_gradcheck, tmp_path, monkeypatch):
    """S09: it can be run again after some training; the penalty takes part."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # no time for pictures
    train = ["train", "digits", "--model", "mlp", "--epochs", "1", "--out"]
    assert main([*train, str(tmp_path)]) == 0
    code, plain, _ = fastdl_gradcheck(tmp_path, "--sample", "3", "--examples", "5")
    assert code == 0
    assert "on 5 examples of digits" in plain
    code, penalised, _ = fastdl_gradcheck(
        tmp_path, "--sample", 3, "--examples", 5, "--l2", 0.5
    )
    assert code == 0
    costs = [float(out.split("cost ")[1].split()[0]) for out in (plain, penalised)]
    assert costs[1] > costs[0] + 1


def test_data_of_other_classes(fastdl_gradcheck, tmp_path):
    """Of a run, or of the file of a network; a folder of a network's name is no run."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    model.build((8, 8, 1))
    model.class_names = ("even", "odd")
    nn.save(model, tmp_path / "m.safetensors")
    code, out, err = fastdl_gradcheck(tmp_path / "m.safetensors")
    assert (code, out) == (2, "")
    assert "digits has the classes 0, 1, 2" in err
    assert "but the network knows even, odd" in err


def test_a_folder_with_the_name_of_a_network(fastdl_gradcheck, tmp_path, monkeypatch):
    (tmp_path / "logistic").mkdir()
    monkeypatch.chdir(tmp_path)
    assert fastdl_gradcheck("logistic", "--sample", "2")[0] == 0


def test_all_elements(fastdl_gradcheck):
    code, out, _ = fastdl_gradcheck("logistic", "--sample", "all", "--examples", "2")
    assert code == 0
    assert "640 of 640" in out


def test_a_wrong_gradient_is_an_error(fastdl_gradcheck, monkeypatch):
    """S09: exit code 2, and the name of the parameter."""

    class Forgetful(nn.Linear):
        """The gradient of a weight that was detached by mistake."""

        def forward(self, x, activation=None):
            return x @ self.weight.detach() + self.bias

    monkeypatch.setattr(
        "fastdl.models.create",
        lambda name, classes: nn.Sequential(nn.Flatten(), Forgetful(64, classes)),
    )
    code, out, err = fastdl_gradcheck("mlp", "--sample", 5)
    assert code == 2
    assert "wrong, because of '1.weight'" in out
    assert err == "fastdl: error: the gradient of '1.weight' is wrong\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["convnt"], "unknown model 'convnt'; did you mean 'convnet'?"),
        (["mlp", "--dataset", "digit"], "'digit' is neither a data set nor a folder"),
        (["mlp", "--sample", "0"], "expected an integer from 1, or all, got '0'"),
        (["mlp", "--size", "9,9"], "digits has pictures of one size"),
        (["mlp", "--l2", "-1"], "expected a number above 0, got '-1'"),
    ],
    ids=str,
)
def test_wrong_options(argv, message, fastdl_gradcheck):
    code, out, err = fastdl_gradcheck(*argv)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
