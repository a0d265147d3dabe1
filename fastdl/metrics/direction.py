"""Whether more or less of a measure is better, judging by its name."""

from __future__ import annotations

import re

from fastdl.errors import ArgumentError

_TIMES = {"us", "ms", "s", "second", "seconds", "minute", "minutes", "hour", "hours"}
_LESS = {
    *("error", "errors", "loss", "cost", "mae", "mse", "rmse", "ece", "perplexity"),
    *("alarms", "false", "misses", "missed", "wrong"),
    *("latency", "time", *_TIMES),
    *("size", "memory", "bytes", "kb", "mb", "gb", "parameters", "params", "weights"),
    *("multiply", "adds", "macs", "flops"),
}
_MORE = {
    *("accuracy", "acc", "precision", "recall", "sensitivity", "specificity", "f1"),
    *("auc", "kappa", "r2", "iou", "dice", "throughput"),
}


def lower_is_better(name: str) -> bool | None:
    """Return whether less of it is better; None if the name does not tell.

    It goes by the words in the name, however it is written: "val_loss", "error_rate",
    "latency_ms", "false_alarms_per_day" and "mean_squared_error" are better when low;
    "top_5_accuracy", "macro f1", "roc_auc" and "examples_per_second" when high. Words
    after "per" are only the unit.

    Raises
    ------
    ArgumentError
        The name is not a string.
    """
    if not isinstance(name, str):
        raise ArgumentError(f"lower_is_better: expected a name, got {name!r:.60}")
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    place = words.index("per") if "per" in words else len(words)
    if _LESS.intersection(words[:place]):
        return True
    if _MORE.intersection(words[:place]) or _TIMES.intersection(words[place:]):
        return False
    return None
