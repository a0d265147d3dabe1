"""Tensors as in PyTorch: views, permute, cat, stack, masks, indexing, einsum, bmm,
detach, item, numpy, hooks, retain_grad, no_grad, requires_grad, in-place."""

import numpy as np

import fastdl
import fastdl.functional as F

t = fastdl.tensor(np.arange(24).reshape(2, 3, 4))
assert t.dtype == np.float32
assert t.view(6, 4).shape == (6, 4) and t.view(-1).shape[0] == 24 and t.ndim == 3
assert t.transpose(2, 0, 1).shape == (4, 2, 3) and t.transpose(1, 0, 2).view(
    3, 8
).shape == (3, 8)
assert F.concatenate([t, t], axis=1).shape == (2, 6, 4) and F.stack(
    (t, t), axis=0
).shape == (2, 2, 3, 4)
assert t[:, 1, ...].shape == (2, 4) and t[t > 20].numpy().tolist() == [21.0, 22.0, 23.0]
assert t[:, None, :, -1].shape == (2, 1, 3) and t[[1, 0]][0, 0, 0].item() == 12
assert F.broadcast_to(t.squeeze().unsqueeze(0), (5, 2, 3, 4)).shape == (5, 2, 3, 4)
rng = np.random.default_rng(0)
a, b = (
    fastdl.tensor(rng.standard_normal((5, 2, 3))),
    fastdl.tensor(rng.standard_normal((5, 3, 4))),
)
assert np.allclose(
    F.matmul(a, b).numpy(), F.einsum("bij,bjk->bik", a, b).numpy(), atol=1e-5
)
assert np.allclose(F.matmul(a, b).numpy(), (a @ b).numpy()) and a.transpose(
    0, 2, 1
).shape == (5, 3, 2)
values, indices = t.max(axis=2), t.argmax(axis=2)
assert indices[0, 0] == 3 and values[1, 2].item() == 23
assert F.where(t > 3, t, 0.0).sum().item() == t.sum().item() - 6
assert F.where(t > 3, -1.0, t).min().item() == -1
picked = F.take_along_axis(
    fastdl.tensor([[1.0, 2], [3, 4]]), np.array([[0], [1]]), axis=1
)
assert picked.flatten().numpy().tolist() == [1, 4]
u = fastdl.tensor(np.ones(3))
u += 1
u *= 2
u += 1
u[0] = 7
u.data.clip(max=6, out=u.data)
assert u.numpy().tolist() == [6, 5, 5]
parts = t.split(1, axis=1)
assert len(parts) == 3 and t.split(1)[0].shape == (1, 3, 4)

x = fastdl.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = x * x
y.retain_grad()
seen = []
handle = y.register_hook(lambda g: seen.append(g.copy()))
z = y.sum()
z.backward(retain_graph=True)
assert x.grad.tolist() == [2, 4, 6] and y.grad.tolist() == [1, 1, 1] and len(seen) == 1
z.backward()
assert x.grad.tolist() == [4, 8, 12]  # accumulated
x.grad = None
with fastdl.no_grad():
    x -= 0.1 * x
    assert not (x * 2).requires_grad
assert np.allclose(x.detach().numpy(), [0.9, 1.8, 2.7])
assert np.allclose((x * 2).numpy(), [1.8, 3.6, 5.4])
w = fastdl.tensor([0.0, 0.0, 0.0], requires_grad=True)
(((x.detach() * w).sum() - 1) ** 2).backward()
assert w.grad is not None and w.grad.shape == w.shape
n = fastdl.Tensor(np.eye(3, dtype=np.float32))
assert n.dtype == np.float32 and n.astype(np.float64).dtype == np.float64
lin = fastdl.nn.Linear(3, 2)
grabbed = {}
handle = lin.register_forward_hook(lambda m, i, o: grabbed.update(out=o.detach()))
lin(n)
handle.remove()
assert grabbed["out"].shape == (3, 2)
assert np.allclose(F.softmax(n, axis=-1).sum(-1).numpy(), 1)
assert isinstance(n, fastdl.Tensor) and n.logsumexp(axis=1).shape == (3,)
assert (
    n.std().item() > 0
    and n.norm().item() > 1.7
    and n.cumsum(0)[-1].numpy().tolist() == [1, 1, 1]
)
