"""FastClassifier: networks, labels, weights, and how long it learns."""

import csv

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

import fastdl
from fastdl import models, nn, optim, random, train
from fastdl.sklearn import FastClassifier

SMALL = {"model_options": {"hidden": (16,)}, "lr": 0.01}


def table(load):
    x, y = load(return_X_y=True)
    return StandardScaler().fit_transform(x), y


@pytest.fixture(scope="module")
def iris():
    return table(load_iris)


@pytest.fixture(scope="module")
def cancer():
    return table(load_breast_cancer)


@pytest.fixture(scope="module")
def pictures():
    digits = load_digits()
    return (digits.images[..., np.newaxis] / 16).astype(np.float32), digits.target


def classifier(**options):
    return FastClassifier(**{"random_state": 0, "max_iter": 5, **options})


# Networks


NETWORKS = {
    "name": classifier(model="mlp", model_options={"hidden": (16,)}),
    "layers": classifier(model=[nn.Linear(None, 16), nn.ReLU(), nn.Linear(None, 3)]),
    "module": classifier(
        model=nn.Sequential(nn.Linear(None, 16), nn.Tanh(), nn.Linear(None, 3))
    ),
    "function": classifier(model=models.mlp, model_options={"hidden": (16,)}),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_network(network, iris):
    model = clone(NETWORKS[network]).set_params(lr=0.01, max_iter=40).fit(*iris)
    assert model.score(*iris) > 0.93
    assert model.predict_proba(iris[0]).shape == (150, 3)


def test_pictures(pictures):
    x, y = pictures
    model = classifier(model="convnet", lr=0.003).fit(x[:1200], y[:1200])
    assert model.score(x[1200:], y[1200:]) > 0.85


def test_bytes_are_pictures_in_the_unit_range(pictures):
    x, y = (pictures[0][:200] * 255).round().astype(np.uint8), pictures[1][:200]
    model = classifier(model=[nn.Flatten(), nn.Linear(None, 10)]).fit(x, y)
    of_numbers = clone(model).fit((x / 255).astype(np.float32), y)
    np.testing.assert_allclose(
        model.predict_proba(x), of_numbers.predict_proba(x / 255), rtol=1e-4
    )


def test_a_module_is_copied_with_its_weights(iris):
    layer = nn.Linear(4, 3)
    weight = layer.weight.data.copy()
    model = classifier(model=[layer], lr=1e-12, max_iter=1).fit(*iris)
    np.testing.assert_allclose(model.trainer_.model[0].weight.data, weight, atol=1e-9)
    classifier(model=[layer], lr=1.0).fit(*iris)
    np.testing.assert_array_equal(layer.weight.data, weight)
    assert layer.weight.grad is None


def test_a_network_with_other_outputs_is_refused(iris):
    model = classifier(model=[nn.Linear(None, 16), nn.ReLU()])
    with pytest.raises(ValueError, match=r"needs 3 outputs.* \(16,\) .*\(None, 3\)"):
        model.fit(*iris)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "mpl"}, "unknown model 'mpl'; did you mean 'mlp'"),
        ({"optimizer": "adm"}, "unknown optimizer 'adm'; did you mean 'adam'"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1, got 0"),
        ({"validation_fraction": 0.0, "early_stopping": True}, "every part needs"),
    ],
)
def test_a_wrong_option_is_named(options, message, iris):
    with pytest.raises(ValueError, match=message):
        classifier(**options).fit(*iris)


@pytest.mark.parametrize("optimizer", ["adamw", "momentum", optim.RMSprop])
def test_optimizer(optimizer, iris):
    model = classifier(optimizer=optimizer, lr=0.02, weight_decay=1e-4)
    made = model.fit(*iris).trainer_.optimizer
    assert made.param_groups[0]["lr"] == 0.02
    assert made.param_groups[0]["weight_decay"] == 1e-4
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_network_computes_in_the_type_of_x(dtype, iris):
    x = iris[0].astype(dtype)
    model = classifier().fit(x, iris[1])
    assert {p.dtype for p in model.trainer_.model.parameters()} == {np.dtype(dtype)}
    assert model.predict_proba(x).dtype == dtype


def test_the_network_can_be_saved(iris, tmp_path):
    model = classifier().fit(*iris)
    model.trainer_.save(tmp_path / "iris.safetensors")
    network = fastdl.load(tmp_path / "iris.safetensors")
    assert np.array_equal(network(iris[0]).numpy().argmax(1), model.predict(iris[0]))


# Randomness


