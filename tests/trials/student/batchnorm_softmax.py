"""Course 2, week 3: batch norm and softmax by hand.

The student has the equations of the lectures: z_norm = (z - mu) / sqrt(var + eps), z~ =
gamma z_norm + beta, softmax, and wants forward values, gradients and the running averages.
"""

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import nn, reference

np.random.seed(1)
m, n, classes, eps = 8, 5, 4, 1e-5
Z = np.random.randn(n, m) * 3 + 1
gamma, beta = np.random.randn(n, 1), np.random.randn(n, 1)
W, b = np.random.randn(classes, n), np.random.randn(classes, 1)
labels = np.random.randint(0, classes, m)
Y = np.eye(classes)[labels].T

# by hand, examples in columns
mu, var = Z.mean(1, keepdims=True), Z.var(1, keepdims=True)
Z_norm = (Z - mu) / np.sqrt(var + eps)
A = np.maximum(gamma * Z_norm + beta, 0)
T = np.exp(W @ A + b)
S = T / T.sum(0)
cost = -np.mean((Y * np.log(S)).sum(0))
dZ2 = (S - Y) / m
dA = W.T @ dZ2 * (A > 0)
dgamma, dbeta = (dA * Z_norm).sum(1), dA.sum(1)
d = gamma * dA
dZ = (
    d - d.mean(1, keepdims=True) - Z_norm * (d * Z_norm).mean(1, keepdims=True)
) / np.sqrt(var + eps)

# the library
norm, head = nn.BatchNorm1d(n, eps=eps, momentum=0.1), nn.Linear(n, classes)
model = nn.Sequential(norm, nn.ReLU(), head).astype("float64")
norm.weight.data[...], norm.bias.data[...] = gamma[:, 0], beta[:, 0]
head.weight.data[...], head.bias.data[...] = W.T, b[:, 0]
z = fastdl.Tensor(Z.T, requires_grad=True)
logits = model(z)
loss = nn.CrossEntropyLoss()(logits, labels)
loss.backward()
assert np.allclose(F.softmax(logits).numpy(), S.T, rtol=0, atol=1e-12)
assert abs(loss.item() - cost) < 1e-12
assert np.allclose(norm.weight.grad, dgamma, rtol=0, atol=1e-12)
assert np.allclose(norm.bias.grad, dbeta, rtol=0, atol=1e-12)
assert np.allclose(z.grad, dZ.T, rtol=0, atol=1e-12)

# running averages, beta = 0.9 in the course; the variance is the unbiased one here
assert np.allclose(norm.running_mean, 0.1 * mu[:, 0])
assert np.allclose(norm.running_var, 0.9 + 0.1 * Z.var(1, ddof=1))
model.eval()
one = model[0](Z.T[:1]).numpy()
by_hand = (
    gamma[:, 0] * (Z.T[:1] - norm.running_mean) / np.sqrt(norm.running_var + eps)
    + beta[:, 0]
)
assert np.allclose(one, by_hand, atol=1e-12)

# the reference kernels are NumPy that a student can call
y, mean, rstd = reference.batchnorm_forward(
    Z.T.copy(), gamma[:, 0], beta[:, 0], eps=eps
)
assert np.allclose(y, (gamma * Z_norm + beta).T, atol=1e-12) and np.allclose(
    mean, mu[:, 0]
)
assert np.allclose(
    reference.softmax_forward(np.array([[5.0, 2, -1, 3]])),
    [[0.842, 0.042, 0.002, 0.114]],
    atol=1e-3,
)
assert np.array_equal(F.hardmax(np.array([[5.0, 2, -1, 3]])).numpy(), [[1, 0, 0, 0]])
