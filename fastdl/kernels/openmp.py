"""Loads the OpenMP library, set to spin briefly.

How long a thread that has nothing to do spins before it sleeps is read once, when the
library is loaded, from the environment. The default of GNU's library is milliseconds:
where another process is busy, threads that spin keep those that work from a core, and
a training step takes a hundred times as long. 1,000 rounds, about 15 microseconds,
bridge the gap from one kernel to the next.
"""

import os

SPIN = "GOMP_SPINCOUNT"
ROUNDS = "1000"

if SPIN in os.environ or "OMP_WAIT_POLICY" in os.environ:  # the user's choice
    from fastdl.kernels import runtime
else:
    os.environ[SPIN] = ROUNDS
    try:
        from fastdl.kernels import runtime
    finally:
        del os.environ[SPIN]  # other libraries, child processes: not our business

__all__ = ["runtime"]
