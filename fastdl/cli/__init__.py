"""The command ``fastdl``."""

from fastdl.cli.main import main

__all__ = ["main"]
