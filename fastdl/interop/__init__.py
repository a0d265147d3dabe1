"""Weights from and for other libraries."""

from fastdl import exports
from fastdl.interop.torch_state import load_torch_state as load_torch_state
from fastdl.interop.torch_state import save_torch_state as save_torch_state
from fastdl.interop.torch_state import torch_state as torch_state

exports.publish(__name__)
