"""Einstein's summation."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError

SIZES = dict(zip("abcijkl", (2, 3, 4, 3, 2, 5, 3), strict=True))
ELLIPSIS = {"": (), "1": (2,), "2": (3, 2)}

# subscripts, or subscripts and how many axes each ellipsis stands for
CASES = [
    "i->i",
    "i->",
    "ij->ji",
    "ij->j",
    "ji",  # alphabetical: a transposition
    "ii",
    "ii->i",
    "iji->j",
    "iijj->ij",
    "iii->i",
    "ij,jk->ik",
    "ij,jk",
    "ij,kj->ki",
    "bij,bjk->bik",
    "bij,bjk->ikb",
    "abij,abjk->abik",
    "i,i",
    "i,i->i",
    "i,j->ij",
    "i,j->",
    "ij,ij->ij",
    "ij,ij->i",
    "ij,ij->",
    "ij,ji->i",
    "ij,j->ij",
    "ij,i->j",
    "ijk,j->ik",
    "ij,k->i",  # an axis that only the second has
    "aij,bij->ab",
    "ii,ij->j",
    "ij,jk,kl->il",
    "i,ij,j->",
    "a,b,c->cab",
    "ij,jk,ij->k",
    ",ij->ij",
    " i j , j k -> i k ",
    ("...i,i->...", (2, 0)),
    ("...ij,...jk->...ik", (2, 2)),
    ("...ij,...jk", (1, 1)),
    ("...ij,...jk->...ik", (2, 1)),
    ("i...->...i", (2,)),
    ("...->...", (2,)),
    ("...ij->ij", (2,)),  # an ellipsis that the result lacks is summed over
    ("...i,...i->...", (1, 0)),
]


def operands(case, rng):
    subscripts, dots = case if isinstance(case, tuple) else (case, ())
    arrays = []
    for i, term in enumerate(subscripts.replace(" ", "").partition("->")[0].split(",")):
        shape = []
        for part in term.replace("...", "."):
            if part == ".":
                shape += (3, 2)[2 - dots[i] :]
            else:
                shape.append(SIZES[part])
        arrays.append(rng.uniform(0.5, 1.5, shape))
    return subscripts, arrays


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients(case, rng, check_gradients):
    subscripts, arrays = operands(case, rng)
    y = F.einsum(subscripts, *arrays)
    if "...ij->ij" in subscripts:  # NumPy wants the ellipsis in the result
        expected = arrays[0].sum((0, 1))
    else:
        expected = np.einsum(subscripts, *arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.data, expected, rtol=1e-13)
    check_gradients(lambda *x: F.einsum(subscripts, *x), *arrays)


def test_one_operand_twice(check_gradients, rng):
    check_gradients(lambda x: F.einsum("ij,kj->ik", x, x), rng.standard_normal((3, 2)))


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "bij,bjk->bik", "ij,ij->j"])
def test_empty_axes(subscripts):
    shapes = [
        [0 if label == "j" else 2 for label in term]
        for term in subscripts.partition("->")[0].split(",")
    ]
    arrays = [np.ones(shape) for shape in shapes]
    expected = np.einsum(subscripts, *arrays)
    np.testing.assert_array_equal(F.einsum(subscripts, *arrays).data, expected)


def test_only_operands_that_need_a_gradient_receive_one():
    a = Tensor(np.ones((2, 3)), requires_grad=True)
    b = Tensor(np.ones((3, 4)))
    F.einsum("ij,jk->ik", a, b).sum().backward()
    assert (a.grad == 4).all()
    assert b.grad is None


A = np.ones((2, 3))


@pytest.mark.parametrize(
    ("error", "call", "match"),
    [
        (ArgumentError, lambda: F.einsum("ij,jk->ik", A), "names 2 operands, got 1"),
        (ArgumentError, lambda: F.einsum("ij", A, A), "names 1 operands, got 2"),
        (ArgumentError, lambda: F.einsum("ij->i->j", A), "got '-' in 'ij->i->j'"),
        (ArgumentError, lambda: F.einsum("i1", A), "got '1' in 'i1'"),
        (ArgumentError, lambda: F.einsum("i..", A), "got '.' in"),
        (ArgumentError, lambda: F.einsum("......i", A), "got '.' in"),
        (ArgumentError, lambda: F.einsum("ij->ik", A), "each letter .* got 'ik'"),
        (ArgumentError, lambda: F.einsum("ij->ii", A), "each letter .* got 'ii'"),
        (ArgumentError, lambda: F.einsum("ij->i...j", A[0], A), "names 1 operands"),
        (ArgumentError, lambda: F.einsum(A, A), "subscripts must be a string"),
        (ShapeError, lambda: F.einsum("ijk", A), r"names 3 axes.*shape \(2, 3\)"),
        (ShapeError, lambda: F.einsum("i", A), "names 1 axes, but operand 0"),
        (ShapeError, lambda: F.einsum("...ijk", A), "names 4 axes"),
        (ShapeError, lambda: F.einsum("ij,ij", A, A.T), "axis 'i' has size 2 .* 3 in"),
        (ShapeError, lambda: F.einsum("ii", A), "axis 'i' has size 2 before, but 3"),
        (ShapeError, lambda: F.einsum("ij,ij", A, A[:1]), "axis 'i' has size 2"),
        (DtypeError, lambda: F.einsum("i,i", A[0], A[0].astype("f4")), "operands"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_subscripts(error, call, match):
    with pytest.raises(error, match=f"einsum: .*{match}|einsum: {match}"):
        call()
