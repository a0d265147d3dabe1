"""DLPack: memory that several libraries use at a time, without a copy.

`fastdl.from_dlpack` and ``Tensor.__dlpack__`` are the two ends of the protocol. NumPy
speaks it; what is here are the rules about which memory may be shared.

Source: https://dmlc.github.io/dlpack/latest/python_spec.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fastdl.errors import ArgumentError, DtypeError, SharingError

if TYPE_CHECKING:
    from typing_extensions import CapsuleType

_CPU = (1, 0)
_READABLE = (1, 3, 11, 13)  # kinds of devices whose memory the CPU reads


class Shareable(Protocol):
    """An array of any library that can be read where it lies."""

    def __dlpack__(self, *, stream: None = None) -> CapsuleType: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...


def capsule(
    array: np.ndarray,
    max_version: tuple[int, int] | None,
    dl_device: tuple[int, int] | None,
    copy: bool | None,
) -> CapsuleType:
    """Return what another library reads an array through; see ``Tensor.__dlpack__``.

    Raises
    ------
    SharingError
        The reader could not see what the array is, and would fail or write where it
        must not.
    """
    if dl_device is not None and tuple(map(int, dl_device)) != _CPU:
        raise SharingError(f"__dlpack__: fastdl has memory of the CPU, not {dl_device}")
    if copy:
        array = array.copy()
    problem = ""
    if not array.flags.writeable:  # PyTorch would not notice
        problem = "it is read-only"
    elif min(array.strides, default=0) < 0:  # PyTorch would end the process
        problem = "an axis is reversed"
    if problem:
        raise SharingError(
            f"__dlpack__: the memory cannot be shared, for {problem}; share a copy: "
            "fastdl.Tensor(tensor.numpy().copy())"
        )
    # Readers and NumPy agree by what they leave out: 1.26 has no max_version.
    options: dict[str, Any] = (
        {} if max_version is None else {"max_version": max_version}
    )
    return array.__dlpack__(**options)


def shared(x: Shareable) -> np.ndarray:
    """Return the array of float32 or float64 that lies where another library's does.

    Raises
    ------
    ArgumentError, SharingError, DtypeError
        See `fastdl.from_dlpack`.
    """
    if isinstance(x, np.ndarray):
        array = x
    elif not hasattr(x, "__dlpack__"):
        raise ArgumentError(
            f"from_dlpack: expected an array of a library with DLPack, got {x!r:.60}; "
            "fastdl.Tensor takes lists and numbers"
        )
    else:
        try:
            if x.__dlpack_device__()[0] not in _READABLE:
                raise BufferError("it is not in the memory of the CPU; move it there")
            array = np.from_dlpack(x)
        except (BufferError, RuntimeError) as error:  # as the libraries please
            raise SharingError(f"from_dlpack: {error}") from error
    if array.dtype not in (np.float32, np.float64) or not array.dtype.isnative:
        raise DtypeError(
            f"from_dlpack: expected float32 or float64, got {array.dtype}; labels and "
            "indices are NumPy arrays: numpy.from_dlpack"
        )
    return array
