"""Networks of PyTorch, where it is installed."""

from __future__ import annotations

import importlib

import pytest


@pytest.fixture(scope="session")
def torchvision_models():
    """The module of that name, or None where it cannot be imported.

    Beside another build of PyTorch than its own, its compiled operators are missing. It
    describes them to PyTorch when it is imported, which fails; no network needs them.
    """
    torch = pytest.importorskip("torch")
    register = torch.library.register_fake

    def register_others(operator, *args, **options):
        if isinstance(operator, str) and operator.startswith("torchvision::"):
            return lambda function: function
        return register(operator, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.library, "register_fake", register_others)
        try:
            return importlib.import_module("torchvision.models")
        except (ImportError, RuntimeError):
            return None
