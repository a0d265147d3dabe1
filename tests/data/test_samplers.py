"""Orders of a DataLoader other than that of the data, and batches of one's own."""

import numpy as np
import pytest

import fastdl
from fastdl import data, nn, train
from fastdl.data import (
    Augment,
    DataLoader,
    MapDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from fastdl.errors import ArgumentError, DataError, DtypeError, ShapeError


def ten():
    return np.arange(10, dtype=np.float32)[:, np.newaxis], np.arange(10)


def order(batches):
    return np.concatenate([y for _, y in batches]).tolist()


# Samplers ----------------------------------------------------------------------------


def test_indices_are_the_order_of_every_epoch():
    for indices in ([7, 2, 2, 9, 0], (7, 2, 2, 9, 0), np.array([7, 2, 2, 9, 0])):
        loader = DataLoader(ten(), 2, sampler=indices)
        assert len(loader) == 3
        assert order(loader) == order(loader) == [7, 2, 2, 9, 0]
    assert order(DataLoader(ten(), 4, sampler=range(9, -1, -1))) == [*range(9, -1, -1)]


def test_a_function_draws_from_the_generator_of_the_epoch():
    """(seed, epoch) alone decide, as for shuffle=True."""
    shuffled = DataLoader(ten(), 4, shuffle=True, seed=3)
    sampled = DataLoader(ten(), 4, seed=3, sampler=lambda rng: rng.permutation(10))
    for epoch in (0, 1, 7):
        expected = order(shuffled.batches(epoch))
        assert order(sampled.batches(epoch)) == expected
        named = DataLoader(ten(), 4, seed=3, sampler=RandomSampler(ten()))
        assert order(named.batches(epoch)) == expected


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("prefetch", [0, 2])
def test_the_same_order_for_any_number_of_workers(workers, prefetch):
    sampler = WeightedRandomSampler(np.arange(10), 40)
    expected = order(DataLoader(ten(), 7, sampler=sampler, prefetch=0))
    loader = DataLoader(ten(), 7, sampler=sampler, workers=workers, prefetch=prefetch)
    assert order(loader) == expected


def test_sequential():
    sampler = SequentialSampler(ten())
    assert len(sampler) == 10
    assert order(DataLoader(ten(), sampler=sampler)) == list(range(10))


def test_some_examples_in_random_order():
    sampler = SubsetRandomSampler([1, 5, 7])
    loader = DataLoader(ten(), 2, sampler=sampler)
    epochs = {tuple(order(loader)) for _ in range(30)}
    assert len(epochs) == 6  # every order of three
    assert all(sorted(epoch) == [1, 5, 7] for epoch in epochs)
    assert len(sampler) == 3


def test_random_with_and_without_replacement():
    few = order(DataLoader(ten(), sampler=RandomSampler(ten(), num_samples=4)))
    assert len(set(few)) == 4
    many = RandomSampler(ten(), replacement=True, num_samples=5000)
    drawn = order(DataLoader(ten(), sampler=many))
    np.testing.assert_allclose(np.bincount(drawn) / 5000, 0.1, atol=0.02)


def test_weights_are_how_likely_examples_are():
    weights = np.array([0, 1, 3, 0, 6])
    sampler = WeightedRandomSampler(weights, 20_000)
    drawn = order(DataLoader((np.zeros((5, 1)), np.arange(5)), sampler=sampler))
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, weights / 10, atol=0.01)


def test_weights_without_replacement():
    sampler = WeightedRandomSampler([1, 0, 1, 1], 3, replacement=False)
    drawn = order(DataLoader((np.zeros((4, 1)), np.arange(4)), sampler=sampler))
    assert sorted(drawn) == [0, 2, 3]


def test_rare_classes_come_as_often():
    """The example of the docstring."""
    y = np.repeat([0, 1, 2], [900, 90, 10])
    share = np.bincount(y) / len(y)
    sampler = WeightedRandomSampler(1 / share[y], len(y))
    drawn = order(DataLoader((np.zeros((1000, 1)), y), sampler=sampler))
    np.testing.assert_allclose(np.bincount(drawn) / 1000, 1 / 3, atol=0.05)


