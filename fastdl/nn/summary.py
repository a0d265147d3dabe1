"""A table of a model: layers, output shapes, parameters, multiply-adds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastdl.errors import ShapeError
from fastdl.structure import (
    Structure,
    example_shapes,
    leaves,
    map_shapes,
    named_leaves,
)
from fastdl.typing import ShapesLike

if TYPE_CHECKING:
    from fastdl.nn.module import Module


@dataclass
class Row:
    """One line of the table."""

    layer: str
    output: Structure  # a shape, or a tuple or dict of them
    parameters: int
    multiply_adds: int


def summary(model: Module, input_shape: ShapesLike | None = None) -> str:
    """Return a table of what an example passes through, ready to print.

    An activation is on the line of the layer it follows. Parameters that are used twice
    count the first time.

    Parameters
    ----------
    model : Module
        Any module; open sizes are inferred.
    input_shape : sequence of int, or tuple or dict of them, optional
        The shape of one example; by default the one given to `fastdl.nn.Module.build`.

    Returns
    -------
    str
        One line for each layer, then the totals.

    Raises
    ------
    ShapeError
        The shape does not fit, or no shape is known.
    """
    shape = _shape(model, input_shape)
    wrapped = map_shapes(lambda each: [each], shape)  # a list is no structure
    inputs = [Row(name, each, 0, 0) for name, [each] in named_leaves(wrapped, "input")]
    return _table(model, [*inputs, *layers(model, shape)])


def layers(model: Module, input_shape: ShapesLike | None = None) -> list[Row]:
    """Run an example through the model, and describe each layer that it passes.

    Parameters and errors as in `summary`.
    """
    shape = _shape(model, input_shape)
    names = {id(module): name for name, module in model.named_modules()}
    rows: list[Row] = []
    counted: set[int] = set()

    def note(module: Module, inputs: tuple, output: Any) -> None:
        if module._is_activation and rows:
            rows[-1].layer += f" + {_heading(module)}"
            return
        own = [
            parameter
            for _, parameter in module._own_parameters()
            if id(parameter) not in counted
        ]
        counted.update(map(id, own))
        made = example_shapes(output)
        rows.append(
            Row(
                f"{names[id(module)]} {_heading(module)}".strip(),
                made,
                sum(parameter.size for parameter in own),
                module.multiply_adds(made),
            )
        )

    with ExitStack() as stack:
        for module in model.modules():
            is_leaf = not _holds_any(module.children())
            if is_leaf or module._pending or _holds_any(module._own_parameters()):
                stack.callback(module.register_forward_hook(note).remove)
        model.build(shape)
    return rows


def _shape(model: Module, given: ShapesLike | None) -> ShapesLike:
    shape = model.input_shape if given is None else given
    if shape is None:
        raise ShapeError("summary: give input_shape, the shape of one example")
    return shape


def _holds_any(things: Iterator[object]) -> bool:
    return any(True for _ in things)  # not any(things): an empty Sequential is false


def _heading(module: Module) -> str:
    if _holds_any(module.children()):
        return type(module).__name__
    return repr(module).removesuffix("()")


def _table(model: Module, rows: list[Row]) -> str:
    cells = [
        (row.layer, _text(row.output), f"{row.parameters:,}", f"{row.multiply_adds:,}")
        for row in rows
    ]
    cells.insert(0, ("layer", "output", "parameters", "multiply-adds"))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        f"{layer:<{widths[0]}}  {output:<{widths[1]}}  "
        f"{parameters:>{widths[2]}}  {multiply_adds:>{widths[3]}}"
        for layer, output, parameters, multiply_adds in cells
    ]
    rule = "-" * len(lines[0])
    everything = list(model.parameters())
    total = sum(parameter.size for parameter in everything)
    trained = sum(parameter.size for parameter in everything if parameter.requires_grad)
    work = sum(row.multiply_adds for row in rows)
    return "\n".join(
        [
            lines[0],
            rule,
            *lines[1:],
            rule,
            f"{total:,} parameters ({trained:,} trainable), {work:,} multiply-adds "
            f"for one example",
        ]
    )


def _text(shapes: Structure) -> str:
    texts = map_shapes(lambda shape: "x".join(map(str, shape)) or "1", shapes)
    return ", ".join(leaves(texts))
