"""Mistakes that training would not complain about, found before the first step."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np

from fastdl.errors import ArgumentError
from fastdl.nn import Module, Sigmoid, Softmax
from fastdl.nn.parameter import Parameter
from fastdl.nn.tree import label
from fastdl.optim import Optimizer
from fastdl.structure import Structure, is_several


def check_optimizer(model: Module, optimizer: Optimizer, maker: object) -> None:
    """Refuse an optimiser of another model, and warn of one that is out of date.

    Parameters
    ----------
    model : Module
        All its sizes are known.
    optimizer : Optimizer
        It need not train the whole model.
    maker : object
        What made it. A class, or a partial of one, was given all parameters.

    Raises
    ------
    ArgumentError
        It has no parameter of the model, or all of the model's are frozen.
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ArgumentError(
            "fit: there is nothing to train: all parameters of the model are frozen, "
            "or it has none; see unfreeze()"
        )
    own = {id(parameter) for parameter in model.parameters()}
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if own and own.isdisjoint(given):
        raise ArgumentError(
            "fit: the optimiser has no parameter of this model; make it from "
            "model.parameters(), and copy both in one go: "
            "copy.deepcopy((model, optimizer))"
        )
    left_out = [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and id(parameter) not in given
    ]
    was_whole = not given <= own or isinstance(maker, (type, partial))
    if left_out and was_whole:
        warnings.warn(
            f"fit: '{left_out[0]}' came into the model after the optimiser was made, "
            f"and is not trained; make a new Trainer, or a new optimiser",
            stacklevel=5,
        )


def check_learned_weights(optimizer: Optimizer, learned: Iterable[Parameter]) -> None:
    """Refuse an optimiser without the weights that the loss of several tasks learns."""
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if any(id(parameter) not in given for parameter in learned):
        raise ArgumentError(
            "fit: the loss learns how much each task counts, but the optimiser does "
            "not have its parameters; make it from [*model.parameters(), "
            "*loss.parameters()], or give the class, such as optim.Adam"
        )


def warn_of_probabilities(end: str, loss: object) -> None:
    """Warn when the model ends in probabilities, but its loss takes logits.

    Parameters
    ----------
    end : str
        What makes them probabilities, from `probabilities`.
    loss : callable
        It is known to take logits if it says what it `applies` to them.
    """
    applied = getattr(loss, "applies", None)
    if applied is None:
        return
    warnings.warn(
        f"fit: in evaluation the model ends with {end}, but {type(loss).__name__} "
        f"takes logits and applies the {applied} itself: evaluate and val_loss measure "
        f"a wrong loss, and if it ends so in training too, learning is slow and stops "
        f"early. Take it out of the model; predict(probabilities=True) gives "
        f"probabilities",
        stacklevel=5,
    )


@contextmanager
def watched(model: Module) -> Iterator[list[tuple[Module, object]]]:
    """Yield a list that gathers each softmax and sigmoid that runs, and its output."""
    seen: list[tuple[Module, object]] = []
    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, (Softmax, Sigmoid)):
                handle = module.register_forward_hook(
                    lambda module, _, output: seen.append((module, output))
                )
                stack.callback(handle.remove)
        yield seen


def probabilities(
    model: Module, outputs: Structure, seen: Sequence[tuple[Module, object]]
) -> str | None:
    """Say what makes the model's outputs probabilities; None if they are not.

    Parameters
    ----------
    model : Module
        After a run in evaluation mode.
    outputs : Tensor, or tuple or dict of them
        Its outputs for a batch.
    seen : sequence
        What `watched` gathered meanwhile.
    """
    names = {id(module): name for name, module in model.named_modules()}
    for module, its_output in seen:
        # Layers after it, such as dropout in evaluation, may return their input.
        if its_output is outputs:
            return label(names[id(module)], module)
    if not is_several(outputs) and _are_distributions(outputs.data):
        return "a softmax (the outputs are >= 0 and add up to 1)"
    return None


def _are_distributions(outputs: np.ndarray) -> bool:
    """Whether the rows are probabilities, which logits never are by chance."""
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        return False
    sums = outputs.sum(axis=1, dtype=np.float64)
    return bool((outputs >= 0).all() and (np.abs(sums - 1) < 1e-5).all())
