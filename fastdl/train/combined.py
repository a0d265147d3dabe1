"""The cost of a batch of which each rank has a part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fastdl.autograd import Tensor
from fastdl.nn.multitask import TaskLoss
from fastdl.parallel import Ranks
from fastdl.parallel.ranks import shares, weighted


@dataclass(frozen=True)
class Combined:
    """The cost over the whole batch.

    Attributes
    ----------
    cost : Tensor
        This rank's; that of the whole batch is the sum over the ranks of share * cost.
    share : float
        What this rank counts.
    value, count : float
        The whole cost, and how much the batch counts in a mean over batches.
    tasks : mapping of str to TaskLoss
        The losses of the tasks over the whole batch, if there are several.
    """

    cost: Tensor
    share: float
    value: float
    count: float
    tasks: Mapping[str, TaskLoss]


def combined(
    ranks: Ranks, cost: Tensor, count: float, tasks: Mapping[str, TaskLoss]
) -> Combined:
    """Put together the costs of all ranks, as `fastdl.train.cost.Cost` returns them.

    Each is a mean over a part of the examples, a task's over the labels that it has
    there. The penalties, which all ranks have alike, count once.
    """
    if ranks.size == 1:
        return Combined(cost, 1.0, cost.item(), count, tasks)
    present = ranks.has_examples
    own = [cost.item(), count * present]
    for task in tasks.values():
        own += [task.loss.item(), task.share.item(), task.count * present]
    costs, counts, *of_tasks = ranks.gather(np.array(own)).T
    weights = shares(counts)
    share = float(weights[ranks.rank])
    value = weighted(costs, weights)
    if tasks:
        cost, share = cost * share, 1.0
    whole = {}
    for number, (name, task) in enumerate(tasks.items()):
        losses, parts, labels = of_tasks[3 * number : 3 * number + 3]
        others = shares(labels)
        # Its mean is over its labels, not over the examples.
        cost = cost + task.share * float(others[ranks.rank] - weights[ranks.rank])
        of_whole = weighted(parts, others)
        value += of_whole - weighted(parts, weights)
        whole[name] = TaskLoss(
            Tensor(np.array(weighted(losses, others))),
            sum(labels.tolist()),
            Tensor(np.array(of_whole)),
        )
    return Combined(cost, share, value, sum(counts.tolist()), whole)
