"""All operations that have a form in ONNX, and what is said of the others."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl.errors import GraphError
from fastdl.interop.onnx.elementwise import ELEMENTWISE
from fastdl.interop.onnx.graph import Graph, Value
from fastdl.interop.onnx.images import IMAGES
from fastdl.interop.onnx.shaping import SHAPING
from fastdl.interop.onnx.trace import Step

_OPERATIONS = ELEMENTWISE | IMAGES | SHAPING
_RANDOM = ("dropout", "drop_parts")


def emit(g: Graph, step: Step, operands: Sequence[Value | None]) -> Value:
    """Add a step to the graph, and return its value."""
    return _OPERATIONS[step.operation](g, step, *operands)


def check_known(operation: str) -> None:
    """Raise GraphError if there is no form of an operation in ONNX."""
    if operation not in _OPERATIONS:
        raise GraphError(f"export_onnx: {_why_not(operation)}")


def _why_not(operation: str) -> str:
    if operation in _RANDOM:
        return (
            f"{operation} draws random numbers in evaluation too; call it with "
            f"training=self.training"
        )
    if operation == "batch_norm":
        return (
            "batch_norm uses the statistics of the batch in evaluation too; call it "
            "with training=self.training"
        )
    if "loss" in operation or "cross_entropy" in operation or "penalty" in operation:
        return f"{operation} is for training; export the network without it"
    return f"there is no form of {operation} in the graph"
