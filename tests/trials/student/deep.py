"""Course 1, week 4: an L-layer network in float64 with the course's seeds.

The student has L_model_forward and L_model_backward, and wants the same activations,
cost and gradients from the library, to 1e-10, with weights put in by hand.
"""

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import nn, optim

np.random.seed(1)
sizes = [5, 4, 3, 1]
X = np.random.randn(5, 7)
Y = (np.random.rand(1, 7) > 0.5).astype(int)
parameters = {}
for l in range(1, 4):
    parameters[f"W{l}"] = np.random.randn(sizes[l], sizes[l - 1]) / np.sqrt(
        sizes[l - 1]
    )
    parameters[f"b{l}"] = np.random.randn(sizes[l], 1) * 0.1


def forward(X):
    A, caches = X, []
    for l in range(1, 4):
        Z = parameters[f"W{l}"] @ A + parameters[f"b{l}"]
        caches.append((A, Z))
        A = np.maximum(Z, 0) if l < 3 else 1 / (1 + np.exp(-Z))
    return A, caches


def backward(AL, caches):
    m, grads = X.shape[1], {}
    dZ = AL - Y
    for l in (3, 2, 1):
        A_prev, _ = caches[l - 1]
        grads[f"dW{l}"], grads[f"db{l}"] = dZ @ A_prev.T / m, dZ.mean(1, keepdims=True)
        if l > 1:
            dZ = parameters[f"W{l}"].T @ dZ * (caches[l - 2][1] > 0)
    return grads


AL, caches = forward(X)
cost = -np.mean(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))
grads = backward(AL, caches)


def dense(l):
    """A layer with the course's W, which is the transpose here, and b."""
    n_in, n_out = sizes[l - 1], sizes[l]
    layer = nn.Linear(n_in, n_out, weight_init=parameters[f"W{l}"].T, dtype="float64")
    layer.bias.data[...] = parameters[f"b{l}"][:, 0]
    return layer


model = nn.Sequential(dense(1), nn.ReLU(), dense(2), nn.ReLU(), dense(3), nn.Sigmoid())
x = fastdl.Tensor(X.T, requires_grad=True)
a = model(x)
assert np.allclose(a.numpy(), AL.T, rtol=0, atol=1e-12)
loss = nn.BCELoss()(a, Y.T)
assert abs(loss.item() - cost) < 1e-12
loss.backward()
for l in range(1, 4):
    layer = model[2 * l - 2]
    assert np.allclose(layer.weight.grad, grads[f"dW{l}"].T, rtol=0, atol=1e-12)
    assert np.allclose(layer.bias.grad, grads[f"db{l}"][:, 0], rtol=0, atol=1e-12)
# Z of the second layer, and dA0
assert np.allclose(model[:3](X.T).numpy(), caches[1][1].T, rtol=0, atol=1e-12)
assert x.grad.shape == X.T.shape
# the step
optimizer = optim.SGD(model.parameters(), lr=0.0075)
before = model[0].weight.data.copy()
optimizer.step()
assert np.allclose(
    model[0].weight.data, before - 0.0075 * grads["dW1"].T, rtol=0, atol=1e-15
)
assert "43 parameters" in model.summary((5,))
