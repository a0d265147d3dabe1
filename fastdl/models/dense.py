"""Networks of dense layers; images are flattened first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastdl import nn
from fastdl.errors import ArgumentError
from fastdl.models.blocks import Norm, dense_block
from fastdl.models.registry import register


@register
def logistic(classes: int = 10) -> nn.Sequential:
    """Softmax regression; with ``classes=1`` logistic regression, from its logit."""
    return nn.Sequential(nn.Flatten(), nn.Linear(None, classes))


@register
def mlp(
    classes: int = 10,
    hidden: Sequence[int] = (128, 64),
    activation: str = "relu",
    norm: Norm = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Make a network of dense layers.

    Parameters
    ----------
    classes : int
        Number of outputs.
    hidden : sequence of int
        Units of each hidden layer.
    activation, norm, dropout
        Of each hidden layer, see `fastdl.models.dense_block`.
    """
    if not isinstance(hidden, Iterable):
        raise ArgumentError(
            f"mlp: hidden must be the units of each layer, such as (128, 64), got "
            f"{hidden!r:.60}"
        )
    model = nn.Sequential(nn.Flatten())
    for units in hidden:
        for layer in dense_block(
            units, activation=activation, norm=norm, dropout=dropout
        ):
            model.append(layer)
    return model.append(nn.Linear(None, classes))


@register
def signs_dense(classes: int = 6) -> nn.Sequential:
    """Dense layers of 25, 12 and 6 units, for hand signs of 64 x 64 pixels.

    The network of the Deep Learning Specialization (Improving Deep Neural Networks,
    week 3), with the initial weights that it has there.

    Parameters
    ----------
    classes : int
        Number of outputs.
    """
    init = "glorot_uniform"
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(None, 25, weight_init=init),
        nn.ReLU(),
        nn.Linear(25, 12, weight_init=init),
        nn.ReLU(),
        nn.Linear(12, classes, weight_init=init),
    )
