"""Batch normalisation layers."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from fastdl import functional as F
from fastdl import shards
from fastdl.autograd import Tensor, as_tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn import init
from fastdl.nn.parameter import Parameter
from fastdl.nn.registry import register
from fastdl.nn.typed import Typed
from fastdl.shapes import integer, is_positive, is_share
from fastdl.typing import DtypeLike, Shape, TensorLike


class _BatchNorm(Typed):
    """Base of both layers, which differ in the shapes they take."""

    bias: Parameter
    _parameter_names = ("weight", "bias")
    running_mean: np.ndarray
    running_var: np.ndarray
    num_batches_tracked: np.ndarray
    _shapes: ClassVar[dict[int, str]]  # by rank

    def __init__(
        self,
        num_features: int | None,
        eps: float = 1e-5,
        momentum: float = 0.1,
        dtype: DtypeLike = np.float32,
    ) -> None:
        super().__init__(dtype)
        name = type(self).__name__
        if not is_positive(eps):
            raise ArgumentError(f"{name}: eps must be positive, got {eps!r}")
        if not is_share(momentum):
            raise ArgumentError(
                f"{name}: momentum is the weight of the new value, in [0, 1]; "
                f"got {momentum!r}"
            )
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self._pending = num_features is None
        if num_features is not None:
            self._create(integer(num_features, f"{name}: num_features"))

    def _create(self, features: int) -> None:
        shape, dtype = (features,), self._initial_dtype
        self.weight = Parameter(init.constant(shape, 1.0, dtype))
        self.bias = Parameter(init.zeros(shape, dtype))
        self.register_buffer("running_mean", init.zeros(shape, dtype))
        self.register_buffer("running_var", init.constant(shape, 1.0, dtype))
        self.register_buffer("num_batches_tracked", np.array(0, np.int64))

    def _create_parameters(self, input_shape: Shape) -> None:
        self._check_rank(len(input_shape) + 1)
        self.num_features = integer(input_shape[-1], "batch_norm: channels")
        self._create(self.num_features)
        self._pending = False

    def _check_rank(self, rank: int) -> None:
        if rank not in self._shapes:
            raise ShapeError(
                f"batch_norm: {type(self).__name__} expects x of shape "
                f"{' or '.join(self._shapes.values())}; got {rank} axes"
            )

    def forward(
        self,
        x: TensorLike,
        activation: str | None = None,
        residual: TensorLike | None = None,
    ) -> Tensor:
        """Normalise each channel of x, add `residual` and apply `activation`.

        All have the shape of x; see `fastdl.functional.batch_norm`.
        """
        x = as_tensor(x)
        self._check_rank(x.ndim)
        training = self._is_training
        values = math.prod(x.shape[:-1])
        shard = shards.current()
        if shard is not None and shard.gather is not None:
            _, values = shards.spread(values)
        if training and values == 1:
            raise ShapeError(
                f"batch_norm: training needs more than one value per channel, got x of "
                f"shape {x.shape}; use larger batches (drop_last=True leaves out a "
                f"single last example), or eval() to predict"
            )
        y = F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=training,
            momentum=self.momentum,
            eps=self.eps,
            activation=activation,
            residual=residual,
        )
        if training:
            count = self.num_batches_tracked
            count += 1  # in place; the attribute stays
        return y


@register
class BatchNorm2d(_BatchNorm):
    """Normalise each channel of images over the batch and all pixels.

    ``y = (x - mean) / sqrt(var + eps) * weight + bias``. Training uses the mean and
    the biased variance of the batch (Ioffe, Szegedy 2015). Evaluation uses running
    statistics, so that a single example can be predicted; a frozen layer always does.
    The preceding layer needs no bias.

    Parameters
    ----------
    num_features : int or None
        Channels; None takes them from the first input.
    eps : float
        Added to the variance; positive.
    momentum : float
        Weight of the new value in the running statistics, in [0, 1]:
        ``running = (1 - momentum) * running + momentum * batch``, as in PyTorch. The
        course's beta and Keras's momentum are the weight of the old value: 0.1 here is
        0.9 there, an average over about 1 / momentum = 10 batches.
    dtype : numpy.dtype
        Of the parameters and of x: float32 or float64.

    Attributes
    ----------
    weight, bias : Parameter
        (num_features,): gamma and beta of the paper. weight = sqrt(var + eps) and
        bias = mean make the layer the identity.
    running_mean, running_var, num_batches_tracked : ndarray
        Buffers, saved with the parameters.

    Raises
    ------
    ShapeError
        In training, a channel has only one value and therefore no variance.
    """

    _takes_pictures = True
    _shapes: ClassVar = {4: "(n, h, w, c)"}


@register
class BatchNorm1d(_BatchNorm):
    """Normalise each feature of rows (n, c), or of sequences (n, length, c).

    Parameters
    ----------
    num_features, eps, momentum
        As in `BatchNorm2d`, like everything else.
    """

    _shapes: ClassVar = {2: "(n, c)", 3: "(n, length, c)"}
