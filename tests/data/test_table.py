"""Tables of pandas, Polars and Arrow, and sparse matrices of SciPy, as data."""

from datetime import date

import numpy as np
import pytest

import fastdl
from fastdl import data, nn
from fastdl.data import SparseRows, TableEncoder
from fastdl.errors import ArgumentError, DataError, DtypeError, NonFiniteError
from fastdl.train import Trainer

COLUMNS = {
    "age": [30, 41, 25, 36, 52, 47],
    "height": [1.7, 1.8, 1.6, 1.9, 1.7, 1.8],
    "member": [True, False, True, True, False, False],
}
TEXTS = ["Rome", "Oslo", None, "Rome", "Bonn", "Oslo"]
NUMBERS = np.stack([np.array(each, float) for each in COLUMNS.values()], axis=1)
Y = np.array([0, 1, 1, 0, 1, 0])


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def table(request):
    """Return what makes a table of columns."""
    # An ImportError, too: pyarrow may ask for a newer NumPy.
    library = pytest.importorskip(request.param, exc_type=ImportError)
    return library.table if request.param == "pyarrow" else library.DataFrame


def trained(x, y):
    fastdl.manual_seed(0)
    one = Trainer(nn.Linear(3, 2))
    one.fit(x, y, epochs=2, batch_size=4, validation=(x, y))
    return one


# Tables of numbers --------------------------------------------------------------------


def test_a_table_of_numbers_is_its_array(table):
    x = table(COLUMNS)
    one, other = trained(x, Y), trained(NUMBERS, Y)
    assert one.history["loss"] == other.history["loss"]
    assert one.history["val_loss"] == other.history["val_loss"]
    assert one.evaluate(x, Y) == other.evaluate(NUMBERS, Y)
    np.testing.assert_array_equal(one.predict(x), other.predict(NUMBERS))


def test_a_column_of_labels_or_weights(table):
    columns = table({"label": Y.tolist(), "weight": [1.0, 2, 3, 4, 5, 6]})
    label, weight = columns["label"], columns["weight"]
    one = Trainer(nn.Linear(3, 2))
    expected = one.evaluate(NUMBERS, Y, sample_weight=np.arange(1.0, 7))
    assert one.evaluate(table(COLUMNS), label, sample_weight=weight) == expected


def test_a_table_of_targets(table):
    x = data.ArrayDataset(NUMBERS, table({"a": [1, 2, 3, 4, 5, 6], "b": [0.5] * 6}))
    np.testing.assert_array_equal(x.y[:, 0], np.arange(1, 7))


def test_missing_targets_stay_missing(table):
    y = table({"a": [1, None, 0, 1, 0, 1], "b": [0, 1, 1, None, 0, 1]})
    expected = np.array([[1, np.nan, 0, 1, 0, 1], [0, 1, 1, np.nan, 0, 1]]).T
    np.testing.assert_array_equal(data.ArrayDataset(NUMBERS, y).y, expected)


@pytest.mark.parametrize("values", [[1, None, 3], [1.5, None, None]])
def test_missing_values_are_told_by_column(table, values):
    with pytest.raises(DataError, match=r"'age' of x has [12] missing .* in row 1"):
        data.as_dataset(table({"size": [1, 2, 3], "age": values}))


def test_texts_are_told_by_column(table):
    with pytest.raises(
        DtypeError, match=r"'city' of x has texts such as 'Rome'; .*TableE"
    ):
        data.as_dataset(table({**COLUMNS, "city": TEXTS}))


def test_dates_are_told_by_column(table):
    with pytest.raises(DtypeError, match="column 'day' of x has values such as 2020"):
        data.as_dataset(table({"day": [date(2020, 1, 2)]}))


def test_text_labels(table):
    with pytest.raises(DtypeError, match=r"y needs numbers.*np\.unique\(labels"):
        Trainer(nn.Linear(3, 2)).fit(NUMBERS, table({"a": list("ababab")})["a"])


@pytest.mark.parametrize("values", [["a", "b", "a"], [3, 5, 3]])
def test_categories_are_told_by_column(values):
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame({"size": pandas.Categorical(values)})
    with pytest.raises(DtypeError, match="column 'size' of x has categories such as"):
        data.as_dataset(x)


def test_nullable_columns_without_a_missing_value():
    pandas = pytest.importorskip("pandas")
    kinds = {"age": "Int64", "height": "Float64", "member": "boolean"}
    x = pandas.DataFrame(COLUMNS).astype(kinds)
    np.testing.assert_array_equal(data.as_dataset(x).x, NUMBERS)
    np.testing.assert_array_equal(data.as_dataset(x.astype(object)).x, NUMBERS)


def test_a_table_without_columns(table):
    with pytest.raises(DataError, match="x is a table without columns"):
        data.as_dataset(table({}))


# Texts and categories -----------------------------------------------------------------


