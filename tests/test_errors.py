import pytest

from fastdl.errors import suggest


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rellu", "; did you mean 'ReLU'?"),
        ("relu", "; did you mean 'ReLU'?"),
        ("Tahn", "; did you mean 'tanh'?"),
        ("x", "; choose from 'ReLU', 'tanh'"),
        (None, "; choose from 'ReLU', 'tanh'"),
    ],
)
def test_suggest(name, expected):
    assert suggest(name, iter(["ReLU", "tanh"])) == expected


def test_nothing_to_choose_from():
    assert suggest("relu", []) == ""
