"""A worker of a search, see `fastdl.tune.worker`."""

from fastdl.tune.worker import main

main()
