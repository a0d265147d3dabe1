"""Models of any graph: branches, shared layers, several inputs and outputs."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import nn, optim
from fastdl.data import ArrayDataset, DataLoader
from fastdl.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    NonFiniteError,
    ShapeError,
)
from fastdl.train import Trainer, gradcheck

RNG = np.random.default_rng(5)
PICTURES = RNG.integers(0, 256, (24, 6, 6, 1), dtype=np.uint8)
TABLE = RNG.standard_normal((24, 3)).astype(np.float32)
LABELS = np.arange(24) % 3
SIZES = RNG.standard_normal((24, 1)).astype(np.float32)


@nn.register
class TwoInputs(nn.Module):
    """A picture and a table to classes."""

    def __init__(self):
        self.trunk = nn.Sequential(
            nn.Conv2d(None, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
        )
        self.table = nn.Linear(None, 5)
        self.head = nn.Linear(None, 3)

    def forward(self, picture, table):
        both = [self.trunk(picture), F.relu(self.table(table))]
        return self.head(F.concatenate(both, axis=1))


class TwoOutputs(nn.Module):
    """A table to classes and to a size, by name or in order."""

    def __init__(self, named=True):
        self.named = named
        self.trunk = nn.Linear(None, 8)
        self.label = nn.Linear(8, 3)
        self.size = nn.Linear(8, 1)

    def forward(self, x):
        trunk = F.tanh(self.trunk(x))
        label, size = self.label(trunk), self.size(trunk)
        return {"label": label, "size": size} if self.named else (label, size)


class Siamese(nn.Module):
    """Two inputs through one layer: how far apart are they?"""

    def __init__(self):
        self.branch = nn.Linear(3, 4)

    def forward(self, left, right):
        distance = self.branch(left) - self.branch(right)
        return (distance * distance).sum(axis=1)


def both_losses(outputs, y):
    if isinstance(outputs, dict):
        outputs, y = outputs.values(), [y[name] for name in outputs]
    (label, size), (labels, sizes) = outputs, y
    return F.cross_entropy(label, labels) + F.mse_loss(size, sizes)


def seeded(model, seed=0):
    fastdl.manual_seed(seed)
    return model()


# Shapes


def test_build_with_a_tuple_of_shapes():
    model = TwoInputs()
    assert model.build(((6, 6, 1), (3,))) == (3,)
    assert model.input_shape == ((6, 6, 1), (3,))
    assert model.head.in_features == 4 * 4 * 4 + 5


def test_build_with_a_dict_of_shapes():
    model = TwoInputs()
    assert model.build({"table": [3], "picture": [6, 6, 1]}) == (3,)
    assert model.table.in_features == 3


def test_build_returns_the_shape_of_each_output():
    assert TwoOutputs().build((3,)) == {"label": (3,), "size": (1,)}
    assert TwoOutputs(named=False).build((3,)) == ((3,), (1,))


def test_build_with_a_size_that_is_none():
    with pytest.raises(ShapeError, match="each size of input_shape"):
        TwoInputs().build(((6, 6, 0), (3,)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3,), r"forward of TwoInputs takes \(picture, table\), .* inputs x: missing"),
        (((6, 6, 1), (3,), (3,)), r"inputs x\[0\], x\[1\], x\[2\]: too many"),
        ({"picture": (6, 6, 1), "tabel": (3,)}, r"x\['picture'\], x\['tabel'\]: "),
    ],
    ids=["one", "three", "misspelt"],
)
def test_inputs_that_forward_does_not_take(shape, message):
    with pytest.raises(ArgumentError, match=message):
        TwoInputs().build(shape)


def test_a_type_error_inside_forward_is_kept():
    class Broken(nn.Module):
        def forward(self, a, b):
            return len(3)

    with pytest.raises(TypeError, match=r"object of type 'int' has no len"):
        Broken().build(((1,), (1,)))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda x: [x, x], "got a list; several outputs are a tuple or a dict"),
        (lambda x: (x, None), r"got None as output\[1\]; is a return missing"),
        (lambda x: {"a": x.data}, r"got a ndarray as output\['a'\]; compute with"),
    ],
    ids=["list", "None", "array"],
)
def test_outputs_that_are_no_tensors(output, message):
    class Model(nn.Module):
        def forward(self, x):
            return output(fastdl.tensor(x))

    with pytest.raises(DtypeError, match=message):
        Model().build((2,))


def test_summary_of_several_inputs_and_outputs():
    lines = TwoInputs().summary(((6, 6, 1), (3,))).splitlines()
    assert lines[2].split() == ["input[0]", "6x6x1", "0", "0"]
    assert lines[3].split() == ["input[1]", "3", "0", "0"]
    named = TwoInputs().summary({"picture": (6, 6, 1), "table": (3,)})
    assert "input['table']" in named
    assert (
        TwoOutputs()
        .summary((3,))
        .endswith("68 parameters (68 trainable), 56 multiply-adds for one example")
    )


def test_a_layer_that_returns_several_is_on_one_line():
    class Forked(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.ones(2, np.float32))

        def forward(self, x):
            return x * self.weight, {"double": 2 * fastdl.tensor(x)}

    lines = Forked().summary((2,)).splitlines()
    assert lines[3].split() == ["Forked", "2,", "2", "2", "0"]


def test_pictures_called_by_hand_are_scaled_as_in_a_loader():
    class Mean(nn.Module):
        def forward(self, table, picture):
            return F.mean(picture) + 0 * F.mean(table)

    expected = np.mean(PICTURES / 255)
    assert Mean()(TABLE, PICTURES).item() == pytest.approx(expected, rel=1e-5)
    by_name = Mean()(picture=PICTURES, table=TABLE)
    assert by_name.item() == pytest.approx(expected, rel=1e-5)


# Training


FORMS = {
    "tuple": (PICTURES, TABLE),
    "dict": {"table": TABLE, "picture": PICTURES},
}


@pytest.mark.parametrize("form", FORMS)
def test_training_equals_a_loop_of_ones_own(form):
    model = seeded(TwoInputs)
    trainer = Trainer(model, optimizer=lambda p: optim.SGD(p, 0.1, momentum=0.9))
    trainer.fit(FORMS[form], LABELS, epochs=3, batch_size=7, seed=2)

    own = seeded(TwoInputs)
    own.build(((6, 6, 1), (3,)))
    optimizer = optim.SGD(own.parameters(), 0.1, momentum=0.9)
    loader = DataLoader(((PICTURES, TABLE), LABELS), 7, shuffle=True, seed=2)
    for _ in range(3):
        for (picture, table), y in loader:
            optimizer.zero_grad()
            F.cross_entropy(own(picture, table), y).backward()
            optimizer.step()
    for name, array in own.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
def test_evaluate_and_predict(form):
    trainer = Trainer(seeded(TwoInputs))
    trainer.fit(FORMS[form], LABELS, validation=(FORMS[form], LABELS))
    assert {"val_loss", "val_accuracy"} <= set(trainer.history)
    measured = trainer.evaluate(FORMS[form], LABELS)
    assert measured["loss"] == pytest.approx(trainer.history["val_loss"][0], rel=1e-6)
    assert trainer.evaluate((FORMS[form], LABELS)) == measured
    logits = trainer.predict(FORMS[form], batch_size=5)
    assert logits.shape == (24, 3)
    assert np.mean(logits.argmax(1) == LABELS) == measured["accuracy"]
    np.testing.assert_allclose(
        trainer.predict((FORMS[form], LABELS)), logits, rtol=1e-5, atol=1e-6
    )
    probabilities = trainer.predict(FORMS[form], probabilities=True)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


def test_a_tuple_for_a_model_of_one_input_stays_data_with_labels():
    trainer = Trainer(nn.Linear(None, 3))
    trainer.fit((TABLE, LABELS))
    assert trainer.predict((TABLE, LABELS)).shape == (24, 3)
    with pytest.raises(ArgumentError, match="x is a tuple, which brings its labels"):
        trainer.fit((TABLE, LABELS), LABELS)


@pytest.mark.parametrize("named", [True, False], ids=["dict", "tuple"])
def test_several_outputs(named):
    fastdl.manual_seed(0)
    trainer = Trainer(TwoOutputs(named), both_losses)
    y = {"size": SIZES, "label": LABELS} if named else (LABELS, SIZES)
    trainer.fit(TABLE, y, epochs=30, validation=(TABLE, y))
    losses = trainer.history["val_loss"]
    assert losses[-1] < losses[0]
    measured = trainer.evaluate(TABLE, y, batch_size=5)
    assert measured["loss"] == pytest.approx(losses[-1], rel=1e-5)
    outputs = trainer.predict(TABLE, batch_size=5)
    assert type(outputs) is (dict if named else tuple)
    label, size = (outputs["label"], outputs["size"]) if named else outputs
    assert label.shape == (24, 3)
    assert size.shape == (24, 1)


def test_a_metric_of_ones_own_gets_the_structures():
    def smallest(y, outputs):
        assert outputs["size"].shape == y["size"].shape
        return outputs["size"].min()

    trainer = Trainer(TwoOutputs(), both_losses, metrics=[smallest])
    trainer.fit(TABLE, {"label": LABELS, "size": SIZES}, batch_size=24)
    assert "smallest" in trainer.history


@pytest.mark.parametrize("loss", [None, nn.MSELoss()], ids=["default", "squared"])
def test_a_loss_of_one_output_beside_several(loss):
    with pytest.raises(ArgumentError, match=r"returns output\['label'\], .* dict of l"):
        Trainer(TwoOutputs(), loss).fit(TABLE, LABELS)


@pytest.mark.parametrize("named", [True, False], ids=["dict", "tuple"])
def test_probabilities_of_several_outputs_under_one_loss(named):
    """Which of them are logits? To F.softmax a tuple would be one array."""
    trainer = Trainer(TwoOutputs(named))
    trainer.model.build((3,))
    with pytest.raises(ArgumentError, match=r"returns output\[.* dict of losses"):
        trainer.predict(TABLE, probabilities=True)


def test_an_output_without_rows_cannot_be_predicted():
    class WithSum(TwoOutputs):
        def forward(self, x):
            outputs = super().forward(x)
            return outputs | {"sum": F.sum(outputs["size"])}

    trainer = Trainer(WithSum(), both_losses)
    trainer.model.build((3,))
    with pytest.raises(ShapeError, match=r"predict: output\['sum'\] is one number"):
        trainer.predict(TABLE)


def test_several_targets_for_one_output():
    with pytest.raises(ArgumentError, match=r"y\['a'\], y\['b'\].* CrossEntropyLoss"):
        Trainer(nn.Linear(3, 3)).fit(TABLE, {"a": LABELS, "b": LABELS})


def test_inputs_of_other_lengths():
    with pytest.raises(ShapeError, match=r"x\[0\] has 24 examples but x\[1\] has 23"):
        Trainer(TwoInputs()).fit((PICTURES, TABLE[:23]), LABELS)


def test_a_nan_in_one_input_is_found():
    table = TABLE.copy()
    table[7, 2] = np.nan
    data = {"picture": PICTURES, "table": table}
    with pytest.raises(NonFiniteError, match=r"fit: x\['table'\]\[7, 2\] of the train"):
        Trainer(TwoInputs()).fit(data, LABELS)
    with pytest.raises(NonFiniteError, match=r"the batch x\['table'\] itself is not"):
        Trainer(TwoInputs()).fit(data, LABELS, check_finite=False, batch_size=24)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of infinities in NumPy
def test_the_layer_that_breaks_is_named():
    model = TwoOutputs()
    model.build((3,))
    model.size.weight.data[...] = 3e38
    trainer = Trainer(model, both_losses)
    y = {"label": LABELS, "size": SIZES}
    with pytest.raises(NonFiniteError, match=r"layer 'size' \(Linear\) is the first"):
        trainer.fit(TABLE, y)


def test_pictures_as_targets_of_a_squared_error_beside_an_input():
    class Copy(nn.Module):
        def __init__(self):
            self.scale = nn.Parameter(np.zeros(1, np.float32))

        def forward(self, picture, table):
            return picture * self.scale

    trainer = Trainer(Copy(), nn.MSELoss())
    trainer.fit((PICTURES, TABLE), PICTURES, batch_size=24)
    expected = np.mean((PICTURES / 255) ** 2)
    assert trainer.history["loss"][0] == pytest.approx(expected, rel=1e-5)


# Resuming


@pytest.mark.parametrize("form", FORMS)
def test_resuming_gives_the_same_bits(form, tmp_path):
    def train(epochs, **options):
        trainer = Trainer(seeded(TwoInputs))
        trainer.fit(FORMS[form], LABELS, epochs=epochs, batch_size=5, **options)
        return trainer.model.state_dict()

    path = tmp_path / "checkpoint.safetensors"
    train(2, checkpoint=path)
    resumed = train(4, checkpoint=path, resume=True)
    for name, array in train(4).items():
        np.testing.assert_array_equal(resumed[name], array, err_msg=name)


def test_resuming_with_another_input_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    x = {"picture": PICTURES, "table": TABLE}
    Trainer(TwoInputs()).fit(x, LABELS, checkpoint=path)
    other = x | {"table": TABLE + 1}
    with pytest.raises(ArgumentError, match=r"data\.x\.table: other values"):
        Trainer(TwoInputs()).fit(other, LABELS, checkpoint=path, resume=True)


# Shared layers


def test_a_shared_layer_counts_once():
    model = Siamese()
    assert list(model.state_dict()) == ["branch.weight", "branch.bias"]
    assert len(list(model.parameters())) == 2
    text = model.summary(((3,), (3,)))
    assert [line.split()[-2] for line in text.splitlines()[4:6]] == ["16", "0"]
    assert "16 parameters" in text


def test_a_shared_layer_learns_from_both_inputs_and_moves_once():
    model = Siamese()
    left, right = TABLE[:5], TABLE[5:10]
    weight = model.branch.weight.data.copy()
    optimizer = optim.SGD(model.parameters(), 0.5)
    model(left, right).sum().backward()
    diff = left - right
    expected = 2 * diff.T @ (diff @ weight)
    np.testing.assert_allclose(model.branch.weight.grad, expected, rtol=1e-4, atol=1e-4)
    optimizer.step()
    np.testing.assert_allclose(
        model.branch.weight.data, weight - 0.5 * expected, rtol=1e-4, atol=1e-4
    )


def test_a_shared_layer_is_saved_and_loaded(tmp_path):
    model = nn.register(Siamese)()
    nn.save(model, tmp_path / "whole.safetensors")
    loaded = nn.load(tmp_path / "whole.safetensors")
    np.testing.assert_array_equal(
        loaded(TABLE, TABLE[::-1]).numpy(), model(TABLE, TABLE[::-1]).numpy()
    )
    nn.save_weights(model, tmp_path / "weights.safetensors")
    other = Siamese()
    nn.load_weights(other, tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(other.branch.weight.data, model.branch.weight.data)


# Gradient check


@pytest.mark.parametrize("form", FORMS)
def test_gradcheck_of_several_inputs(form):
    x = {name: each[:4] for name, each in FORMS["dict"].items()}
    model = seeded(TwoInputs)
    x = x if form == "dict" else (x["picture"], x["table"])
    assert gradcheck(model, nn.CrossEntropyLoss(), x, LABELS[:4]).verdict == "great"


def test_gradcheck_of_several_outputs_and_of_a_shared_layer():
    y = (LABELS[:4], SIZES[:4])
    model = TwoOutputs(named=False)
    assert gradcheck(model, both_losses, TABLE[:4], y).verdict == "great"
    checked = gradcheck(Siamese(), nn.MSELoss(), (TABLE[:4], TABLE[4:8]), SIZES[:4, 0])
    assert checked.verdict == "great"


def test_a_data_set_of_structures_without_labels_predicts():
    dataset = ArrayDataset((PICTURES, TABLE))
    model = TwoInputs()
    model.build(((6, 6, 1), (3,)))
    assert Trainer(model).predict(dataset).shape == (24, 3)
    with pytest.raises(DataError, match="no labels"):
        Trainer(model).evaluate(dataset)