def test_an_example_taken_twice_is_augmented_twice():
    """Its first time looks as it does without a sampler."""
    x = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)

    def pictures(**options):
        loader = DataLoader(x, 2, transform=Augment(translate=3), **options)
        return np.concatenate([batch for batch, _ in loader])

    plain, drawn = pictures(), pictures(sampler=[1, 1, 0, 1])
    np.testing.assert_array_equal(drawn[[0, 2]], plain[[1, 0]])
    assert len({picture.tobytes() for picture in drawn[[0, 1, 3]]}) == 3


def test_batches_of_indices():
    loader = DataLoader(ten(), batch_sampler=[[3, 1], [5], [9, 9, 9]])
    assert len(loader) == 3
    assert [y.tolist() for _, y in loader] == [[3, 1], [5], [9, 9, 9]]


def test_batches_of_a_function():
    """Such as examples of about one length together, the batches in random order."""

    def alike(rng):
        return rng.permutation(np.arange(10).reshape(5, 2))

    loader = DataLoader(ten(), batch_sampler=alike, workers=2)
    first, second = ([y.tolist() for _, y in loader] for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second) == np.arange(10).reshape(5, 2).tolist()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sampler": [0, 10]}, ArgumentError, "sampler: expected indices from 0 to 9"),
        ({"sampler": [-1]}, ArgumentError, "sampler: expected indices from 0 to 9"),
        ({"sampler": [0.5]}, DtypeError, "sampler: expected integer indices"),
        ({"sampler": [True] * 10}, DtypeError, "sampler: expected integer indices"),
        ({"sampler": [[0, 1]]}, ShapeError, r"sampler: expected indices \(n,\)"),
        ({"sampler": [[0, 1], [2]]}, ShapeError, "DataLoader: sampler"),
        ({"sampler": []}, DataError, "sampler chose no examples"),
        ({"sampler": np.arange(0)}, DataError, "sampler chose no examples"),
        ({"sampler": iter([1, 2])}, ArgumentError, "own random state"),
        ({"sampler": RandomSampler}, ArgumentError, "sampler must be indices, or a"),
        ({"sampler": "random"}, ArgumentError, "sampler must be indices, or a"),
        ({"sampler": [1], "shuffle": True}, ArgumentError, "the place of shuffle"),
        ({"batch_sampler": [[0], [10]]}, ArgumentError, "batch_sampler: expected ind"),
        ({"batch_sampler": [[0], [10]], "batch_size": 2}, ArgumentError, "batch_size"),
        ({"batch_sampler": [[0]], "sampler": [0]}, ArgumentError, "the place of sampl"),
        (
            {"batch_sampler": [[0]], "sampler": np.arange(3)},
            ArgumentError,
            "the place of sampler",
        ),
        ({"batch_sampler": [[0]], "drop_last": True}, ArgumentError, "of drop_last"),
        ({"batch_sampler": []}, DataError, "batch_sampler made no batches"),
        ({"batch_sampler": [1, 2]}, ShapeError, "batch_sampler: expected indices"),
    ],
)
def test_wrong_samplers(options, error, message):
    with pytest.raises(error, match=message):
        DataLoader(ten(), **options)


def test_a_sampler_whose_epochs_differ():
    """Progress and schedules count on the number of batches."""
    lengths = iter([8, 8, 4])
    loader = DataLoader(ten(), 4, sampler=lambda rng: np.arange(next(lengths)))
    assert order(loader) == list(range(8))
    with pytest.raises(DataError, match="made 1 batches for epoch 1, but 2 for epoch"):
        list(loader)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: WeightedRandomSampler([1, -1], 2), DataError, r"weights\[1\] is -1"),
        (lambda: WeightedRandomSampler([np.nan], 2), DataError, r"weights\[0\] is nan"),
        (lambda: WeightedRandomSampler([0, 0], 2), DataError, "all weights are 0"),
        (lambda: WeightedRandomSampler([[1]], 2), ShapeError, "expected weights"),
        (lambda: WeightedRandomSampler(["a"], 2), DtypeError, "must be numbers"),
        (lambda: WeightedRandomSampler([1], 0), ShapeError, "num_samples"),
        (
            lambda: WeightedRandomSampler([1, 0], 2, replacement=False),
            ArgumentError,
            "2 examples of 1 need replacement=True",
        ),
        (
            lambda: RandomSampler(ten(), num_samples=11),
            ArgumentError,
            "11 examples of 10 need replacement=True",
        ),
        (
            lambda: RandomSampler(ten(), replacement=1),
            ArgumentError,
            "RandomSampler: replacement must be True or False",
        ),
        (lambda: SubsetRandomSampler([-1]), ArgumentError, "SubsetRandomSampler: "),
    ],
)
def test_wrong_arguments_of_samplers(make, error, message):
    with pytest.raises(error, match=message):
        make()


