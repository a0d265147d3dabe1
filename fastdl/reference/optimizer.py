r"""One step of each optimiser, in place, over arrays of any shape.

With g the gradient and :math:`\alpha` = lr. SGD with momentum :math:`\mu` and dampening
:math:`\delta` (Polyak 1964; Sutskever et al. 2013 for Nesterov's form):

.. math::
    v \leftarrow \mu v + (1 - \delta) g, \qquad
    \theta \leftarrow \theta - \alpha v \quad
    (\text{Nesterov: } \theta - \alpha (g + \mu v))

:math:`\delta = 0` is the usual convention, :math:`\delta = \mu` the exponentially
weighted average of the gradients. RMSprop (Hinton, Coursera lecture 6e, 2012):

.. math::
    s \leftarrow \beta s + (1 - \beta) g^2, \qquad
    \theta \leftarrow \theta - \alpha g / (\sqrt s + \epsilon)

The centred form (Graves 2013) has s - m^2 for s, with the running mean m of g; with
momentum :math:`\mu` the step is :math:`v \leftarrow \mu v + g / (\sqrt s + \epsilon)`.
Adagrad (Duchi et al. 2011):

.. math::
    s \leftarrow s + g^2, \qquad
    \theta \leftarrow \theta - \alpha g / (\sqrt s + \epsilon)

Adam at step t >= 1 (Kingma and Ba 2015, algorithm 1):

.. math::
    m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
    v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
    \theta \leftarrow \theta - \alpha \,
    \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

AMSGrad (Reddi et al. 2018) has the largest v so far for v in the root.

Weight decay :math:`\lambda` adds :math:`\lambda \theta` to g (L2 regularisation).
Decoupled weight decay (AdamW; Loshchilov and Hutter 2019) multiplies :math:`\theta` by
:math:`1 - \alpha \lambda` before the step instead.

No two of the arrays may share memory: all but the gradient are written to.
"""

from __future__ import annotations

import numpy as np

from fastdl.errors import ArgumentError
from fastdl.shapes import check_apart


def _decayed(grad: np.ndarray, param: np.ndarray, weight_decay: float) -> np.ndarray:
    return grad + weight_decay * param if weight_decay else grad


def sgd_step(
    param: np.ndarray,
    grad: np.ndarray,
    velocity: np.ndarray | None,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """Update `param` and `velocity` in place by stochastic gradient descent.

    Parameters
    ----------
    param, grad
        The parameters and their gradient, of the same shape and float type.
    velocity
        The running sum of gradients, zero at first; None if `momentum` is 0.
    lr
        The learning rate.
    momentum
        The weight of the old velocity, in [0, 1).
    dampening
        1 minus the weight of the new gradient.
    nesterov
        Whether to look ahead.
    weight_decay
        The L2 coefficient.

    Raises
    ------
    ArgumentError
        For momentum without velocity, or arrays that share memory.
    """
    written = {"param": param, "velocity": velocity if momentum else None}
    check_apart("sgd_step", written, {"grad": grad})
    g = _decayed(grad, param, weight_decay)
    if momentum:
        if velocity is None:
            raise ArgumentError("sgd_step: momentum needs an array of velocities")
        velocity *= momentum
        velocity += (1 - dampening) * g
        g = g + momentum * velocity if nesterov else velocity
    param -= lr * g


def rmsprop_step(
    param: np.ndarray,
    grad: np.ndarray,
    square: np.ndarray,
    mean: np.ndarray | None = None,
    velocity: np.ndarray | None = None,
    *,
    lr: float,
    beta: float = 0.9,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> None:
    """Update `param` and its state in place by RMSprop.

    Parameters
    ----------
    param, grad
        The parameters and their gradient, of the same shape and float type.
    square
        The running mean of squared gradients, zero at first.
    mean
        The running mean of gradients, zero at first; None unless centred.
    velocity
        The running sum of steps, zero at first; None if `momentum` is 0.
    lr
        The learning rate.
    beta
        The weight of the old means, in [0, 1).
    eps
        Added to the root.
    momentum
        The weight of the old velocity, in [0, 1).
    weight_decay
        The L2 coefficient.

    Raises
    ------
    ArgumentError
        For momentum without velocity, or arrays that share memory.
    """
    written = {"param": param, "square": square, "mean": mean}
    written["velocity"] = velocity if momentum else None
    check_apart("rmsprop_step", written, {"grad": grad})
    g = _decayed(grad, param, weight_decay)
    square *= beta
    square += (1 - beta) * g * g
    variance = square
    if mean is not None:
        mean *= beta
        mean += (1 - beta) * g
        variance = np.maximum(square - mean * mean, 0)
    g = g / (np.sqrt(variance) + eps)
    if momentum:
        if velocity is None:
            raise ArgumentError("rmsprop_step: momentum needs an array of velocities")
        velocity *= momentum
        velocity += g
        g = velocity
    param -= lr * g


def adagrad_step(
    param: np.ndarray,
    grad: np.ndarray,
    square: np.ndarray,
    *,
    lr: float,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
) -> None:
    """Update `param` and `square` in place by Adagrad.

    Parameters
    ----------
    param, grad
        The parameters and their gradient, of the same shape and float type.
    square
        The sum of squared gradients, zero at first.
    lr
        The learning rate.
    eps
        Added to the root.
    weight_decay
        The L2 coefficient.

    Raises
    ------
    ArgumentError
        For arrays that share memory.
    """
    check_apart("adagrad_step", {"param": param, "square": square}, {"grad": grad})
    g = _decayed(grad, param, weight_decay)
    square += g * g
    param -= lr * g / (np.sqrt(square) + eps)


def adam_step(
    param: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    largest: np.ndarray | None = None,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    step: int,
) -> None:
    """Update `param` and its state in place by Adam, or AdamW if `decoupled`.

    Parameters
    ----------
    param, grad
        The parameters and their gradient, of the same shape and float type.
    m, v
        The running means of gradients and squared gradients, zero at first.
    largest
        The largest `v` so far, zero at first, for AMSGrad.
    lr
        The learning rate.
    beta1, beta2
        The weights of the old means, in [0, 1).
    eps
        Added to the root.
    weight_decay
        The L2 coefficient, or the strength of the decoupled decay.
    decoupled
        Whether weight decay bypasses the gradient.
    step
        The number of this step, from 1.

    Raises
    ------
    ArgumentError
        For arrays that share memory.
    """
    written = {"param": param, "m": m, "v": v, "largest": largest}
    check_apart("adam_step", written, {"grad": grad})
    if decoupled:
        param *= 1 - lr * weight_decay
        g = grad
    else:
        g = _decayed(grad, param, weight_decay)
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    m_hat = m / (1 - beta1**step)
    if largest is not None:
        np.maximum(largest, v, out=largest)
        v = largest
    v_hat = v / (1 - beta2**step)
    param -= lr * m_hat / (np.sqrt(v_hat) + eps)
