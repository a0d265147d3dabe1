"""Is the optimisation at fault, not the data? The loss curve says."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fastdl.train import History

RATE_TOO_HIGH = "rate too high"
RATE_TOO_LOW = "rate too low"
STILL_FALLING = "still falling"

# The mean rise of the loss between epochs, relative to it, over the second half of the
# epochs. Measured on digits: on the plateau of a network that is too small the loss
# fluctuates by 0.1 %, with a rate that is too high by 0.7 % and more. With dropout and
# augmentation, each epoch differs and the loss fluctuates by up to 3 %.
ROUGH = 0.005
ROUGH_AT_RANDOM = 0.04
# How dropout and augmentation show: without them the loss is below this share of the
# loss of the last epochs.
RANDOM = 0.8
STEEP = 0.2  # relative fall of the loss over the last quarter of the epochs
NOTHING = 0.02  # relative gain over a constant prediction; below it nothing is learned
FEWEST = 4  # epochs; fewer do not show the shape of the curve


class Symptom(NamedTuple):
    """Something that the loss curve shows.

    Attributes
    ----------
    name : str
        `RATE_TOO_HIGH`, `RATE_TOO_LOW` or `STILL_FALLING`.
    says : str
        What was seen, in a sentence with figures.
    """

    name: str
    says: str


def symptoms(
    history: History, loss: float | None = None, constant: float | None = None
) -> tuple[Symptom, ...]:
    """Look at the training loss of each epoch.

    Symptoms matter only if the training error is too high: the loss of a network that
    fits its data fluctuates too, close to 0.

    Parameters
    ----------
    history : History
        Of the training; no epochs, or no "loss", no symptoms.
    loss : float, optional
        The loss of the trained model on the training set, in evaluation mode.
    constant : float, optional
        The loss of the best prediction that is the same for every example.

    Returns
    -------
    tuple of Symptom
        At most one about the rate, then perhaps `STILL_FALLING`.
    """
    losses = np.array(history["loss"] if "loss" in history.columns else [], float)
    losses = losses[np.isfinite(losses)]
    found = []
    rises = _rises(losses)
    rate = _rate(history)
    if loss is not None and constant is not None and loss >= (1 - NOTHING) * constant:
        # A rate that is too high makes the loss jump; with one too low it falls
        # steadily.
        slow = len(losses) >= 2 and not (np.diff(losses) > 0).any()
        found.append(
            Symptom(
                RATE_TOO_LOW if slow else RATE_TOO_HIGH,
                f"the training loss {loss:.3g} is no better than the {constant:.3g} of "
                f"a constant prediction{rate}",
            )
        )
    elif rises > ROUGH_AT_RANDOM or (rises > ROUGH and not _at_random(losses, loss)):
        found.append(
            Symptom(
                RATE_TOO_HIGH,
                f"the training loss does not settle: it still rises by {rises:.1%} of "
                f"itself from epoch to epoch{rate}",
            )
        )
    fall = _last_fall(losses)
    if fall > STEEP:
        found.append(
            Symptom(
                STILL_FALLING,
                f"the training loss fell by {fall:.0%} in the last quarter of the "
                f"epochs",
            )
        )
    return tuple(found)


def _rate(history: History) -> str:
    """Return the end of a sentence about the usual learning rate of the second half."""
    if "learning_rate" not in history:
        return ""
    rates = history["learning_rate"]
    return f", at a learning rate of {np.nanmedian(rates[len(rates) // 2 :]):.2g}"


def _at_random(losses: np.ndarray, loss: float | None) -> bool:
    """Return whether epochs may differ by chance; assume so if the loss is unknown."""
    return loss is None or loss < RANDOM * float(losses[-3:].mean())


def _rises(losses: np.ndarray) -> float:
    """Return the mean relative rise between epochs over the second half."""
    if len(losses) < FEWEST:
        return 0.0
    later = losses[len(losses) // 2 - 1 :]
    level = float(np.abs(later).mean())
    return float(np.maximum(np.diff(later), 0).mean()) / level if level else 0.0


def _last_fall(losses: np.ndarray) -> float:
    """Return the relative fall of the loss over the last quarter of the epochs."""
    if len(losses) < FEWEST:
        return 0.0
    before = losses[-1 - math.ceil(len(losses) / 4)]
    return float(1 - losses[-1] / before) if before > 0 else 0.0
