"""Models as ONNX files."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fastdl import __version__
from fastdl.autograd import no_grad
from fastdl.errors import GraphError
from fastdl.files import as_path, check_writable, replaced
from fastdl.interop.onnx.graph import Graph, Value, natural, rows_of
from fastdl.interop.onnx.load import from_proto
from fastdl.interop.onnx.operations import check_known, emit
from fastdl.interop.onnx.package import import_onnx
from fastdl.interop.onnx.trace import CONSTANT, INPUT, Program, Step, traced
from fastdl.nn import Module
from fastdl.nn.module import check_module, run
from fastdl.structure import Structure, leaves, map_shapes
from fastdl.typing import Shape, ShapesLike, StrPath

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

OPSET = 20  # the first with Gelu
_IR_VERSION = 9  # its own, so that runtimes of that time read the files too
_BATCH = "batch"
_SAME = 1e-3  # of the largest; what is rounded otherwise differs by much less
# What leaves the features of rows where they are.
_PER_FEATURE = ("activation", "batch_norm_inference", "clamp", "prelu")


def export_onnx(
    model: Module, path: StrPath, input_shape: ShapesLike | None = None
) -> None:
    """Write a model as an ONNX file, for other programs to run.

    ::

        interop.export_onnx(model, "model.onnx", (28, 28, 1))

        session = onnxruntime.InferenceSession("model.onnx")
        (logits,) = session.run(None, {"input": x})  # (n, 28, 28, 1), any n

    The graph is that of evaluation. It takes and gives arrays as the model does,
    pictures as (n, h, w, c); inside they are (n, c, h, w), as ONNX has them, between a
    transposition at each end, and the weights are stored in that order. The size of the
    batch is open. One input is called "input", those of a tuple "input_0", "input_1",
    ..., those of a dict by its keys; outputs alike, "output".

    Operations are found by running the model, so any ``forward`` can be exported that
    computes with tensors, and nothing else, from its inputs.

    Parameters
    ----------
    model : Module
        It stays as it is; sizes that were open are inferred.
    path : path
        Replaced as a whole or not at all.
    input_shape : sequence of int, or tuple or dict of them
        The shape of one example, as `fastdl.nn.Module.build` takes it; by default that
        for which the model was built.

    Raises
    ------
    GraphError
        The model was not built and there is no `input_shape`; an operation has no form
        in ONNX; or what is computed depends on values or on the size of the batch in a
        way that a graph cannot say.
    FastdlError
        The package onnx is missing: it is an extra, ``fastdl-cpu[onnx]``.
    OSError
        The file cannot be written.
    """
    check_module(model, "export_onnx")
    check_writable(as_path(path, "export_onnx"))
    data = onnx_model(model, input_shape).SerializeToString()
    with replaced(path) as file:
        file.write(data)


def onnx_model(model: Module, input_shape: ShapesLike | None = None) -> ModelProto:
    """Return the checked model that `export_onnx` writes."""
    onnx = import_onnx()
    if input_shape is not None:
        model.build(input_shape)
    if model.input_shape is None:
        raise GraphError("export_onnx: give input_shape, the shape of one example")
    program = traced(model, model.input_shape)
    inputs = dict(_named(_like(model.input_shape, program.inputs), "input"))
    outputs = dict(_named(program.outputs, "output", inputs))
    graph = _graph(program, inputs, outputs)
    described = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="fastdl",
        producer_version=__version__,
    )
    if model.class_names is not None:
        names = json.dumps(list(model.class_names))
        onnx.helper.set_model_props(described, {"class_names": names})
    onnx.checker.check_model(described, full_check=True)
    _check_same(model, described)
    return described


def _check_same(model: Module, described: ModelProto) -> None:
    """Raise GraphError unless the graph computes what the model does."""
    rng, dtype = np.random.default_rng(1), model._dtype()
    x = map_shapes(
        lambda shape: rng.random((2, *shape)).astype(dtype), model.input_shape
    )
    with no_grad(), model.mode(training=False), np.errstate(all="ignore"):
        expected = leaves(run(model, x))
        got = leaves(from_proto(described, "the graph")(*leaves(x)))
    for ours, theirs in zip(expected, got, strict=True):
        numbers = ours.data[np.isfinite(ours.data)]
        largest = np.abs(numbers).max(initial=0)
        if not np.allclose(ours, theirs, 0, _SAME * largest, equal_nan=True):
            raise GraphError(
                "export_onnx: the graph computes something else than the model: its "
                "forward uses numbers that the tape does not see, such as those of a "
                "tensor that is neither an attribute of the model nor made in forward"
            )


def _like(shapes: Structure, numbers: Iterable[int]) -> Structure:
    """Return numbers in the places of shapes."""
    rest = iter(numbers)
    return map_shapes(lambda _: next(rest), shapes)


def _named(
    structure: Structure, name: str, taken: Container[str] = ()
) -> Iterator[tuple[str, int]]:
    """Yield (name, number) of each input or output; see `export_onnx`."""
    if isinstance(structure, tuple):
        parts = {f"{name}_{i}": part for i, part in enumerate(structure)}
    elif isinstance(structure, Mapping):
        nested = name not in ("input", "output")
        parts = {f"{name}_{k}" if nested else k: v for k, v in structure.items()}
    else:
        yield (f"{name}_output" if name in taken else name), structure
        return
    for key, part in parts.items():
        yield from _named(part, key, taken)


def _graph(
    program: Program, inputs: Mapping[str, int], outputs: Mapping[str, int]
) -> GraphProto:
    from onnx import helper

    g = Graph(list(inputs), [*inputs, *outputs])
    names = {number: name for name, number in inputs.items()}
    values: dict[int, Value] = {}
    steps = _with_wishes(program.steps)
    needed = sorted(_needed(steps, outputs.values()) | names.keys())
    for number in needed:
        if steps[number].operation not in (CONSTANT, INPUT):
            check_known(steps[number].operation)
    for number in needed:
        step = steps[number]
        if step.operation == CONSTANT:
            values[number] = _constant(step)
        elif step.operation == INPUT:
            values[number] = Value(names[number], step.shape, natural(len(step.shape)))
        else:
            operands = [None if n is None else values[n] for n in step.inputs]
            values[number] = emit(g, step, operands)
    g.finish({name: values[number] for name, number in outputs.items()})
    return helper.make_graph(
        g.nodes,
        "fastdl",
        [_info(name, steps[number]) for name, number in inputs.items()],
        [_info(name, steps[number]) for name, number in outputs.items()],
        list(g.constants.values()),
    )


def _constant(step: Step) -> Value:
    if step.array is None:
        raise GraphError(
            f"export_onnx: forward makes a constant of shape {step.sizes} from the "
            f"values of the input, or from the size of the batch; compute it by "
            f"operations on tensors, so that the graph has them too"
        )
    return Value(step.name, step.shape, natural(len(step.shape)), step.array)


def _needed(steps: Sequence[Step], outputs: Iterable[int]) -> set[int]:
    """Return the numbers of all steps that the outputs depend on."""
    needed: set[int] = set()
    waiting = list(outputs)
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += [n for n in steps[number].inputs if n is not None]
    return needed


def _with_wishes(steps: Sequence[Step]) -> list[Step]:
    """Tell dense layers in which order rows are needed that become pictures."""
    wishes: dict[int, Shape | None] = {}
    told = []
    for number, step in reversed(list(enumerate(steps))):
        first = step.inputs[0] if step.inputs else None
        if first is not None and len(steps[first].shape) == 2:
            if step.operation == "reshape" and len(step.shape) == 4:
                wishes[first] = rows_of(step.shape[1:]).order
            elif step.operation in _PER_FEATURE:
                wishes[first] = wishes.get(number)
        told.append(replace(step, wanted=wishes.get(number)))
    return told[::-1]


def _info(name: str, step: Step) -> ValueInfoProto:
    """Describe an input or output, whose number of examples is open."""
    from onnx import helper

    sizes = [_BATCH if size == -1 else size for size in step.shape]
    kind = helper.np_dtype_to_tensor_dtype(step.dtype)
    return helper.make_tensor_value_info(name, kind, sizes)
