"""Sizes of the transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl.errors import ShapeError
from fastdl.shapes.arguments import PaddingLike, integer, padding2d, pair, sizes
from fastdl.shapes.images import check_images, conv2d
from fastdl.shapes.remember import remember


@remember
def conv_transpose2d(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: PaddingLike = 0,
    output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    operation: str = "conv_transpose2d",
) -> tuple[int, int, int, int]:
    """Return the shape of the result of a transposed convolution, after checking it.

    Along each axis it has (size - 1) * stride - padding + window + output_padding
    pixels, with window = dilation * (kernel - 1) + 1: a convolution of that image with
    the same options gives an image of the size of x.

    Parameters
    ----------
    x_shape
        (n, h, w, c); n may be 0.
    weight_shape
        (kh, kw, oc / groups, c).
    stride, dilation
        An integer >= 1 or a pair of them (vertical, horizontal).
    padding
        See `padding2d`, but not "same": cut off at the edges of the result.
    output_padding
        An integer >= 0 or a pair of them, below the stride: rows and columns more at
        the bottom and right, of the sizes that the convolution makes equal.
    groups
        Divides c and oc.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When anything does not fit, or an array would be larger than any memory.
    """
    n, h, w, c = check_images(operation, sizes(operation, "x", x_shape))
    weight_shape = sizes(operation, "weight", weight_shape)
    if len(weight_shape) != 4 or min(weight_shape) < 1:
        raise ShapeError(
            f"{operation}: expected weight of shape (kh, kw, oc / groups, c), "
            f"got {weight_shape}"
        )
    kh, kw, group_oc, channels = weight_shape
    if channels != c:
        hint = ""
        if weight_shape[0] == c:
            hint = (
                "; weight seems to be (c, oc, kh, kw), fastdl stores (kh, kw, oc, c): "
                "use weight.transpose(2, 3, 1, 0)"
            )
        raise ShapeError(
            f"{operation}: x of shape {x_shape} has {c} channels, but weight of shape "
            f"{weight_shape} takes {channels}{hint}"
        )
    groups = integer(groups, f"{operation}: groups")
    stride = pair(stride, f"{operation}: stride")
    dilation = pair(dilation, f"{operation}: dilation")
    more = pair(output_padding, f"{operation}: output_padding", 0)
    sides = padding2d(padding, operation)
    if sides == "valid":
        sides = ((0, 0), (0, 0))
    if isinstance(sides, str):
        raise ShapeError(
            f'{operation}: padding="same" has no meaning here; give the pixels that '
            "are cut off at each edge"
        )
    if more[0] >= stride[0] or more[1] >= stride[1]:
        raise ShapeError(
            f"{operation}: output_padding must be smaller than the stride {stride}, "
            f"got {more}"
        )
    oh, ow = (
        (size - 1) * step - sum(cut) + spread * (kernel - 1) + 1 + extra
        for size, kernel, step, spread, cut, extra in zip(
            (h, w), (kh, kw), stride, dilation, sides, more, strict=True
        )
    )
    if min(oh, ow) < 1:
        raise ShapeError(
            f"{operation}: of images of {h} x {w} pixels a result of {oh} x {ow} would "
            "be left; use less padding, or a larger kernel or stride"
        )
    result = (n, oh, ow, group_oc * groups)
    conv2d(result, weight_shape, stride, sides, dilation, groups, operation)
    return result