def test_random_state_decides_everything(iris):
    options = {"early_stopping": True, "model_options": {"dropout": 0.2}}
    first = classifier(**options).fit(*iris).predict_proba(iris[0])
    again = classifier(**options).fit(*iris).predict_proba(iris[0])
    other = classifier(**options, random_state=1).fit(*iris).predict_proba(iris[0])
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_the_randomness_of_others_is_untouched(iris):
    random.seed(3)
    expected = random.new_seed()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    random.seed(3)
    classifier().fit(*iris)
    assert random.new_seed() == expected
    classifier(random_state=None).fit(*iris)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_without_a_state_it_follows_manual_seed(iris):
    outputs = []
    for seed in (3, 3, 4):
        fastdl.manual_seed(seed)
        model = classifier(random_state=None).fit(*iris)
        outputs.append(model.predict_proba(iris[0]))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.allclose(outputs[0], outputs[2])


# How long it learns


def test_it_ends_when_the_training_loss_stays(iris):
    model = classifier(max_iter=500, tol=0.01, n_iter_no_change=3, **SMALL).fit(*iris)
    losses = model.loss_curve_
    assert model.n_iter_ == len(losses) < 500
    assert min(losses[-3:]) > min(losses[:-3]) - 0.01


def test_without_tolerance_it_makes_all_passes(iris):
    model = classifier(max_iter=60, tol=None, n_iter_no_change=1, optimizer="sgd")
    assert model.set_params(lr=1e-9).fit(*iris).n_iter_ == 60


def test_early_stopping_returns_to_the_best_weights(cancer):
    model = classifier(early_stopping=True, max_iter=300, lr=0.01, n_iter_no_change=5)
    history = model.fit(*cancer).trainer_.history
    best = int(np.argmin(history["val_loss"])) + 1
    assert best <= model.n_iter_ - 5 < 295
    shorter = clone(model).set_params(max_iter=best).fit(*cancer)
    np.testing.assert_array_equal(
        model.predict_proba(cancer[0]), shorter.predict_proba(cancer[0])
    )


def test_partial_fit_makes_the_passes_of_fit(iris):
    whole = classifier(max_iter=3, tol=None, batch_size=32).fit(*iris)
    parts = classifier(batch_size=32)
    for _ in range(3):
        parts.partial_fit(*iris, classes=[0, 1, 2])
    np.testing.assert_array_equal(
        whole.predict_proba(iris[0]), parts.predict_proba(iris[0])
    )
    assert parts.n_iter_ == 3


