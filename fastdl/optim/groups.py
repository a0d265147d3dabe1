"""Parameter groups for weight decay."""

from __future__ import annotations

from typing import Any

from fastdl.nn.module import Module
from fastdl.nn.regularization import named_weights


def decay_groups(model: Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split parameters into weights, which decay, and all others, which do not.

    ``optim.AdamW(optim.decay_groups(model, 0.01), lr=1e-3)``

    Biases and the gamma and beta of normalisation layers do not decay, see
    `fastdl.nn.named_weights`.

    Parameters
    ----------
    model : Module
        All its sizes must be known.
    weight_decay : float
        The decay of the weights, >= 0.

    Returns
    -------
    list of dict
        Groups for an optimiser: the weights with `weight_decay`, the others with 0.
        Empty groups are left out.

    Raises
    ------
    GraphError
        A size of the model is still open.
    """
    weights = [parameter for _, parameter in named_weights(model)]
    known = {id(parameter) for parameter in weights}
    others = [
        parameter for parameter in model.parameters() if id(parameter) not in known
    ]
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
