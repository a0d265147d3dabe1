"""Course 4, week 1: convolution and pooling step by step, forward and backward.

The student has conv_forward, conv_backward, pool_forward, pool_backward with the loops of
the exercise, shapes (m, n_H, n_W, n_C), W (f, f, n_C_prev, n_C), b (1, 1, 1, n_C).
"""

import numpy as np

import fastdl
from fastdl import functional as F

np.random.seed(1)
A_prev = np.random.randn(2, 5, 7, 4)
W, b = np.random.randn(3, 3, 4, 8), np.random.randn(1, 1, 1, 8)
stride, pad = 2, 1


def conv_forward(A_prev, W, b):
    P = np.pad(A_prev, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    m, f = len(P), W.shape[0]
    H, V = (P.shape[1] - f) // stride + 1, (P.shape[2] - f) // stride + 1
    Z = np.zeros((m, H, V, W.shape[3]))
    for i, h, w, c in np.ndindex(Z.shape):
        window = P[i, h * stride : h * stride + f, w * stride : w * stride + f]
        Z[i, h, w, c] = np.sum(window * W[..., c]) + b[0, 0, 0, c]
    return Z, P


def conv_backward(dZ, P, W):
    dP, dW, f = np.zeros_like(P), np.zeros_like(W), W.shape[0]
    for i, h, w, c in np.ndindex(dZ.shape):
        rows, cols = (
            slice(h * stride, h * stride + f),
            slice(w * stride, w * stride + f),
        )
        dP[i, rows, cols] += W[..., c] * dZ[i, h, w, c]
        dW[..., c] += P[i, rows, cols] * dZ[i, h, w, c]
    return dP[:, pad:-pad, pad:-pad], dW, dZ.sum((0, 1, 2))


def pool(A, f, s, mode):
    H, V = (A.shape[1] - f) // s + 1, (A.shape[2] - f) // s + 1
    out = np.zeros((len(A), H, V, A.shape[3]))
    for i, h, w, c in np.ndindex(out.shape):
        out[i, h, w, c] = mode(A[i, h * s : h * s + f, w * s : w * s + f, c])
    return out


Z, P = conv_forward(A_prev, W, b)
dZ = np.random.randn(*Z.shape)
dA, dW, db = conv_backward(dZ, P, W)
x, weight, bias = (
    fastdl.Tensor(a, requires_grad=True) for a in (A_prev, W, b[0, 0, 0])
)
z = F.conv2d(x, weight, bias, stride=stride, padding=pad)
assert np.allclose(z.numpy(), Z, rtol=0, atol=1e-10)
z.backward(dZ)
assert np.allclose(x.grad, dA, rtol=0, atol=1e-10)
assert np.allclose(weight.grad, dW, rtol=0, atol=1e-10)
assert np.allclose(bias.grad, db, rtol=0, atol=1e-10)
assert np.allclose(
    F.max_pool2d(A_prev, 3, stride=2).numpy(), pool(A_prev, 3, 2, np.max)
)
assert np.allclose(
    F.avg_pool2d(A_prev, 3, stride=2).numpy(), pool(A_prev, 3, 2, np.mean)
)

a = fastdl.Tensor(A_prev, requires_grad=True)
top = F.max_pool2d(a, 3, stride=2)
dtop = np.random.randn(*top.shape)
top.backward(dtop)
by_hand = np.zeros_like(A_prev)
for i, h, w, c in np.ndindex(dtop.shape):
    window = A_prev[i, 2 * h : 2 * h + 3, 2 * w : 2 * w + 3, c]
    by_hand[i, 2 * h : 2 * h + 3, 2 * w : 2 * w + 3, c] += (
        window == window.max()
    ) * dtop[i, h, w, c]
assert np.allclose(a.grad, by_hand)
