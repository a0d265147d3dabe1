"""Before the first step: build the model, and find whatever does not fit."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, closing, nullcontext

from fastdl.autograd import no_grad
from fastdl.data import DataLoader
from fastdl.errors import DataError
from fastdl.nn.module import run
from fastdl.structure import Structure, example_shapes
from fastdl.train.batches import converted
from fastdl.train.checks import (
    check_finite,
    check_last_batch,
    check_statistics,
    check_targets,
    warn_of_bytes,
)
from fastdl.train.class_weight import ClassWeight
from fastdl.train.learner import Learner
from fastdl.train.losses import LossLike
from fastdl.train.measures import Measures
from fastdl.train.pitfalls import (
    check_learned_weights,
    check_optimizer,
    probabilities,
    warn_of_probabilities,
    watched,
)
from fastdl.train.sets import about
from fastdl.train.streams import BatchStream
from fastdl.train.targets import check_scaled


def rehearse(
    learner: Learner,
    train: DataLoader,
    validation: DataLoader | None,
    finite: bool,
    class_weight: ClassWeight | None = None,
) -> None:
    """Check that the data fit the learner, and measure one batch of each set.

    Parameters
    ----------
    learner : Learner
        Sizes of its model that are open are inferred from the first batch.
    train, validation : DataLoader
        What ``fit`` will train on, and measure on.
    finite : bool
        Whether to look for NaN and infinities in x.
    class_weight : ClassWeight, optional
        How much the training examples of each class count.

    Raises
    ------
    FastdlError
        As documented for ``fit``.
    """
    ends = _measure_a_batch(learner, train, "training", finite, class_weight)
    if not isinstance(train, BatchStream):
        check_statistics(learner.model, len(train.dataset))
        check_last_batch(learner.model, train)
    check_optimizer(learner.model, learner.optimizer, learner._make_optimizer)
    check_learned_weights(learner.optimizer, learner._learned_weights().parameters())
    for end, loss in ends:
        warn_of_probabilities(end, loss)
    if validation is not None:
        _measure_a_batch(learner, validation, "validation", finite)


def _measure_a_batch(
    learner: Learner,
    loader: DataLoader,
    name: str,
    finite: bool,
    class_weight: ClassWeight | None = None,
) -> list[tuple[str, LossLike]]:
    """Return what makes outputs probabilities, with the loss that takes them."""
    if finite:
        check_finite(loader.dataset, name, learner.ranks.rank, learner.ranks.size)
    with closing(loader.batches(loader.epoch)) as batches:  # type: ignore[type-var]
        batch = next(batches)
    x, y, *_ = batch
    if y is None:
        raise DataError(f"fit: the {name} data have no labels or targets y")
    check_scaled(batch, loader, learner.loss)
    model, cost = learner.model, learner._cost
    if name == "training":
        warn_of_bytes(model, x)
    with _naming(name, example_shapes(x), model.input_shape):
        output_shape = model.build(example_shapes(x))
    check_targets(loader, learner.loss, output_shape, name)
    measures = Measures(learner.metrics, learner._tasks)
    x, y, *weight = next(converted([batch], model, learner.loss, class_weight))
    with (
        _naming(name, example_shapes(x), model.input_shape),
        no_grad(),
        model.mode(training=False),
        watched(model) as inside,
    ):
        outputs = run(model, x)
        value_, tasks = cost(outputs, y, *weight)
        value = value_.item()
        if math.isfinite(value):  # else the first step will say what is wrong
            measures.update(value, cost.count(y, *weight), outputs, y, tasks)
            measures.of_metrics()
            if len(loader) > 1:
                measures.warn_of_batches(outputs, y)
    pairs = [(outputs, learner.loss)]
    if learner._tasks:
        pairs = [(outputs[task], loss) for task, loss in learner._tasks.items()]
    found = [(probabilities(model, each, inside), loss) for each, loss in pairs]
    return [(end, loss) for end, loss in found if end is not None]


def _naming(
    name: str, shapes: Structure, known: Structure
) -> AbstractContextManager[None]:
    """Say of an error that it is about data other than those to train on."""
    if name == "training":
        return nullcontext()
    differ = "" if shapes == known else f" ({shapes} for each example, not {known})"
    return about(f"fit: {name} data{differ}")
