"""A network that tells classes apart, for scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from fastdl import nn
from fastdl.errors import ArgumentError
from fastdl.sklearn.estimator import Estimator
from fastdl.structure import Structure
from fastdl.train.losses import LossLike
from fastdl.typing import ArrayLike


@dataclass(eq=False, repr=False, kw_only=True)
class FastClassifier(ClassifierMixin, Estimator):
    """A network as a classifier of scikit-learn.

    ::

        clf = make_pipeline(StandardScaler(), FastClassifier(random_state=0))
        clf.fit(X, y).predict_proba(X)

    y (m,) are labels of any kind. y (m, k) of 0 and 1 say which of k labels an example
    has; of other labels they are k questions, each with classes of its own.

    Everything is computed in the type of X, float64 or float32; float32 is faster. The
    same data and ``random_state`` give the same bits.

    Parameters
    ----------
    model : str, Module, list of Module, or callable
        The network, by default one hidden layer of 100 ReLUs: a name of
        `fastdl.models.names`; a `fastdl.nn.Sequential` or any other module, or a list
        of layers; or a function that makes one of the number of outputs, such as
        ``fastdl.models.convnet``. There are as many outputs, logits, as classes, or as
        labels if an example can have several. Modules are copied by `fit`, with the
        weights that they have; what is open, as in ``nn.Linear(None, 64)``, is drawn
        anew.
    model_options : mapping, optional
        Further arguments of a name or a function; by default those of
        `fastdl.models.mlp`, such as ``{"hidden": (64, 32)}``.
    loss : callable, optional
        As `fastdl.Trainer` takes it. The cross-entropy by default; the binary
        cross-entropy if an example can have several labels. Of several questions it is
        the loss of each.
    optimizer : str or callable
        "adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "adagrad"; or what
        makes an optimiser from parameters, such as ``fastdl.optim.RMSprop``.
    lr : float, optional
        Learning rate; by default 0.003 for "adam" and "adamw", otherwise what is usual
        for the optimiser.
    weight_decay : float, optional
        As the optimiser takes it.
    max_iter : int
        The most passes through the data.
    batch_size : int
        Examples in a step.
    callbacks : sequence of Callback
        Of `fastdl.train`, copied by `fit`. `partial_fit` calls none.
    early_stopping : bool
        Whether to keep a part of the data, end when its loss no longer improves, and
        return to the weights that were best on it.
    validation_fraction : float
        In (0, 1): the size of that part, which has its share of each class.
    n_iter_no_change : int
        How many passes to wait for an improvement: with `early_stopping` of the loss on
        that part, otherwise of the training loss.
    tol : float or None
        The least improvement. Without `early_stopping`, None makes all `max_iter`
        passes.
    class_weight : mapping, "balanced" or list of mapping, optional
        How much the examples of each class count, as everywhere in scikit-learn.
    warm_start : bool
        Whether `fit` goes on with the weights of the last one.
    random_state : int, RandomState or None
        For the first weights, the order of the examples and the part that is kept. None
        follows `fastdl.manual_seed`.
    verbose : bool
        Whether to report on the standard error stream.

    Attributes
    ----------
    trainer_ : Trainer
        With ``trainer_.model`` and ``trainer_.history``; ``trainer_.save(path)`` saves
        the network.
    classes_ : ndarray or list of ndarray
        The labels in order; of several questions, those of each.
    n_outputs_ : int
        1, or the number of columns of y.
    n_iter_ : int
        How many passes were made.
    loss_curve_ : list of float
        The training loss of each.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.
    """

    # Half the passes to the same loss, and no less accurate: see bench/estimators.py.
    _adam_lr = 0.003

    class_weight: (
        Mapping[object, float] | Sequence[Mapping[object, float]] | str | None
    ) = None

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> FastClassifier:
        """Make one pass through the data, after those that were made before.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array_like, or list of array_like
            All labels that will ever come; of several questions, those of each. Needed
            in the first call, unless an example can have several labels.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Classes are missing, a label is none of them, or classes are to be balanced,
            which needs all data at once.
        """
        if self.class_weight == "balanced":
            raise ArgumentError(
                "FastClassifier: partial_fit cannot balance classes whose other "
                "examples it does not see; give class_weight={label: weight, ...}"
            )
        is_first = not hasattr(self, "trainer_")
        if is_first and classes is None and not _is_multilabel(y):
            raise ArgumentError(
                "FastClassifier: the first partial_fit needs classes=, all labels that "
                "will ever come"
            )
        return self._fit_once(X, y, sample_weight, classes)

    def predict_proba(self, X: ArrayLike) -> np.ndarray | list[np.ndarray]:
        """Return probabilities.

        Parameters
        ----------
        X : array_like, (m, features) or (m, h, w, c)
            Examples in rows.

        Returns
        -------
        ndarray, (m, classes) or (m, labels), or list of ndarray
            Of each class, in the order of ``classes_``; or of each label that an
            example can have beside others; or, of several questions, of the classes of
            each.
        """
        p = self._outputs(X, probabilities=True)
        return list(p.values()) if isinstance(p, dict) else p

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable labels.

        Parameters
        ----------
        X : array_like, (m, features) or (m, h, w, c)
            Examples in rows.

        Returns
        -------
        ndarray, (m,) or (m, outputs)
        """
        p = self.predict_proba(X)
        if isinstance(p, list):
            pairs = zip(self._labels, p, strict=True)
            return np.stack([labels[rows.argmax(1)] for labels, rows in pairs], axis=1)
        if self._is_multilabel:
            return (p > 0.5).astype(int)
        return self._labels[0][p.argmax(axis=1)]

    def _weights(
        self, X: np.ndarray, y: np.ndarray, sample_weight: ArrayLike | None
    ) -> np.ndarray | None:
        weight = super()._weights(X, y, sample_weight)
        if self.class_weight is None:
            return weight
        of_class = compute_sample_weight(self.class_weight, y)
        return of_class if weight is None else weight * of_class

    def _targets(
        self, y: np.ndarray, first: bool, classes: ArrayLike | None
    ) -> Structure:
        check_classification_targets(y)
        columns = y.reshape(len(y), -1).T
        if first:
            self._is_multilabel = _is_multilabel(y)
            self._learn_classes(columns, classes)
        if self._is_multilabel:
            return y.astype(np.float32)
        numbers = [
            LabelEncoder().fit(labels).transform(column)
            for labels, column in zip(self._labels, columns, strict=True)
        ]
        if len(numbers) == 1:
            return numbers[0]
        return {str(question): each for question, each in enumerate(numbers)}

    def _learn_classes(self, columns: np.ndarray, classes: ArrayLike | None) -> None:
        if self._is_multilabel:
            self.classes_: np.ndarray | list[np.ndarray] = np.arange(self.n_outputs_)
            return
        known: Any = columns
        if classes is not None:
            known = [classes] if self.n_outputs_ == 1 else classes
        self._labels: list[np.ndarray] = [np.unique(each) for each in known]
        for labels in self._labels:
            if len(labels) < 2:
                raise ArgumentError(
                    f"FastClassifier: y has one class only, {labels[0]!r}; it takes "
                    f"two to tell apart"
                )
        self.classes_ = self._labels[0] if self.n_outputs_ == 1 else self._labels

    def _sizes(self) -> Sequence[int]:
        if self._is_multilabel:
            return [self.n_outputs_]
        return [len(labels) for labels in self._labels]

    def _usual_loss(self) -> LossLike:
        return nn.BCEWithLogitsLoss() if self._is_multilabel else nn.CrossEntropyLoss()

    def __sklearn_tags__(self) -> Tags:
        """Say that there may be several labels or outputs."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def _is_multilabel(y: ArrayLike) -> bool:
    """Whether y (m, k) says of each of k labels whether an example has it."""
    return type_of_target(np.asarray(y)) == "multilabel-indicator"
