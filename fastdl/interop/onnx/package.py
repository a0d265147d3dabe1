"""The package onnx, an extra."""

from __future__ import annotations

from types import ModuleType

from fastdl.errors import FastdlError


def import_onnx() -> ModuleType:
    """Return the package; FastdlError says how to install it."""
    try:
        import onnx
    except ImportError:
        raise FastdlError(
            'ONNX files need the package onnx: pip install "fastdl-cpu[onnx]"'
        ) from None
    return onnx
