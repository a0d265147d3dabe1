"""Mistakes of everyday, told in words."""

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import metrics, nn
from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, DtypeError
from fastdl.train import EarlyStopping, Trainer

X, Y = np.ones((6, 2), np.float32), np.arange(6) % 2


class Net(nn.Module):
    def __init__(self, wrap):
        self.layer, self.wrap = nn.Linear(2, 2), wrap

    def forward(self, x):
        return self.wrap(self.layer(x))


@pytest.mark.parametrize(
    ("wrap", "got"),
    [
        (lambda output: None, "None; is a return missing"),
        (lambda output: output.numpy(), "a ndarray"),
        (lambda output: [output, output], "a list; several outputs are a tuple or a"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_forward_returns_no_tensor(wrap, got, method):
    arguments = (X,) if method == "predict" else (X, Y)
    with pytest.raises(DtypeError, match=f"forward of Net must return a Tensor.*{got}"):
        getattr(Trainer(Net(wrap)), method)(*arguments)


def test_all_is_frozen():
    with pytest.raises(ArgumentError, match="all parameters of the model are frozen"):
        Trainer(nn.Linear(2, 2).freeze()).fit(X, Y)


def test_a_callback_without_a_list():
    with pytest.raises(ArgumentError, match=r"callbacks are a list.*EarlyStopping"):
        Trainer(nn.Linear(2, 2)).fit(X, Y, callbacks=EarlyStopping())


def test_a_metric_without_a_result():
    class Nothing(metrics.Accuracy):
        def result(self):
            return None

    with pytest.raises(
        ArgumentError, match=r"accuracy.*must give one number, got None"
    ):
        Trainer(nn.Linear(2, 2), metrics=[Nothing()]).fit(X, Y)


def test_labels_in_the_place_of_the_batch_size():
    with pytest.raises(ArgumentError, match=r"got an array.*evaluate\(x, y\)"):
        Trainer(nn.Linear(2, 2)).predict(X, Y)
    with pytest.raises(ArgumentError, match=r"got an array.*DataLoader\(\(x, y\)\)"):
        DataLoader(X, Y)


def test_probabilities_in_evaluation_only():
    """Its training is right, so the warning begins with what is wrong in any case."""

    class Switching(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            logits = self.layer(x)
            return logits if self.training else F.softmax(logits)

    with pytest.warns(
        UserWarning,
        match="in evaluation the model ends with .*val_loss measure a wrong loss",
    ):
        Trainer(Switching()).fit(X, Y)
