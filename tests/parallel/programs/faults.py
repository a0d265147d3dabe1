"""Something goes wrong on one rank, or on all; the argument says what."""

import os
import signal
import sys

import numpy as np

import fastdl
from fastdl import nn, optim, parallel

fault = sys.argv[1]
ranks = parallel.start()
fastdl.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
if fault == "model" and ranks.rank == 1:
    model = nn.Linear(3, 1)
optimizer = optim.SGD(model.parameters(), lr=0.1)
loader = fastdl.data.DataLoader((np.ones((24, 3), np.float32), np.ones((24, 1))), 8)
if fault == "data" and ranks.rank == 1:
    loader = fastdl.data.DataLoader((np.ones((16, 3), np.float32), np.ones((16, 1))), 8)
if fault == "all":
    raise ValueError("on all ranks")
if fault == "order":
    ranks.backward(model(np.ones((2, 3), np.float32)).mean())
ranks.share(model, optimizer)
for step, (x, y) in enumerate(ranks.batches(loader)):
    if fault == "twice":
        ranks.backward(nn.MSELoss()(model(x), y))
    optimizer.zero_grad()
    ranks.backward(nn.MSELoss()(model(x), y))
    optimizer.step()
    if ranks.rank == 1 and step == 1:
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "raise":
            raise ValueError("on rank 1")
        if fault == "weights":
            model[1].bias.data += 1e-3
ranks.check(model, optimizer)
