"""Gradual unfreezing."""

from __future__ import annotations

from collections.abc import Mapping

from fastdl.errors import ArgumentError
from fastdl.nn.parameter import Parameter
from fastdl.nn.transfer import split
from fastdl.shapes import integer
from fastdl.train.callback import Callback
from fastdl.train.learner import Learner


class GradualUnfreezing(Callback):
    """Lets more and more layers learn: first the head, then those before it.

    A new head starts from random weights, and its first large gradients would spoil the
    features below (Howard, Ruder 2018, "Universal language model fine-tuning", section
    3.3). ::

        GradualUnfreezing({1: "fc", 4: "layer4", 7: "layer3"})

    At the end of ``fit`` everything learns, or not, as before it.

    Parameters
    ----------
    schedule : mapping of int to str
        From which epoch on, counted from 1 over all calls of ``fit``, which layer and
        all that follow it learn. What comes before is frozen, see
        `fastdl.nn.Module.freeze`. One begins with epoch 1.

    Raises
    ------
    ArgumentError
        The schedule is not of that form. In ``fit``: a layer does not exist, a later
        epoch freezes what has learned, or the optimiser lacks a parameter that is to
        learn.
    """

    def __init__(self, schedule: Mapping[int, str]) -> None:
        if not isinstance(schedule, Mapping) or 1 not in schedule:
            raise ArgumentError(
                f"GradualUnfreezing: expected layers by the epoch from which on they "
                f"learn, the first by 1, such as {{1: 'fc', 4: 'layer4'}}, got "
                f"{schedule!r:.80}"
            )
        epochs = sorted(integer(e, "GradualUnfreezing: an epoch") for e in schedule)
        self.schedule = {epoch: schedule[epoch] for epoch in epochs}

    def on_train_begin(self, trainer: Learner, epochs: int, batches: int) -> None:
        """Check the schedule, and remember what learns."""
        model = trainer.model
        given = {
            id(p) for group in trainer.optimizer.param_groups for p in group["params"]
        }
        before: set[int] = set()
        for epoch, layer in self.schedule.items():
            _, members = split(model, layer, "GradualUnfreezing")
            learning = {
                id(parameter)
                for member in members
                for parameter in (
                    [member] if isinstance(member, Parameter) else member.parameters()
                )
            }
            if not before <= learning:
                raise ArgumentError(
                    f"GradualUnfreezing: epoch {epoch} would freeze again what learned "
                    f"before; {layer!r} must come earlier in the model"
                )
            before = learning
        missing = [n for n, p in model.named_parameters() if id(p) in before - given]
        if missing:
            raise ArgumentError(
                f"GradualUnfreezing: {missing[0]!r} is to learn, but the optimiser "
                f"does not have it; make it from all parameters, model.parameters(): "
                f"it leaves frozen ones alone"
            )
        self._before = [(p, p.requires_grad) for p in model.parameters()]
        self._frozen = [(module, module.frozen) for module in model.modules()]

    def on_epoch_begin(self, trainer: Learner, epoch: int) -> None:
        """Freeze and unfreeze."""
        layer = self.schedule[max(e for e in self.schedule if e <= epoch)]
        trainer.model.freeze(until=layer).unfreeze(since=layer)

    def on_train_end(self, trainer: Learner) -> None:
        """Make everything learn, or not, as before."""
        for parameter, learned in self._before:
            parameter.requires_grad = learned
        for module, frozen in self._frozen:
            module.frozen = frozen
