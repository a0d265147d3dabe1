"""The errors of a trained network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from fastdl import nn, shapes
from fastdl.autograd import Tensor, no_grad
from fastdl.data import DataLoader, Dataset, as_dataset
from fastdl.errors import ArgumentError, DataError, NonFiniteError
from fastdl.progress import progress_bar
from fastdl.strategy.diagnosis import Diagnosis, diagnose
from fastdl.strategy.knobs import Settings
from fastdl.strategy.optimisation import Symptom, symptoms
from fastdl.structure import entries, is_several
from fastdl.train import History, Trainer
from fastdl.train.batches import Source
from fastdl.typing import ArrayLike, StrPath

if TYPE_CHECKING:
    from typing_extensions import Unpack

# From labels or targets (m, ...) and outputs (m, ...): bool (m,), which are wrong.
Wrong = Callable[[np.ndarray, np.ndarray], ArrayLike]


class DiagnoseOptions(TypedDict, total=False):
    """Arguments of `diagnose` that a measurement does not provide."""

    train_dev: float
    test: float
    small: float
    run: StrPath | None


@dataclass(frozen=True)
class Measured:
    """What `measure` found.

    Attributes
    ----------
    errors : dict of str to float
        The share of wrong answers on "train", "train_dev", "dev" and "test", as far as
        these sets exist.
    examples : dict of str to int
        The size of each of these sets.
    symptoms : tuple of Symptom
        What the loss curve shows.
    available : int, optional
        How many training examples there are, if not all of them were trained on.
    """

    errors: dict[str, float]
    examples: dict[str, int]
    symptoms: tuple[Symptom, ...] = ()
    available: int | None = None

    def diagnose(
        self,
        human: float = 0.0,
        settings: Settings | None = None,
        **options: Unpack[DiagnoseOptions],
    ) -> Diagnosis:
        """Diagnose these errors; the arguments are those of `diagnose`.

        The human error is also a fraction.
        """
        if settings is not None and self.available is not None:
            settings = {**settings, "available": self.available}
        known: dict[str, Any] = {
            **self.errors,
            "examples": self.examples,
            "symptoms": self.symptoms,
            "settings": settings,
        }
        return diagnose(human=human, percent=False, **known, **options)


def measure(
    trainer: Trainer,
    *,
    train: Source,
    dev: Source,
    train_dev: Source | None = None,
    test: Source | None = None,
    wrong: Wrong | None = None,
    history: History | None = None,
    progress: bool | None = None,
) -> Measured:
    """Measure the error, the share of wrong answers, on each set.

    Parameters
    ----------
    trainer : Trainer
        With the trained model; it is measured in evaluation mode, so without dropout.
    train, dev, train_dev, test : Dataset or tuple (x, y)
        The sets, as `diagnose` explains them. For a DataLoader its data set is
        measured, without the loader's transforms.
    wrong : callable, optional
        ``wrong(y, outputs) -> bool (m,)`` says which answers are wrong. By default,
        under the cross-entropy, those whose largest output is not at the label; under
        the binary cross-entropy, those with any output on the wrong side of 0. For a
        regression, say what is too far from the target, such as ``lambda y, outputs:
        abs(outputs - y)[:, 0] > 0.5``.
    history : History, optional
        Of the training; by default that of the trainer.
    progress : bool, optional
        Whether to show a bar on the standard error stream; by default only on a
        terminal or in a notebook.

    Returns
    -------
    Measured

    Raises
    ------
    ArgumentError
        It is not known what is wrong under this loss, or `wrong` does not return bool
        (m,); or `trainer` is not a Trainer.
    DataError
        A set is empty or has no labels.
    NonFiniteError
        An output is NaN.
    """
    if not isinstance(trainer, Trainer):
        raise ArgumentError(
            f"measure: expected a Trainer, got {type(trainer).__name__}; give a model "
            f"as Trainer(model)"
        )
    given = {"train": train, "train_dev": train_dev, "dev": dev, "test": test}
    sets = {
        name: data.dataset if isinstance(data, DataLoader) else as_dataset(data)
        for name, data in given.items()
        if data is not None
    }
    return measure_sets(
        trainer,
        sets,
        lambda name: trainer.predict(sets[name]),
        wrong,
        trainer.history if history is None else history,
        progress,
    )


def measure_sets(
    trainer: Trainer,
    sets: Mapping[str, Dataset],
    outputs_of: Callable[[str], np.ndarray],
    wrong: Wrong | None,
    history: History,
    progress: bool | None = None,
) -> Measured:
    """Do what `measure` does, with outputs that may be known already.

    Parameters
    ----------
    trainer, wrong, history, progress
        As in `measure`.
    sets : mapping of str to Dataset
        The sets, by the names that `diagnose` uses.
    outputs_of : callable
        ``outputs_of(name)`` returns the outputs of the model for a set.
    """
    wrong = _wrong(trainer) if wrong is None else wrong
    errors = {}
    constant = loss = None
    with progress_bar(
        desc="measuring",
        total=sum(map(len, sets.values())),
        unit=" examples",
        leave=False,
        shown=progress,
    ) as bar:
        for name, dataset in sets.items():
            if len(dataset) == 0:
                raise DataError(f"measure: the {name} set is empty")
            y = dataset.y
            if y is None:
                raise DataError(f"measure: the {name} set has no labels or targets y")
            outputs = outputs_of(name)
            for each, what in ((y, "y"), (outputs, "output")):
                if is_several(each):
                    raise ArgumentError(
                        f"measure: expected one {what} for an answer, but there are "
                        f"{entries(each, what)}; measure the model of one task"
                    )
            if np.isnan(outputs).any():
                raise NonFiniteError(f"measure: the model gives NaN on the {name} set")
            if wrong is _wrong_class:
                shapes.labels(y, len(y), outputs.shape[1], f"measure: the {name} set")
            errors[name] = _share(wrong, np.asarray(y), outputs, name)
            if name == "train":
                loss, constant = _losses(trainer.loss, np.asarray(y), outputs)
            bar.update(len(dataset))
    return Measured(
        errors,
        {name: len(dataset) for name, dataset in sets.items()},
        symptoms(history, loss, constant),
    )


def _wrong(trainer: Trainer) -> Wrong:
    applies = getattr(trainer.loss, "applies", None)
    if applies is not None:
        return {"softmax": _wrong_class, "sigmoid": _wrong_side}[applies]
    raise ArgumentError(
        f"measure: under {type(trainer.loss).__name__} it is not known which answers "
        f"are wrong; say it, such as wrong=lambda y, outputs: abs(outputs - y)[:, 0] > "
        f"0.5"
    )


def _wrong_class(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    labels = y.argmax(axis=1) if y.ndim == 2 else y
    return outputs.argmax(axis=1) != labels


def _wrong_side(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return which rows have an output on the wrong side; none is wrong for a NaN y."""
    wrong = ((outputs > 0) != (y > 0.5)) & ~np.isnan(y.astype(float))
    return wrong.reshape(len(y), -1).any(axis=1)


