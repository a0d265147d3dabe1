"""Mistakes that a type checker finds before the script runs; each line has one."""

import numpy as np

import fastdl
from fastdl import nn, optim

model = nn.Linear(2, 3, biass=True)
model(np.ones((1, 2))).bakward()
fastdl.tensor([1.0]).shape.append(1)
fastdl.manualseed(0)
optim.Adam(lr=0.1)
nn.ModuleList([model]).eval().fit()
fastdl.Trainer(model).fit((np.ones(2), np.ones(2)), epochs="3")
