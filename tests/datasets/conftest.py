"""Where tests find real data."""

import os
from pathlib import Path

import pytest

# Read once: `cache` hides the variable from the test.
REAL_DATA = Path(
    os.environ.get("FASTDL_DATA_DIR") or Path(__file__).parents[3] / "shared" / "data"
)


def find_real_data(name):
    """Return the folder of a real data set, or None.

    Looked for in ``$FASTDL_DATA_DIR``, else in ``shared/data`` beside the checkout.
    """
    folder = REAL_DATA / name
    return folder if folder.is_dir() else None


@pytest.fixture
def real_data():
    """Return the folder of a real data set by name, or skip the test."""

    def folder(name):
        found = find_real_data(name)
        if found is None:
            pytest.skip(f"no real {name} data: set FASTDL_DATA_DIR")
        return found

    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give the test an empty cache folder of its own, and no FASTDL_DATA_DIR."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FASTDL_DATA_DIR", raising=False)
    return tmp_path / "fastdl"
