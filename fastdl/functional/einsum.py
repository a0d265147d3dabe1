"""Einstein's summation: sums of products over the axes that letters name.

Everything becomes a few products of stacks of matrices. Of two operands, an axis that
both have is either kept (the stack) or summed over (the inner size); the others are the
rows of the first and the columns of the second:

    a (stack, rows, inner), b (stack, inner, columns) -> (stack, rows, columns)

An axis that only one operand has, and nobody needs, is summed over before.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from string import ascii_letters

import numpy as np

from fastdl.autograd import Tensor, as_tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import multiply
from fastdl.functional.indexing import index
from fastdl.functional.matmul import matmul
from fastdl.functional.reduction import sum as add_up
from fastdl.functional.shaping import reshape, transpose
from fastdl.shapes import check_real
from fastdl.typing import Shape, TensorLike

Labels = tuple[str, ...]
"""The name of each axis: a letter, or "...1" for the last but one of an ellipsis."""


# Subscripts --------------------------------------------------------------------------


def _labels(term: str, subscripts: str) -> list[str]:
    """Return the letters of an operand or of the result, an ellipsis as "..."."""
    before, dots, after = term.partition("...")
    found = [*before, *([dots] if dots else []), *after]
    wrong = set(before + after) - set(ascii_letters)
    if wrong:
        raise ArgumentError(
            f"einsum: expected letters, commas, one '->' and '...' in the subscripts, "
            f"got {min(wrong)!r} in {subscripts!r}"
        )
    return found


def _replace_ellipsis(labels: list[str], count: int) -> Labels:
    """Name the axes of an ellipsis, counted from behind, so that they are aligned."""
    named = [f"...{i}" for i in reversed(range(count))]
    return tuple(
        name for label in labels for name in (named if label == "..." else [label])
    )


def _parse(subscripts: str, shapes: Sequence[Shape]) -> tuple[list[Labels], Labels]:
    """Return the labels of each operand, and of the result."""
    if not isinstance(subscripts, str):
        raise ArgumentError(f"einsum: subscripts must be a string, got {subscripts!r}")
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = [_labels(term, subscripts) for term in inputs.split(",")]
    if len(terms) != len(shapes):
        raise ArgumentError(
            f"einsum: {subscripts!r} names {len(terms)} operands, got {len(shapes)}"
        )
    dots, names = 0, []
    for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        count = len(shape) - len(term) + term.count("...")
        if count < 0 or (count and "..." not in term):
            raise ShapeError(
                f"einsum: {''.join(term)!r} names {len(term)} axes, but operand {i} "
                f"has shape {shape}"
            )
        dots = max(dots, count)
        names.append(_replace_ellipsis(term, count))
    counts = Counter(label for labels in names for label in labels)
    if not arrow:
        once = sorted(x for x, n in counts.items() if n == 1 and x in ascii_letters)
        return names, _replace_ellipsis(["...", *once], dots)
    result = _replace_ellipsis(_labels(output, subscripts), dots)
    if len(set(result)) != len(result) or not set(result) <= counts.keys():
        raise ArgumentError(
            f"einsum: expected each letter of the result once, and only letters of the "
            f"operands, got {output!r} in {subscripts!r}"
        )
    return names, result


def _sizes(names: Sequence[Labels], shapes: Sequence[Shape]) -> dict[str, int]:
    """Return the size of the axes of each label."""
    sizes: dict[str, int] = {}
    for i, (labels, shape) in enumerate(zip(names, shapes, strict=True)):
        for label, size in zip(labels, shape, strict=True):
            if sizes.setdefault(label, size) != size:
                raise ShapeError(
                    f"einsum: axis {label!r} has size {sizes[label]} before, but "
                    f"{size} in operand {i} of shape {shape}"
                )
    return sizes


# The sum -----------------------------------------------------------------------------


def _diagonal(x: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """Make one axis of those with the same label: where their indices are equal."""
    for label in set(labels):
        if labels.count(label) > 1:
            same = [i for i, other in enumerate(labels) if other == label]
            rest = [i for i, other in enumerate(labels) if other != label]
            places = np.arange(x.shape[same[0]])
            x = index(transpose(x, same + rest), (places,) * len(same))
            labels = (label, *(labels[i] for i in rest))
    return x, labels


def _arrange(x: Tensor, labels: Labels, order: Sequence[str]) -> Tensor:
    if tuple(order) == labels:
        return x
    return transpose(x, [labels.index(label) for label in order])


def _reduce(x: Tensor, labels: Labels, wanted: set[str]) -> tuple[Tensor, Labels]:
    """Sum over the axes that nobody wants."""
    free = [i for i, label in enumerate(labels) if label not in wanted]
    if free:
        x = add_up(x, free)
    return x, tuple(label for label in labels if label in wanted)


def _contract(
    a: Tensor, a_labels: Labels, b: Tensor, b_labels: Labels, wanted: set[str]
) -> tuple[Tensor, Labels]:
    """Return the product of two operands, summed over the axes that nobody wants."""
    a, a_labels = _reduce(a, a_labels, wanted.union(b_labels))
    b, b_labels = _reduce(b, b_labels, wanted.union(a_labels))
    both = [label for label in a_labels if label in b_labels]
    stack = [label for label in both if label in wanted]
    inner = [label for label in both if label not in wanted]
    rows = [label for label in a_labels if label not in both]
    columns = [label for label in b_labels if label not in both]
    sizes = dict(zip(a_labels + b_labels, a.shape + b.shape, strict=True))
    a = _arrange(a, a_labels, stack + rows + inner)
    if not (rows or columns):  # matrices of one number would take a call each
        y = multiply(a, _arrange(b, b_labels, stack + inner))
        return _reduce(y, (*stack, *inner), wanted)
    b = _arrange(b, b_labels, stack + inner + columns)
    s, m, k, n = (
        math.prod(sizes[label] for label in part)
        for part in (stack, rows, inner, columns)
    )
    y = matmul(reshape(a, s, m, k), reshape(b, s, k, n))
    labels = (*stack, *rows, *columns)
    return reshape(y, [sizes[label] for label in labels]), labels


def einsum(subscripts: str, *operands: TensorLike) -> Tensor:
    """Return a sum of products over the axes that letters name.

    ``einsum("bik,bkj->bij", a, b)`` are products of matrices, ``"ij->ji"`` transposes,
    ``"ii"`` is a trace, ``"i,j->ij"`` an outer product, ``"...c,c->..."`` a product
    along the last axis.

    Parameters
    ----------
    subscripts : str
        The letters of the axes of each operand, separated by commas, then "->" and
        those of the result; axes whose letter is not there are summed over. Without
        "->" the result has the letters that stand once, in alphabetical order. A letter
        that an operand has twice takes the diagonal. "..." stands for all other axes.
    *operands : Tensor or array_like
        One for each term, of one type. They are multiplied from left to right, so a
        long product is fastest with the smallest intermediate results first.

    Returns
    -------
    Tensor

    Raises
    ------
    ArgumentError
        The subscripts are not as above, or their number is not that of the operands.
    ShapeError
        An operand has another number of axes, or axes of one letter differ in size:
        unlike in NumPy and PyTorch those of size 1 are not stretched either.
    DtypeError
        Some operands are float32, others float64.
    """
    tensors = [as_tensor(operand) for operand in operands]
    check_real("einsum", **{f"operands[{i}]": t.data for i, t in enumerate(tensors)})
    shapes = [tensor.shape for tensor in tensors]
    names, output = _parse(subscripts, shapes)
    _sizes(names, shapes)
    terms = [_diagonal(*term) for term in zip(tensors, names, strict=True)]
    y, labels = terms[0]
    for i, (x, x_labels) in enumerate(terms[1:], 2):
        wanted = set(output).union(*(later for _, later in terms[i:]))
        y, labels = _contract(y, labels, x, x_labels, wanted)
    y, labels = _reduce(y, labels, set(output))
    return _arrange(y, labels, output)