def _share(wrong: Wrong, y: np.ndarray, outputs: np.ndarray, name: str) -> float:
    mistakes = np.asarray(wrong(y, outputs))
    if mistakes.shape != y.shape[:1] or mistakes.dtype != bool:
        raise ArgumentError(
            f"measure: wrong must give bool of shape ({len(y)},) for the {name} set, "
            f"got {mistakes.dtype} of shape {mistakes.shape}"
        )
    return float(mistakes.mean())


@no_grad()
def _losses(
    loss: object, y: np.ndarray, outputs: np.ndarray
) -> tuple[float | None, float | None]:
    """Return the loss on a set, and that of the best constant prediction.

    Both are None except for class labels under the cross-entropy.
    """
    if not isinstance(loss, nn.CrossEntropyLoss) or loss.reduction != "mean":
        return None, None
    if y.ndim != 1:
        return None, None
    classes = outputs.shape[1]
    counts = np.bincount(y.astype(np.int64), minlength=classes).astype(outputs.dtype)
    # Each class draws by its examples, their smoothed labels and its weight.
    pull = (1 - loss.label_smoothing) * counts / len(y) + loss.label_smoothing / classes
    if loss.class_weight is not None:
        pull = pull * loss.class_weight
    logits = np.log(np.maximum(pull, 1e-12)).astype(outputs.dtype)
    constant = loss(
        Tensor(np.tile(logits, (classes, 1))), np.arange(classes), sample_weight=counts
    )
    return float(loss(Tensor(outputs), y)), float(constant)
