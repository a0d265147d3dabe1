"""scikit-learn is optional: it is loaded, and asked for, by the estimators alone."""

import subprocess
import sys

import pytest

from fastdl.errors import FastdlError


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)  # importing it fails
    import fastdl.sklearn

    with pytest.raises(FastdlError, match=r'pip install "fastdl-cpu\[sklearn\]"'):
        _ = fastdl.sklearn.FastClassifier


def test_an_unknown_name():
    import fastdl.sklearn

    with pytest.raises(AttributeError, match="no attribute 'FastClasifier'"):
        _ = fastdl.sklearn.FastClasifier


def test_it_is_loaded_with_an_estimator():
    pytest.importorskip("sklearn")
    code = (
        "import sys, fastdl; fastdl.sklearn; print('sklearn.base' in sys.modules);"
        "fastdl.sklearn.FastRegressor; print('sklearn.base' in sys.modules)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]
