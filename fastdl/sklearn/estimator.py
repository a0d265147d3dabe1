"""What the estimators share: a network, and the Trainer that does the work."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from fastdl import models, nn, random
from fastdl.data import ArrayDataset, DataLoader, Dataset, split
from fastdl.errors import ArgumentError, ShapeError, suggest
from fastdl.optim import Adam, AdamW, Optimizer
from fastdl.shapes import integer
from fastdl.sklearn.heads import ColumnHeads
from fastdl.structure import Structure, at
from fastdl.train import Callback, EarlyStopping, Trainer
from fastdl.train.checks import lonely_batch_norm
from fastdl.train.losses import LossLike
from fastdl.train.optimizers import OPTIMIZERS
from fastdl.typing import ArrayLike, Shape

E = TypeVar("E", bound="Estimator")

ModelLike: TypeAlias = str | nn.Module | Sequence[nn.Module] | Callable[..., nn.Module]
"""A network: its name, itself, its layers, or a function of the number of outputs."""

# The network computes in the type of X. Pictures stay bytes until a batch is made.
_DTYPES = (np.float64, np.float32, np.uint8)


def perceptron(
    outputs: int, hidden: Sequence[int] = (100,), **options: object
) -> nn.Module:
    """Make the network of scikit-learn's own perceptrons, with its first weights.

    Smaller ones than He's are no less accurate for classes, and more so for numbers of
    unit size.

    Parameters
    ----------
    outputs : int
        Number of outputs.
    hidden : sequence of int
        Units of each hidden layer.
    **options
        As of `fastdl.models.mlp`.
    """
    network = models.create("mlp", outputs, hidden=hidden, **options)
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            layer.weight_init = "glorot_uniform"
    return network


@dataclass(eq=False, repr=False)
class Estimator(BaseEstimator):
    """The parameters and the training; see the two classes that inherit them."""

    model: ModelLike = perceptron
    _: KW_ONLY
    model_options: Mapping[str, object] | None = None
    loss: LossLike | None = None
    optimizer: str | Callable[..., Optimizer] = "adam"
    lr: float | None = None
    weight_decay: float | None = None
    max_iter: int = 200
    batch_size: int = 128
    callbacks: Sequence[Callback] = ()
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    tol: float | None = 1e-4
    warm_start: bool = False
    random_state: int | np.random.RandomState | None = None
    verbose: bool = False

    _adam_lr = 0.001

    def fit(
        self: E, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> E:
        """Train for up to ``max_iter`` passes through the data.

        Parameters
        ----------
        X : array_like, (m, features) or (m, h, w, c)
            Examples in rows.
        y : array_like, (m,) or (m, outputs)
            Labels or targets.
        sample_weight : array_like, (m,), optional
            How much each example counts, >= 0; 0 leaves it out.

        Returns
        -------
        self
        """
        epochs = integer(self.max_iter, f"{type(self).__name__}: max_iter")
        warm = self.warm_start and hasattr(self, "trainer_")
        examples = self._examples(X, y, sample_weight, first=not warm)
        self._begin(examples, self.trainer_.model if warm else None)
        train: Dataset = examples
        dev: Dataset | None = None
        if self.early_stopping:
            sizes = (1 - self.validation_fraction, self.validation_fraction)
            targets = examples.y
            has_classes = isinstance(targets, np.ndarray) and targets.ndim == 1
            train, dev = split(examples, sizes, self._seed, stratify=has_classes)
        return self._run(
            train,
            epochs=epochs,
            validation=dev,
            callbacks=[*copy.deepcopy(self.callbacks), *self._stopping()],
        )

    def _fit_once(
        self: E,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        classes: ArrayLike | None = None,
    ) -> E:
        """Make one pass through the data, after those that were made before."""
        first = not hasattr(self, "trainer_")
        examples = self._examples(X, y, sample_weight, first, classes)
        if first:
            self._begin(examples)
        return self._run(examples, epochs=1)

    # The data

    def _examples(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        first: bool,
        classes: ArrayLike | None = None,
    ) -> ArrayDataset:
        """Check the data; `first` says that nothing was learned before."""
        x, labels = validate_data(
            self,
            X,
            y,
            reset=first,
            dtype=_DTYPES,
            order="C",
            allow_nd=True,
            multi_output=True,
            y_numeric=is_regressor(self),
        )
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = column_or_1d(labels, warn=True)
        outputs = 1 if labels.ndim == 1 else labels.shape[1]
        if not first and outputs != self.n_outputs_:
            raise ShapeError(
                f"{type(self).__name__}: expected y with the {self.n_outputs_} columns "
                f"that it had before, got {outputs}"
            )
        self.n_outputs_: int = outputs
        weight = self._weights(x, labels, sample_weight)
        examples = x, self._targets(labels, first, classes), weight
        return ArrayDataset(*(examples if weight is None else at(examples, weight > 0)))

    def _weights(
        self, X: np.ndarray, y: np.ndarray, sample_weight: ArrayLike | None
    ) -> np.ndarray | None:
        """Return how much each example counts, or None if all count the same."""
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, X, ensure_non_negative=True)

    def _targets(
        self, y: np.ndarray, first: bool, classes: ArrayLike | None
    ) -> Structure:
        """Return y as the loss takes it."""
        raise NotImplementedError

    # The training

    def _sizes(self) -> Sequence[int]:
        """Return the number of outputs of the network, for each task."""
        raise NotImplementedError

    def _usual_loss(self) -> LossLike:
        raise NotImplementedError

    def _begin(self, examples: ArrayDataset, model: nn.Module | None = None) -> None:
        """Make a trainer, of a new network unless there is one."""
        x, y = examples.x, examples.y
        self._seed = _seed(self.random_state)
        if model is None:
            with random.seeded(self._seed):
                model = self._network(x.shape[1:])
            model.astype(np.float64 if x.dtype == np.float64 else np.float32)
        loss = self._usual_loss() if self.loss is None else self.loss
        self.trainer_ = Trainer(
            model,
            dict.fromkeys(y, loss) if isinstance(y, Mapping) else loss,
            self._optimizer(),
            metrics=(),
        )

    def _network(self, input_shape: Shape) -> nn.Module:
        sizes = self._sizes()
        outputs, options = sum(sizes), self.model_options or {}
        if isinstance(self.model, str):
            network = models.create(self.model, outputs, **options)
        elif isinstance(self.model, nn.Module):
            network = copy.deepcopy(self.model)
        elif isinstance(self.model, Sequence):
            network = nn.Sequential(*copy.deepcopy(self.model))
        else:
            network = self.model(outputs, **options)
        shape = network.build(input_shape)
        if shape != (outputs,):
            raise ArgumentError(
                f"{type(self).__name__}: y needs {outputs} outputs, but the network "
                f"gives {shape} for an example; its last layer should be "
                f"nn.Linear(None, {outputs})"
            )
        return network if len(sizes) == 1 else ColumnHeads(network, sizes)

    def _optimizer(self) -> Callable[..., Optimizer]:
        options: dict[str, float] = {}
        make = self.optimizer
        if isinstance(make, str):
            if make not in OPTIMIZERS:
                raise ArgumentError(
                    f"{type(self).__name__}: unknown optimizer {make!r}"
                    f"{suggest(make, OPTIMIZERS)}"
                )
            make, usual = OPTIMIZERS[make]
            options["lr"] = self._adam_lr if make in (Adam, AdamW) else usual
        if self.lr is not None:
            options["lr"] = self.lr
        if self.weight_decay is not None:
            options["weight_decay"] = self.weight_decay
        return partial(make, **options)

    def _stopping(self) -> list[Callback]:
        patience = self.n_iter_no_change
        if self.early_stopping:
            return [EarlyStopping("val_loss", patience, self.tol or 0.0)]
        if self.tol is None:
            return []
        return [EarlyStopping("loss", patience, self.tol, restore_best=False)]

    def _run(self: E, train: Dataset, **options: Any) -> E:
        loader = DataLoader(
            train,
            self.batch_size,
            shuffle=True,
            seed=self._seed,
            drop_last=self._ends_alone(len(train)),
            prefetch=0,
        )
        loader.epoch = len(self.trainer_.history)
        self.trainer_.fit(
            loader, progress=bool(self.verbose), check_finite=False, **options
        )
        # Threads may predict at once, and none may switch it to training for another.
        self.trainer_.model.eval()
        return self

    def _ends_alone(self, examples: int) -> bool:
        """Whether a last example by itself, each pass another, must be left out."""
        model, size = self.trainer_.model, self.batch_size
        return examples > size and lonely_batch_norm(model, examples, size) is not None

    def _outputs(self, X: ArrayLike, **options: bool) -> Structure:
        """Return what the network says about examples."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=_DTYPES, order="C", allow_nd=True)
        return self.trainer_.predict(x, **options)

    @property
    def n_iter_(self) -> int:
        """How many passes through the data were made."""
        return len(self.trainer_.history)

    @property
    def loss_curve_(self) -> list[float]:
        """The loss of each pass, as the network learned."""
        return self.trainer_.history["loss"]


def _seed(random_state: int | np.random.RandomState | None) -> int:
    """Return a seed; without a state it follows `fastdl.manual_seed`."""
    if random_state is None:
        return random.new_seed()
    return int(check_random_state(random_state).randint(2**31))
