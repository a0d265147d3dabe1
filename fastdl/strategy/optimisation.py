"""Is the optimisation at fault, and not the data? From the loss curve."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fastdl.train import History

RATE_TOO_HIGH = "rate too high"
RATE_TOO_LOW = "rate too low"
STILL_FALLING = "still falling"

# The mean rise of the loss from epoch to epoch, as a share of it, over the later half
# of the epochs. Measured with digits: a plateau of a network that is too small wavers
# by 0.1 %, with a rate that is too high by 0.7 % and more. Dropout and augmentation
# make each epoch another one, and the loss waver by up to 3 %.
ROUGH = 0.005
ROUGH_AT_RANDOM = 0.04
# What shows dropout and augmentation: the loss without them is less than this share of
# the loss of the last epochs with them.
RANDOM = 0.8
STEEP = 0.2  # fall of the loss over the last quarter of the epochs, as a share of it
NOTHING = 0.02  # below the loss of constant prediction, as a share: nothing is learned
FEWEST = 4  # epochs; fewer say nothing about the form of the curve


class Symptom(NamedTuple):
    """Something that a loss curve shows.

    Attributes
    ----------
    name : str
        `RATE_TOO_HIGH`, `RATE_TOO_LOW` or `STILL_FALLING`.
    says : str
        What was seen, in words, with figures.
    """

    name: str
    says: str


def symptoms(
    history: History, loss: float | None = None, constant: float | None = None
) -> tuple[Symptom, ...]:
    """Look at the training loss of each epoch.

    They count only where the training error is too high: the loss of a network that
    fits its data wavers too, close to 0.

    Parameters
    ----------
    history : History
        Of the training; without epochs, or without "loss", it says nothing.
    loss : float, optional
        That of the trained model on the training set, in evaluation mode.
    constant : float, optional
        That of the best prediction that is the same for every example.

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
        # A rate that is too high throws the loss about; one too low moves it evenly.
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
    """Return the end of a sentence about the usual learning rate of the later half."""
    if "learning_rate" not in history:
        return ""
    rates = history["learning_rate"]
    return f", at a learning rate of {np.nanmedian(rates[len(rates) // 2 :]):.2g}"


def _at_random(losses: np.ndarray, loss: float | None) -> bool:
    """Tell whether the epochs differ by chance; where the loss is unknown, they may."""
    return loss is None or loss < RANDOM * float(losses[-3:].mean())


def _rises(losses: np.ndarray) -> float:
    """Return the mean rise from epoch to epoch over the later half, per loss."""
    if len(losses) < FEWEST:
        return 0.0
    later = losses[len(losses) // 2 - 1 :]
    level = float(np.abs(later).mean())
    return float(np.maximum(np.diff(later), 0).mean()) / level if level else 0.0


def _last_fall(losses: np.ndarray) -> float:
    """Return by which share the loss fell in the last quarter of the epochs."""
    if len(losses) < FEWEST:
        return 0.0
    before = losses[-1 - math.ceil(len(losses) / 4)]
    return float(1 - losses[-1] / before) if before > 0 else 0.0
