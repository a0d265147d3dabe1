"""Networks of dense layers; images are flattened first."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import nn
from fastdl.models.registry import register


@register
def logistic(classes: int = 10) -> nn.Sequential:
    """Softmax regression; with ``classes=1`` logistic regression, from its logit."""
    return nn.Sequential(nn.Flatten(), nn.Linear(None, classes))


@register
def mlp(classes: int = 10, hidden: Sequence[int] = (128, 64)) -> nn.Sequential:
    """Make a network of ReLU layers.

    Parameters
    ----------
    classes : int
        Number of outputs.
    hidden : sequence of int
        Units of each hidden layer.
    """
    model = nn.Sequential(nn.Flatten())
    for units in hidden:
        model.append(nn.Linear(None, units)).append(nn.ReLU())
    return model.append(nn.Linear(None, classes))
