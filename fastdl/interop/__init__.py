"""Models and weights from and for other libraries."""

from fastdl import exports
from fastdl.interop.onnx.export import export_onnx as export_onnx
from fastdl.interop.onnx.load import OnnxModel as OnnxModel
from fastdl.interop.onnx.load import load_onnx as load_onnx
from fastdl.interop.torch_state import load_torch_state as load_torch_state
from fastdl.interop.torch_state import save_torch_state as save_torch_state
from fastdl.interop.torch_state import torch_state as torch_state

exports.publish(__name__)
