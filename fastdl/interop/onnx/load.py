"""Models from ONNX files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.autograd import Tensor, as_tensor
from fastdl.errors import ArgumentError, DataError
from fastdl.files import as_path, parse_json, read_file, reading
from fastdl.interop.onnx.package import import_onnx
from fastdl.interop.onnx.run import (
    ELEMENTWISE,
    PICTURES,
    PRODUCTS,
    Laid,
    Operand,
    Operator,
    laid,
)
from fastdl.interop.onnx.run_images import FILTERS, IMAGES
from fastdl.interop.onnx.run_shaping import ON_INTEGERS, SHAPING
from fastdl.nn import Module, Parameter
from fastdl.typing import Shape, StrPath, TensorLike

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

_OPERATORS = ELEMENTWISE | IMAGES | PRODUCTS | SHAPING
_OLDEST = 13  # since then axes are inputs, and Softmax is over one axis
# By operator: which of its inputs are trained where they are stored in the file.
_TRAINED = {
    "BatchNormalization": (1, 2),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
}


def load_onnx(path: StrPath, channels_last: bool = False) -> OnnxModel:
    """Read an ONNX file as a model.

    ::

        model = interop.load_onnx("model.onnx")
        model(x)  # as onnxruntime computes it

    It reads what `export_onnx` writes, and files of others that consist of operators
    that fastdl has. Weights of layers become parameters under their names in the file,
    so the model can be trained on; all else is constant.

    Parameters
    ----------
    path : path
        A file of opset 13 or later.
    channels_last : bool
        Whether the model takes and gives pictures as (n, h, w, c), like all others
        here, although the file has them as (n, c, h, w). Files of `export_onnx` have
        them as (n, h, w, c) already; give False.

    Returns
    -------
    OnnxModel
        In evaluation mode. Several inputs are given in order or by name; several
        outputs come as a dict.

    Raises
    ------
    DataError
        The file is missing, damaged, or older than opset 13; or it has operators, or
        forms of them, that fastdl has not. The message names them.
    FastdlError
        The package onnx is missing: it is an extra, ``fastdl-cpu[onnx]``.
    """
    path = as_path(path, "load_onnx")
    onnx = import_onnx()
    with reading(path, "as an ONNX model"):
        described = onnx.load_model_from_string(read_file(path))
        _load_outside(described, path.parent)
        onnx.checker.check_model(described)
        return from_proto(described, str(path), channels_last)


def _load_outside(described: ModelProto, folder: Path) -> None:
    """Load the constants that are in files beside the model, and nowhere else."""
    from onnx import external_data_helper as outside

    graph = described.graph
    values = [attribute.t for node in graph.node for attribute in node.attribute]
    for tensor in filter(outside.uses_external_data, [*graph.initializer, *values]):
        where = {each.key: each.value for each in tensor.external_data}
        name = where.get("location", "")
        file = (folder / name).resolve()
        if not file.is_relative_to(folder.resolve()) or not file.is_file():
            raise DataError(f"there is no file {name!r:.80} in the folder of the model")
        outside.load_external_data_for_tensor(tensor, str(folder))
        tensor.data_location = tensor.DEFAULT


def from_proto(
    described: ModelProto, source: str, channels_last: bool = False
) -> OnnxModel:
    """Make the model of a checked ModelProto, see `load_onnx`."""
    from onnx import numpy_helper

    _check_version(described, source)
    graph = described.graph
    operators = [_operator(node) for node in graph.node]
    unknown = {each.kind for each in operators} - _OPERATORS.keys() - {"Constant"}
    if unknown:
        raise DataError(
            f"{source} has operators that fastdl has not: {', '.join(sorted(unknown))}"
        )
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    given = [each for each in operators if each.kind == "Constant"]
    constants |= {each.outputs[0]: _constant(each) for each in given}
    operators = [each for each in operators if each.kind != "Constant"]
    inputs = [x.name for x in graph.input if x.name not in constants]
    model = OnnxModel(
        _Graph(operators, inputs, [y.name for y in graph.output], channels_last),
        constants,
        _trained(operators, constants, described.producer_name == "fastdl"),
    )
    shapes = {x.name: _shape(x) for x in graph.input if x.name not in constants}
    if channels_last:
        shapes = {k: (*s[1:], s[0]) if len(s) == 3 else s for k, s in shapes.items()}
    if all(size > 0 for shape in shapes.values() for size in shape):
        (model.input_shape,) = shapes.values() if len(shapes) == 1 else (shapes,)
    for each in described.metadata_props:
        if each.key == "class_names":
            model.class_names = _class_names(each.value, source)
    return model.eval()


def _check_version(described: ModelProto, source: str) -> None:
    versions = {
        each.domain or "ai.onnx": each.version for each in described.opset_import
    }
    if versions.get("ai.onnx", 0) < _OLDEST:
        raise DataError(
            f"{source} has opset {versions.get('ai.onnx')}; {_OLDEST} and later are "
            f"read: convert it by onnx.version_converter.convert_version(model, 18)"
        )


def _operator(node: Any) -> Operator:
    from onnx import helper

    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    for name, value in attributes.items():
        if isinstance(value, bytes):
            attributes[name] = value.decode()
    kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    return Operator(
        kind.removeprefix("ai.onnx."), tuple(node.input), tuple(node.output), attributes
    )


def _constant(op: Operator) -> np.ndarray:
    from onnx import numpy_helper

    ((kind, value),) = op.attributes.items()
    if kind == "value":
        return numpy_helper.to_array(value)
    if kind in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    if kind in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    raise op.refuse(kind)


def _shape(value: ValueInfoProto) -> Shape:
    """Return the shape of an example, 0 for a size that is open."""
    return tuple(size.dim_value for size in value.type.tensor_type.shape.dim[1:])


def _class_names(text: str, source: str) -> tuple[str, ...] | None:
    names = parse_json(text, f"{source}: class_names")
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_list else None


def _trained(
    operators: Iterable[Operator], constants: Mapping[str, np.ndarray], ours: bool
) -> dict[str, Shape]:
    """Return the names of the parameters, and which axis in ONNX each of theirs is."""
    axes: dict[str, Shape] = {}
    for op in operators:
        for place in _TRAINED.get(op.kind, ()):
            name = op.inputs[place] if place < len(op.inputs) else ""
            if name in constants and constants[name].dtype.kind == "f":
                axes.setdefault(name, _axes_of(op, place, constants[name].ndim))
    if ours:  # which says by the name what is a parameter
        for name, array in constants.items():
            axes.setdefault(name, tuple(range(array.ndim)))
        axes = {k: v for k, v in axes.items() if not k.startswith("constant")}
    return axes


def _axes_of(op: Operator, place: int, rank: int) -> Shape:
    """Return the order of axes in which our operation takes a weight."""
    if place == 1 and op.kind in ("Conv", "ConvTranspose") and rank == 4:
        return FILTERS
    if place == 1 and op.kind == "Gemm" and op.attributes.get("transB"):
        return 1, 0
    return tuple(range(rank))


@dataclass(frozen=True)
class _Graph:
    """The operators in order, the names of inputs and outputs, and how pictures lie."""

    operators: list[Operator]
    inputs: list[str]
    outputs: list[str]
    channels_last: bool

    @cached_property
    def last_use(self) -> dict[str, int]:
        """Which operator is the last to take each value."""
        return {name: i for i, op in enumerate(self.operators) for name in op.inputs}


class OnnxModel(Module):
    """The graph of an ONNX file; `load_onnx` makes it."""

    def __init__(
        self,
        graph: _Graph,
        constants: Mapping[str, np.ndarray],
        trained: dict[str, Shape],
    ) -> None:
        self._graph = graph
        self._integers: dict[str, np.ndarray] = {}
        self._axes = {name: tuple(range(x.ndim)) for name, x in constants.items()}
        self._axes |= trained
        for name, array in constants.items():
            if array.dtype.kind != "f":
                self._integers[name] = array
                continue
            if hasattr(self, name):  # of a module, or of this one
                raise DataError(f"load_onnx: a constant cannot have the name {name!r}")
            values = np.array(array.transpose(self._axes[name]), order="C")
            if name in trained:
                setattr(self, name, Parameter(values))
            else:
                self.register_buffer(name, values)

    def forward(
        self, *inputs: TensorLike, **named: TensorLike
    ) -> Tensor | dict[str, Tensor]:
        """Run the graph on inputs given in order, or by name."""
        graph = self._graph
        given = dict(zip(graph.inputs, inputs, strict=False)) | named
        if given.keys() != set(graph.inputs) or len(inputs) > len(graph.inputs):
            raise ArgumentError(
                f"OnnxModel: expected the inputs {', '.join(graph.inputs)}, got "
                f"{len(inputs)} and {', '.join(named) or 'none by name'}"
            )
        values: dict[str, Any] = {name: self._taken(x) for name, x in given.items()}
        for name, axes in self._axes.items():
            values[name] = self._integers.get(name)
            if values[name] is None:
                values[name] = Laid(as_tensor(getattr(self, name)), axes)
        for number, op in enumerate(graph.operators):
            results = self._run(op, [values.get(name) for name in op.inputs])
            values.update(zip(op.outputs, results, strict=False))
            for name in op.inputs:
                if graph.last_use[name] == number and name not in graph.outputs:
                    values.pop(name, None)  # its memory goes back
        outputs = {name: self._given(values[name]) for name in graph.outputs}
        return outputs if len(outputs) > 1 else outputs[graph.outputs[0]]

    def _run(self, op: Operator, operands: list[Operand]) -> tuple[Operand, ...]:
        integers = all(
            each is None or isinstance(each, np.ndarray) for each in operands
        )
        run = ON_INTEGERS.get(op.kind) if integers else None
        if self._is_training and op.kind == "BatchNormalization":
            op = op._replace(training=True)
        result = (run or _OPERATORS[op.kind])(op, *operands)
        is_one = isinstance(result, (Laid, np.ndarray))
        return (result,) if is_one else result

    def _taken(self, x: TensorLike) -> Laid:
        tensor = as_tensor(x)
        if self._graph.channels_last and tensor.ndim == 4:
            return Laid(tensor, PICTURES)
        return laid(tensor)

    def _given(self, y: Operand) -> Any:
        if not isinstance(y, Laid):
            return y
        is_picture = self._graph.channels_last and y.rank == 4
        return y.along(PICTURES) if is_picture else y.natural