def trained(epochs, path=None, resume=False, sampler=None):
    x = np.random.default_rng(0).random((12, 4), np.float32)
    y = np.arange(12) % 3
    if sampler is None:
        sampler = WeightedRandomSampler(1 + y, 9)
    fastdl.manual_seed(0)
    trainer = train.Trainer(nn.Linear(4, 3))
    trainer.fit(
        DataLoader((x, y), 4, sampler=sampler),
        epochs=epochs,
        checkpoint=path,
        resume=resume,
    )
    return trainer.model.weight.numpy().copy()


def test_resumed_bit_for_bit(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    trained(2, path)
    np.testing.assert_array_equal(trained(5, path, resume=True), trained(5))


def test_another_sampler_is_no_resumption(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    trained(2, path)
    with pytest.raises(ArgumentError, match=r"sampler\.weights: other values"):
        trained(5, path, resume=True, sampler=WeightedRandomSampler(np.ones(12), 9))


# Batches of one's own ----------------------------------------------------------------


class Words:
    """Rows of 1 to 5 numbers, whose label is whether they are more than 2."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        return np.arange(1.0, 2 + index % 5), int(index % 5 > 1)


def padded(examples):
    rows, labels = zip(*examples, strict=True)
    longest = max(map(len, rows))
    x = [np.pad(row, (0, longest - len(row))) for row in rows]
    return np.stack(x), np.array(labels)


@pytest.mark.parametrize("workers", [1, 2])
def test_examples_of_several_lengths(workers):
    loader = DataLoader(Words(), 4, collate_fn=padded, workers=workers)
    x, y = next(iter(loader))
    np.testing.assert_array_equal(
        x, [[1, 0, 0, 0], [1, 2, 0, 0], [1, 2, 3, 0], [1, 2, 3, 4]]
    )
    assert y.tolist() == [0, 0, 1, 1]


def test_without_it_the_lengths_are_refused():
    with pytest.raises(ShapeError, match="item 1 of the data set: x has shape"):
        next(iter(DataLoader(Words(), 4)))


def test_a_list_of_examples_of_any_type():
    texts = [("a b c", 1), ("d", 0)]

    def count(examples):
        return np.array([[len(t.split())] for t, _ in examples]), [
            y for _, y in examples
        ]

    ((x, y),) = DataLoader(texts, collate_fn=count)
    assert x.tolist() == [[3], [1]]
    assert y.tolist() == [1, 0]


@pytest.mark.parametrize(
    "source",
    [
        ten(),
        data.ArrayDataset(*ten()),
        data.Subset(ten(), np.arange(10)),
        data.Concat((ten()[0][:5], ten()[1][:5]), (ten()[0][5:], ten()[1][5:])),
    ],
    ids=["pair", "ArrayDataset", "Subset", "Concat"],
)
def test_examples_of_other_data_sets(source):
    def weighted(examples):
        x, y = zip(*examples, strict=True)
        return np.stack(x), np.array(y), np.full(len(x), 2.0)

    batches = list(DataLoader(source, 4, collate_fn=weighted, shuffle=True))
    assert sorted(np.concatenate([y for _, y, _ in batches])) == list(range(10))
    for x, y, weight in batches:
        np.testing.assert_array_equal(x[:, 0], y)
        assert (weight == 2).all()


def test_a_part_of_examples_of_several_lengths():
    part, _ = data.random_split(MapDataset(Words()), (0.5, 0.5))
    batches = list(DataLoader(part, 4, collate_fn=padded))
    lengths = np.concatenate([(x > 0).sum(axis=1) for x, _ in batches])
    np.testing.assert_array_equal(lengths, part.indices % 5 + 1)


def test_a_data_set_with_take_alone():
    class Squares:
        y = np.arange(5) ** 2

        def __len__(self):
            return 5

        def take(self, indices):
            return np.zeros((len(indices), 1)), self.y[indices]

    def stacked(examples):
        x, y = zip(*examples, strict=True)
        return np.stack(x), np.array(y)

    assert order(DataLoader(Squares(), 2, collate_fn=stacked)) == [0, 1, 4, 9, 16]


def test_fit_and_evaluate_and_resume(tmp_path):
    class Longest(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 2)

        def forward(self, x):
            return self.linear(x.sum(axis=1, keepdims=True))

    def run(epochs, **options):
        fastdl.manual_seed(0)
        trainer = train.Trainer(Longest())
        loader = DataLoader(Words(), 8, shuffle=True, collate_fn=padded)
        trainer.fit(loader, epochs=epochs, validation=loader, **options)
        return trainer

    path = tmp_path / "checkpoint.safetensors"
    run(3, checkpoint=path)
    resumed, whole = run(6, checkpoint=path, resume=True), run(6)
    np.testing.assert_array_equal(
        resumed.model.linear.weight.numpy(), whole.model.linear.weight.numpy()
    )
    loader = DataLoader(Words(), 8, collate_fn=padded)
    assert whole.evaluate(loader)["accuracy"] > 0.5
    assert whole.predict(loader).shape == (40, 2)


def test_binary_targets():
    """Their values are checked batch by batch."""

    def first(examples):
        rows, labels = zip(*examples, strict=True)
        return np.array([[row[-1]] for row in rows]), np.array(labels)[:, np.newaxis]

    trainer = train.Trainer(nn.Linear(1, 1), loss=nn.BCEWithLogitsLoss())
    trainer.fit(DataLoader(Words(), 8, collate_fn=first))
    assert len(trainer.history) == 1


@pytest.mark.parametrize(
    ("collate_fn", "error", "message"),
    [
        (lambda e: np.zeros(len(e)), DataError, r"must return a tuple \(x, y\) or"),
        (lambda e: (1, 2, 3, 4), DataError, r"must return a tuple \(x, y\) or"),
        (lambda e: (["a"] * len(e), None), DataError, "arrays of numbers .* got <U1"),
        (lambda e: (np.zeros(3), np.zeros(2)), ShapeError, "x has 3 examples but y"),
        (lambda e: (np.zeros(3), np.zeros(3)), DataError, "made 3 rows of 4 examples"),
        (lambda e: (1.0, None), DataError, r"a row for each example, got float64"),
        (dict, ArgumentError, "collate_fn must be a function"),
        ("pad", ArgumentError, "collate_fn must be a function"),
    ],
)
@pytest.mark.parametrize("prefetch", [0, 2])
def test_wrong_collate(collate_fn, error, message, prefetch):
    with pytest.raises(error, match=message):
        next(iter(DataLoader(Words(), 4, collate_fn=collate_fn, prefetch=prefetch)))


# random_split ------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [(0.7, 0.3), [7, 3], (7, -1), [0.7, 0.3]])
def test_random_split(lengths):
    parts = data.random_split(ten(), lengths, seed=5)
    assert [len(part) for part in parts] == [7, 3]
    for part, same in zip(parts, data.split(ten(), lengths, 5), strict=True):
        np.testing.assert_array_equal(part.indices, same.indices)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ((0.7, 0.7), "random_split: lengths: fractions must sum to 1"),
        ((7, 4), "random_split: lengths: counts .* sum to 11"),
        (7, "random_split: lengths must be fractions"),
        ((10, 0), "random_split: lengths: every part needs an example"),
    ],
)
def test_wrong_lengths(lengths, message):
    with pytest.raises(ArgumentError, match=message):
        data.random_split(ten(), lengths)
    with pytest.raises(ShapeError, match="random_split: seed"):
        data.random_split(ten(), (7, 3), seed=-1)
