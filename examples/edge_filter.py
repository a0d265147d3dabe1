"""Let backpropagation find an edge filter.

A filter that answers to vertical edges can be written by hand:

    1  0 -1
    1  0 -1
    1  0 -1

Here nobody writes it into the network. A convolution with one 3 x 3 filter starts with
random weights, sees noise pictures beside what the edge filter makes of them, and
gradient descent finds the nine numbers. (Deep Learning Specialization, course 4,
week 1: "treat the nine numbers as parameters".)

    python examples/edge_filter.py
"""

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import nn, optim

EDGE = np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]], np.float32)


def main(steps: int = 150) -> np.ndarray:
    """Learn the filter and use it; return its weights, (3, 3)."""
    fastdl.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((16, 12, 12, 1), dtype=np.float32)  # (n, h, w, c)
    target = F.conv2d(x, EDGE.reshape(3, 3, 1, 1))  # (kh, kw, c, oc)

    layer = nn.Conv2d(1, 1, 3, bias=False)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    for step in range(steps):
        optimizer.zero_grad()
        loss = F.mse_loss(layer(x), target)
        loss.backward()
        optimizer.step()
        if step % 30 == 0:
            print(f"step {step:3}  loss {loss.item():.6f}")

    learned = layer.weight.numpy()[:, :, 0, 0]
    print(f"\nthe filter:\n{np.round(learned, 3) + 0.0}")

    picture = np.repeat([[10, 10, 10, 0, 0, 0]], 6, axis=0)  # bright, then dark
    edges = layer(picture.reshape(1, 6, 6, 1)).numpy()[0, :, :, 0]
    print(f"\na bright half beside a dark one:\n{picture}")
    print(f"\nits edge:\n{np.round(edges).astype(int)}")
    return learned


if __name__ == "__main__":
    main()
