"""Networks as estimators of scikit-learn, which is asked for at their first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastdl import exports
from fastdl.errors import FastdlError

if TYPE_CHECKING:
    from fastdl.sklearn.classifier import FastClassifier as FastClassifier
    from fastdl.sklearn.regressor import FastRegressor as FastRegressor

_HOMES = {"FastClassifier": "classifier", "FastRegressor": "regressor"}

__all__ = [*_HOMES]


if not TYPE_CHECKING:  # to a type checker every other name is a mistake

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            exports.missing("fastdl.sklearn", name)
        try:
            import_module("sklearn")
        except ImportError:
            raise FastdlError(
                'fastdl.sklearn needs scikit-learn: pip install "fastdl-cpu[sklearn]"'
            ) from None
        estimator = getattr(import_module(f"fastdl.sklearn.{_HOMES[name]}"), name)
        exports.explain_constructor(estimator, "estimators")
        return estimator