def test_partial_fit_of_a_class_at_a_time(iris):
    x, y = iris
    model = classifier(**SMALL)
    for label in (2, 0, 1) * 30:
        model.partial_fit(x[y == label], y[y == label], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(x, y) > 0.6


def test_partial_fit_asks_for_the_classes(iris):
    with pytest.raises(ValueError, match="needs classes="):
        classifier().partial_fit(*iris)
    with pytest.raises(ValueError, match="cannot balance"):
        classifier(class_weight="balanced").partial_fit(*iris, classes=[0, 1, 2])


def test_a_label_that_was_not_known_is_refused(iris):
    x, y = iris
    model = classifier().partial_fit(x, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="previously unseen labels"):
        model.partial_fit(x, y + 1)


def test_warm_start_goes_on_with_the_options_of_now(iris):
    model = classifier(warm_start=True, max_iter=10, **SMALL).fit(*iris)
    loss = model.loss_curve_[-1]
    weight = model.trainer_.model[1].weight.data.copy()
    model.set_params(lr=1e-9).fit(*iris)
    assert model.n_iter_ == 10
    assert model.loss_curve_[0] < loss + 0.05
    np.testing.assert_allclose(model.trainer_.model[1].weight.data, weight, atol=1e-6)
    cold = clone(model).set_params(warm_start=False).fit(*iris)
    assert cold.loss_curve_[0] > loss + 0.1


def test_callbacks_are_copied_and_called(iris, tmp_path):
    log = train.CSVLog(tmp_path / "log.csv")
    classifier(callbacks=[log]).fit(*iris)
    with open(tmp_path / "log.csv", encoding="utf-8") as lines:
        assert len(list(csv.DictReader(lines))) == 5
    assert vars(log) == vars(train.CSVLog(tmp_path / "log.csv"))


def test_verbose(iris, capsys):
    classifier().fit(*iris)
    assert capsys.readouterr().err == ""
    classifier(verbose=True).fit(*iris)
    assert "loss" in capsys.readouterr().err


# Weights


def test_a_weight_of_zero_leaves_an_example_out(cancer):
    x, y = cancer
    weight = np.ones(len(y))
    weight[300:] = 0
    options = {"batch_size": 64, "early_stopping": True}
    weighted = classifier(**options).fit(x, y, sample_weight=weight)
    fewer = classifier(**options).fit(x[:300], y[:300])
    np.testing.assert_allclose(
        weighted.predict_proba(x), fewer.predict_proba(x), rtol=1e-9
    )


@pytest.mark.parametrize("class_weight", [{0: 3.0, 1: 1.0}, "balanced"])
def test_class_weight_is_a_weight_of_examples(class_weight, cancer):
    x, y = cancer
    weight = np.where(y == 0, 3.0, 1.0)
    if class_weight == "balanced":
        weight = (len(y) / (2 * np.bincount(y)))[y]
    own = 1 + np.arange(len(y)) % 3
    by_class = classifier(class_weight=class_weight).fit(x, y, sample_weight=own)
    by_example = classifier().fit(x, y, sample_weight=own * weight)
    np.testing.assert_array_equal(
        by_class.predict_proba(x), by_example.predict_proba(x)
    )


# Labels


def test_labels_may_be_texts(iris):
    names = load_iris().target_names
    model = classifier(max_iter=30, **SMALL).fit(iris[0], names[iris[1]])
    assert model.classes_.tolist() == sorted(names)
    assert model.score(iris[0], names[iris[1]]) > 0.9


def test_one_class_is_refused(iris):
    with pytest.raises(ValueError, match="one class only"):
        classifier().fit(iris[0], np.zeros(150, int))


def test_a_column_of_labels(iris):
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = classifier().fit(iris[0], iris[1][:, np.newaxis])
    assert model.predict(iris[0]).shape == (150,)


def several_labels(iris):
    """Which of three labels an example has: none, one or two."""
    x, y = iris
    return x, np.stack([y == 0, y > 0, x[:, 0] > 1], axis=1).astype(int)


def test_several_labels_of_an_example(iris):
    x, y = several_labels(iris)
    model = classifier(max_iter=60, **SMALL).fit(x, y)
    p = model.predict_proba(x)
    assert p.shape == (150, 3)
    assert isinstance(model.trainer_.loss, nn.BCEWithLogitsLoss)
    np.testing.assert_array_equal(model.predict(x), p > 0.5)
    assert f1_score(y, model.predict(x), average="macro") > 0.95
    weighted = classifier(class_weight="balanced", early_stopping=True).fit(x, y)
    assert weighted.n_outputs_ == 3
    parts = classifier().partial_fit(x, y).partial_fit(x[:20], y[:20])
    assert parts.predict(x).shape == (150, 3)


def several_questions(iris):
    x, y = iris
    wide = np.digitize(x[:, 1], [-0.5, 0.5])
    return x, np.stack([load_iris().target_names[y], np.array(list("abc"))[wide]], 1)


def test_several_questions(iris):
    x, y = several_questions(iris)
    model = classifier(max_iter=80, early_stopping=True, **SMALL).fit(x, y)
    assert [labels.tolist() for labels in model.classes_] == [
        sorted(load_iris().target_names),
        ["a", "b", "c"],
    ]
    assert [p.shape for p in model.predict_proba(x)] == [(150, 3), (150, 3)]
    assert (model.predict(x) == y).mean(axis=0).min() > 0.85
    parts = classifier().partial_fit(x, y, classes=model.classes_)
    assert parts.partial_fit(x[:3], y[:3]).predict(x).shape == (150, 2)
    with pytest.raises(ValueError, match="the 2 columns that it had before, got 1"):
        parts.partial_fit(x, y[:, 0])


def test_a_loss_of_ones_own(iris):
    loss = nn.CrossEntropyLoss(label_smoothing=0.3)
    p = classifier(loss=loss, max_iter=60, **SMALL).fit(*iris).predict_proba(iris[0])
    assert 0.6 < np.median(p.max(axis=1)) < 0.9  # it is taught to be 0.8
    x, y = several_questions(iris)
    both = classifier(loss=loss, max_iter=60, **SMALL).fit(x, y).predict_proba(x)
    assert all(0.5 < np.median(p.max(axis=1)) < 0.9 for p in both)


def test_batch_norm_is_spared_a_last_batch_of_one_row():
    net = [nn.Linear(None, 8), nn.BatchNorm1d(None), nn.Linear(None, 2)]
    x = np.random.default_rng(0).normal(size=(257, 5))
    assert FastClassifier(net, max_iter=3).fit(x, np.arange(257) % 2).n_iter_ == 3
