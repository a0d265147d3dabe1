"""A network that predicts numbers, for scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from fastdl import nn
from fastdl.sklearn.estimator import Estimator
from fastdl.train.losses import LossLike
from fastdl.typing import ArrayLike


@dataclass(eq=False, repr=False)
class FastRegressor(RegressorMixin, Estimator):
    """A network as a regressor of scikit-learn, for one target or several.

    ::

        reg = make_pipeline(StandardScaler(), FastRegressor(random_state=0))
        TransformedTargetRegressor(reg, transformer=StandardScaler()).fit(X, y)

    Learning needs features, and targets, of about unit size, as those pipelines make
    them.

    Parameters
    ----------
    model, model_options, optimizer, lr, weight_decay, max_iter, batch_size, callbacks
        As in `FastClassifier`; the network has an output for each target, and the rate
        is 0.001 for "adam" and "adamw".
    loss : callable, optional
        As `fastdl.Trainer` takes it; the squared error by default.
    early_stopping, validation_fraction, n_iter_no_change, tol, warm_start
        As in `FastClassifier`.
    random_state, verbose
        As in `FastClassifier`.

    Attributes
    ----------
    trainer_ : Trainer
        With ``trainer_.model`` and ``trainer_.history``.
    n_outputs_ : int
        The number of targets.
    n_iter_, loss_curve_, n_features_in_, feature_names_in_
        As in `FastClassifier`.
    """

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> FastRegressor:
        """Make one pass through the data, after those that were made before.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self
        """
        return self._fit_once(X, y, sample_weight)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the predicted targets.

        Parameters
        ----------
        X : array_like, (m, features) or (m, h, w, c)
            Examples in rows.

        Returns
        -------
        ndarray, (m,) or (m, targets)
        """
        y = self._outputs(X)
        return y[:, 0] if self.n_outputs_ == 1 else y

    def _targets(
        self, y: np.ndarray, first: bool, classes: ArrayLike | None
    ) -> np.ndarray:
        return y.reshape(len(y), -1).astype(np.float64, copy=False)

    def _sizes(self) -> Sequence[int]:
        return [self.n_outputs_]

    def _usual_loss(self) -> LossLike:
        return nn.MSELoss()

    def __sklearn_tags__(self) -> Tags:
        """Say that there may be several targets."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