def test_encoded_texts(table):
    encode = TableEncoder(table({**COLUMNS, "city": TEXTS}))
    assert encode.names == [*COLUMNS, "city=Bonn", "city=Oslo", "city=Rome"]
    x = encode(table({**COLUMNS, "city": TEXTS}))
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:, :3], NUMBERS.astype(np.float32))
    bonn, oslo, rome = x[:, 3:].T
    np.testing.assert_array_equal(rome, [1, 0, 0, 1, 0, 0])
    np.testing.assert_array_equal(oslo, [0, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(bonn, [0, 0, 0, 0, 1, 0])


def test_a_later_table_may_look_different(table):
    """Another order, other columns, new values."""
    encode = TableEncoder(table({"size": [1, 2], "city": ["Rome", "Oslo"]}))
    later = table({"city": ["Paris", "Oslo"], "day": [1, 2], "size": [7, 8]})
    np.testing.assert_array_equal(encode(later), [[7, 0, 0], [8, 1, 0]])


def test_an_encoded_table_that_misses_something(table):
    encode = TableEncoder(table({"size": [1, 2], "city": ["Rome", "Oslo"]}))
    with pytest.raises(DataError, match="there is no column 'city', which the train"):
        encode(table({"size": [1, 2]}))
    with pytest.raises(DataError, match="column 'size' of the table has 1 missing"):
        encode(table({"size": [1, None], "city": ["Rome", "Oslo"]}))
    with pytest.raises(DataError, match="column 'size' of the table has 1 missing"):
        TableEncoder(table({"size": [1, None]}))


def test_declared_categories_of_numbers():
    pandas = pytest.importorskip("pandas")
    encode = TableEncoder(pandas.DataFrame({"size": pandas.Categorical([3, 5, 3])}))
    assert encode.names == ["size=3", "size=5"]
    later = pandas.DataFrame({"size": [5, 3, 4]})
    np.testing.assert_array_equal(encode(later), [[0, 1], [1, 0], [0, 0]])


def test_what_cannot_be_encoded(table):
    with pytest.raises(DataError, match="column 'name' has 1,001 different texts"):
        TableEncoder(table({"name": [f"name {i}" for i in range(1001)]}))
    with pytest.raises(DtypeError, match="column 'day' has values such as 2020"):
        TableEncoder(table({"day": [date(2020, 1, 2)]}))
    with pytest.raises(DtypeError, match=r"'size' of the table has texts .* the tra"):
        TableEncoder(table({"size": [1, 2]}))(table({"size": ["1", "2"]}))
    with pytest.raises(ArgumentError, match="expected a table of named columns"):
        TableEncoder(NUMBERS)


def test_columns_that_only_pandas_can_have():
    pandas = pytest.importorskip("pandas")
    twice = pandas.DataFrame([[1, 2.0], [3, 4.0]], columns=["a", "a"])
    with pytest.raises(DataError, match="2 columns are called 'a'; rename them"):
        TableEncoder(twice)
    encode = TableEncoder(pandas.DataFrame({"a": [1, 2]}))
    with pytest.raises(DataError, match="2 columns are called 'a'"):
        encode(twice)
    mixed = pandas.DataFrame({"a": [np.nan, "x", 2, "y"]})
    with pytest.raises(DtypeError, match="has numbers and texts, such as 2 and 'x'"):
        TableEncoder(mixed)


# Sparse matrices ----------------------------------------------------------------------


@pytest.fixture(params=["csr_matrix", "csr_array", "coo_array", "csc_matrix"])
def sparse(request):
    return getattr(pytest.importorskip("scipy.sparse"), request.param)(NUMBERS)


def test_sparse_rows_are_dense_ones(sparse):
    one, other = trained(sparse, Y), trained(NUMBERS, Y)
    assert one.history["loss"] == other.history["loss"]
    assert one.history["val_loss"] == other.history["val_loss"]
    weight = np.arange(1.0, 7)
    for given in ((sparse, Y), ((sparse, Y), None)):
        dense = (NUMBERS, Y, weight)
        assert one.evaluate(*given, sample_weight=weight) == other.evaluate(dense)
    np.testing.assert_array_equal(one.predict(sparse), other.predict(NUMBERS))
    assert one.fit(sparse, Y, validation_split=0.5, class_weight=[1, 2])["val_loss"]


def test_sparse_rows_become_dense_in_batches(sparse, monkeypatch):
    rows = SparseRows(sparse, Y)
    taken = []
    take = rows.take
    monkeypatch.setattr(rows, "take", lambda i: taken.append(len(i)) or take(i))
    for x, y in data.DataLoader(rows, 4):
        assert isinstance(x, np.ndarray)
        assert len(x) == len(y)
    assert taken == [4, 2]


def test_sparse_rows_of_other_types():
    scipy = pytest.importorskip("scipy.sparse")
    with pytest.raises(DtypeError, match="SparseRows: x needs numbers, got dtype com"):
        SparseRows(scipy.csr_array(np.eye(3, dtype=complex)))
    nan = scipy.csr_array(np.diag([1.0, np.nan, 1.0]))
    with pytest.raises(NonFiniteError, match=r"x\[1, 1\] of the training data is nan"):
        trained(nan, Y[:3])


def test_a_checkpoint_knows_sparse_rows(tmp_path):
    scipy = pytest.importorskip("scipy.sparse")
    path = tmp_path / "checkpoint.safetensors"

    def fit(x, **options):
        fastdl.manual_seed(0)
        Trainer(nn.Linear(3, 2)).fit(x, Y, checkpoint=path, **options)

    fit(scipy.csr_array(NUMBERS))
    fit(scipy.coo_array(NUMBERS), resume=True)
    with pytest.raises(ArgumentError, match=r"data\.x\.0: other values"):
        fit(scipy.csr_array(NUMBERS * 2), resume=True)
