"""Parameter groups: for weight decay, and for learning rates by depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastdl.errors import ArgumentError
from fastdl.nn import ModuleList, Sequential
from fastdl.nn.module import Module, check_module
from fastdl.nn.parameter import Parameter
from fastdl.nn.regularization import named_weights
from fastdl.shapes import is_positive


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
    check_module(model, "decay_groups")
    return _decaying(list(model.parameters()), _weights(model), weight_decay)


def depth_groups(
    model: Module,
    lr: float,
    layer_decay: float = 1 / 2.6,
    weight_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Give each layer a learning rate by its depth: the later, the higher.

    For a network that was trained before: its first layers need to change less than the
    last ones, whose features are those of the old task (Howard, Ruder 2018, "Universal
    language model fine-tuning", discriminative fine-tuning). ::

        optim.SGD(optim.depth_groups(model, lr=0.01), momentum=0.9)

    The layers are those of the model and of each `Sequential` or `ModuleList` in it, in
    order; another module, such as a residual block, counts as one. A normalisation is
    of the depth of the layer before it.

    Parameters
    ----------
    model : Module
        All its sizes must be known.
    lr : float
        The rate of the last layer, the head.
    layer_decay : float
        In (0, 1]: the rate of a layer is that of the next one times this. By default
        1 / 2.6, as in the paper, for a few layers; 0.65 to 0.9 are usual for many.
    weight_decay : float, optional
        The decay of the weights, as in `decay_groups`; by default that of the
        optimiser, for all parameters.

    Returns
    -------
    list of dict
        Groups for an optimiser. The last layer comes first: a schedule sets the rate of
        the first group, and the others keep their ratio to it.

    Raises
    ------
    ArgumentError
        layer_decay is not in (0, 1], or lr is not positive.
    GraphError
        A size of the model is still open.
    """
    check_module(model, "depth_groups")
    if not is_positive(lr):
        raise ArgumentError(f"depth_groups: lr must be positive, got {lr!r:.60}")
    if not (is_positive(layer_decay) and layer_decay <= 1):
        raise ArgumentError(
            f"depth_groups: layer_decay is a number in (0, 1], got {layer_decay!r}"
        )
    weights = _weights(model)
    groups: list[dict[str, Any]] = []
    for height, parameters in enumerate(reversed(_depths(model, weights))):
        rate = lr * layer_decay**height
        own: list[dict[str, Any]] = [{"params": parameters}]
        if weight_decay is not None:
            own = _decaying(parameters, weights, weight_decay)
        groups += ({**group, "lr": rate} for group in own)
    return groups


def _weights(model: Module) -> set[int]:
    """Return the ids of the parameters that decay."""
    return {id(parameter) for _, parameter in named_weights(model)}


def _decaying(
    parameters: Sequence[Parameter], weights: set[int], weight_decay: float
) -> list[dict[str, Any]]:
    """Split parameters into a group that decays and one that does not."""
    groups = [
        {
            "params": [p for p in parameters if (id(p) in weights) == decays],
            "weight_decay": weight_decay if decays else 0.0,
        }
        for decays in (True, False)
    ]
    return [group for group in groups if group["params"]]


def _depths(model: Module, weights: set[int]) -> list[list[Parameter]]:
    """Return the parameters of each depth, the first layer first."""
    depths: list[list[Parameter]] = []
    seen: set[int] = set()
    for member in _chain(model):
        found = [member] if isinstance(member, Parameter) else member.parameters()
        own = [parameter for parameter in found if id(parameter) not in seen]
        seen.update(map(id, own))
        if not depths or not weights.isdisjoint(map(id, own)):
            depths.append([])
        depths[-1] += own
    return [depth for depth in depths if depth]


def _chain(module: Module) -> Iterator[Module | Parameter]:
    """Yield what a module consists of, in order; chains inside it member by member."""
    for _, member in module._members():
        if isinstance(member, (Sequential, ModuleList)):
            yield from _chain(member)
        else:
            yield member
