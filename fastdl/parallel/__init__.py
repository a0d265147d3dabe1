"""Training on several processes, or machines, that share each batch (MPI).

Start them by ``mpiexec -n 4 python script.py``; the page docs/parallel.md shows how.
"""

from fastdl import exports
from fastdl.parallel.launch import end_all as end_all
from fastdl.parallel.launch import is_launched as is_launched
from fastdl.parallel.launch import start as start
from fastdl.parallel.ranks import ALONE as ALONE
from fastdl.parallel.ranks import Ranks as Ranks

exports.publish(__name__)
