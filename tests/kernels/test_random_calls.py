"""Random calls of every function: compiled against the reference, and within bounds.

Each call is drawn from a seed: its sizes, its options, how its arrays lie in memory.
Most of them end or begin at a page that may not be touched, and the pages of inputs may
not be written: a kernel that leaves its arrays ends the process, in the test whose name
says which function, instruction set and type it was.

The long form calls for 10 minutes, from a seed that no run had before. A failure says
the seed; `FASTDL_SEED=<seed>` begins with it.
"""

from __future__ import annotations

import ctypes
import inspect
import itertools
import mmap
import os
import time

import numpy as np
import pytest

from fastdl import kernels, reference, shapes
from fastdl.errors import ArgumentError

PAGE = mmap.PAGESIZE
NOTHING, READ, READ_AND_WRITE = 0, mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE
MOST = 300_000  # elements of an array of images
SECONDS = 2  # of each test's long form: 10 minutes in all, on one core
EPS = 1e-3  # of the norms; less makes the nearly equal differ by more than rounding
WINOGRAD, NORM = 14**2, 64  # so many times the terms: they round more often


def protect(memory, rights):
    """Let whole pages of memory be written, only read, or not even that."""
    libc = ctypes.CDLL(None, use_errno=True)
    start, size = ctypes.c_void_p(memory.ctypes.data), ctypes.c_size_t(memory.nbytes)
    if libc.mprotect(start, size, rights):
        raise OSError(ctypes.get_errno(), "mprotect")


class Draw:
    """The call of a seed: a method for each function draws its arguments.

    It returns them, the options, and how many terms the longest sum has, None where the
    reference says nothing (then only the bits are compared).
    """

    def __init__(self, seed, dtype):
        self.random = np.random.default_rng(seed)
        self.dtype = dtype
        self.has_strange_values = self.chance(0.1)

    def integer(self, low, high):
        return int(self.random.integers(low, high, endpoint=True))

    def pair(self, low, high):
        return self.integer(low, high), self.integer(low, high)

    def choice(self, *options):
        return options[self.integer(0, len(options) - 1)]

    def chance(self, probability):
        return self.random.random() < probability

    def size(self, most):
        """Mostly small: that is where vectors and tiles have their ends."""
        return self.integer(1, self.choice(min(8, most), min(40, most), most))

    def shape(self):
        """Of an operation on each element."""
        return self.choice(
            (),
            (self.integer(0, 3),),
            (self.size(70_000),),
            self.pair(1, 70),
            (*self.pair(1, 9), *self.pair(1, 9)),
        )

    # Arrays

    def guarded(self, values, rights=READ_AND_WRITE):
        """Return a copy that ends, or begins, at a page that may not be touched."""
        inner = -(-values.nbytes // PAGE) * PAGE
        memory = np.frombuffer(mmap.mmap(-1, inner + 2 * PAGE), np.uint8)
        protect(memory[:PAGE], NOTHING)
        protect(memory[PAGE + inner :], NOTHING)
        start = PAGE + self.choice(0, inner - values.nbytes)
        array = memory[start : start + values.nbytes].view(values.dtype)
        array = array.reshape(values.shape)
        array[...] = values
        if inner:
            protect(memory[PAGE : PAGE + inner], rights)
        return array

    def values(self, shape):
        values = self.random.standard_normal(shape).astype(self.dtype)
        if self.has_strange_values and values.size:
            limits = np.finfo(self.dtype)
            for _ in range(self.integer(0, 3)):
                values.flat[self.integer(0, values.size - 1)] = self.choice(
                    *(np.nan, np.inf, -np.inf, limits.max, limits.min),
                    *(limits.smallest_subnormal, -0.0),
                )
        return values

    def input(self, *shape):
        """Return normal numbers that may not be written, in any layout."""
        return self.laid_out(self.values(shape))

    def positive(self, *shape):
        values = self.random.random(shape).astype(self.dtype) + 0.1
        return self.laid_out(np.asarray(values, self.dtype))

    def laid_out(self, values):
        layout = self.choice("guarded", "guarded", "guarded", "plain", "odd")
        if layout == "guarded":
            values = self.guarded(values, READ)
        elif layout == "odd" and values.size:
            values = self.odd(values)
        values.flags.writeable = False
        return values

    def odd(self, values):
        """Return the values in memory as no kernel takes them."""
        kind = self.choice("swapped", "misaligned", "strided", "reversed", "by columns")
        if kind == "swapped":
            return values.astype(values.dtype.newbyteorder())
        if kind == "misaligned":
            memory = np.empty(values.nbytes + 1, np.uint8)
            array = memory[1:].view(values.dtype).reshape(values.shape)
            array[...] = values
            return array
        if kind == "by columns" or not values.ndim:
            return np.array(values, order="F")
        if kind == "reversed":
            return values[::-1].copy()[::-1]
        return np.repeat(values, 2, axis=-1)[..., ::2]

    def state(self, *shape, least=0.1):
        """Return an array that the call changes."""
        return self.guarded((self.random.random(shape) + least).astype(self.dtype))

    def out(self, *shape):
        """Return the option `out`, or none."""
        if self.chance(0.6):
            return {}
        return {"out": self.guarded(np.full(shape, np.nan, self.dtype))}

    # Products

    def activation(self, terms):
        """Return a fused activation and the terms: it may hide how large a sum was."""
        name = self.choice(None, *shapes.ACTIVATIONS)
        return name, terms if name is None else terms**2

    def matmul(self):
        m, k, n = (
            self.choice(self.integer(0, 4), self.size(300), self.choice(64, 256, 512))
            for _ in range(3)
        )
        if self.chance(0.1):
            m, k, n = self.integer(1, 60), self.integer(1000, 9000), self.integer(1, 60)
        transpose_a, transpose_b = self.chance(0.5), self.chance(0.5)
        a = self.input(*((k, m) if transpose_a else (m, k)))
        b = self.input(*((n, k) if transpose_b else (k, n)))
        activation, terms = self.activation(k)
        options = {
            "transpose_a": transpose_a,
            "transpose_b": transpose_b,
            "activation": activation,
            **self.out(m, n),
        }
        return (a, b, self.choice(None, self.input(n))), options, terms

    def stacked_matmul(self):
        stack = (self.choice(0, self.integer(1, 30)),)
        m, k, n = (self.choice(self.integer(0, 4), self.size(100)) for _ in range(3))
        transpose_a, transpose_b = self.chance(0.5), self.chance(0.5)
        of_a, of_b = self.choice((stack, stack), (stack, ()), ((), stack))
        a = self.input(*of_a, *((k, m) if transpose_a else (m, k)))
        b = self.input(*of_b, *((n, k) if transpose_b else (k, n)))
        return (a, b), {"transpose_a": transpose_a, "transpose_b": transpose_b}, k

    def convolution(self):
        """Return the shapes of x, of the weights and of y, and the options."""
        kind = self.choice("depthwise", "groups", "plain", "plain", "plain", "plain")
        groups = 1 if kind == "plain" else self.integer(2, 4)
        c, oc = self.size(130 // groups) * groups, self.size(130 // groups) * groups
        if kind == "depthwise":
            groups = c = self.size(70)
            oc = c * self.choice(1, 1, 1, 2)
        kernel = (3, 3) if self.chance(0.5) else self.pair(1, 7)
        stride = dilation = (1, 1)
        if self.chance(0.5):
            stride = self.choice(self.pair(1, 5), self.pair(1, 5), (10**9, 2))
            dilation = self.choice((1, 1), self.pair(1, 3))
        padding = self.choice(
            *("valid", "same", ((1, 1), (1, 1)), (self.pair(0, 6), self.pair(0, 6)))
        )
        window = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        size = self.image(window, padding)
        n = self.choice(0, 1, 2, self.integer(1, 9))
        n = min(n, MOST // (size[0] * size[1] * c) + 1)
        x, weight = (n, *size, c), (*kernel, c // groups, oc)
        options = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
        }
        geometry = shapes.conv2d(x, weight, **options)
        options["algorithm"] = self.choice("auto", "direct", "winograd")
        return x, weight, (n, geometry.oh, geometry.ow, oc), options

    def image(self, window, padding):
        """Return the height and the width of images that a window fits in."""
        sides = padding
        if isinstance(padding, str):
            sides = [(w if padding == "same" else 0, 0) for w in window]
        more = self.choice(3, 12, 40)
        return [
            max(1, w - sum(side)) + self.integer(0, more)
            for w, side in zip(window, sides, strict=True)
        ]

    def conv2d_forward(self):
        x, weight, y, options = self.convolution()
        bias = self.choice(None, self.input(y[-1]))
        activation, terms = self.activation(int(np.prod(weight[:3])))
        options |= {"activation": activation, **self.out(*y)}
        return (self.input(*x), self.input(*weight), bias), options, WINOGRAD * terms

    def conv2d_backward_input(self):
        x, weight, y, options = self.convolution()
        terms = WINOGRAD * weight[0] * weight[1] * y[-1]
        return (self.input(*y), self.input(*weight), x), options, terms

    def conv2d_backward_weight(self):
        x, weight, y, options = self.convolution()
        terms = WINOGRAD * int(np.prod(y[:3]))
        options["with_bias"] = self.chance(0.7)
        return (self.input(*y), self.input(*x), weight[:2]), options, terms

    # Images

    def pooling(self):
        """Return the shapes of x and of y, the window and the options."""
        kernel = self.choice((2, 2), (3, 3), self.pair(1, 5), self.pair(1, 5))
        if self.chance(0.1):
            kernel = self.pair(14, 20)  # more places than a byte counts
        stride = self.choice(None, 1, 2, self.pair(1, 6))
        padding = self.choice(
            "same" if stride == 1 else "valid",
            tuple(self.pair(0, k - 1) for k in kernel),
        )
        ceil_mode = self.chance(0.3)
        x = (self.integer(0, 3), *self.image(kernel, padding), self.size(140))
        rounding = "ceil" if ceil_mode else "floor"
        s = shapes.pool2d(x, kernel, stride, padding, rounding=rounding)
        options = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
        return x, (s.n, s.oh, s.ow, s.c), kernel, options

    def max_pool2d_forward(self):
        x, _, kernel, options = self.pooling()
        return (self.input(*x), kernel), options, 1

    def max_pool2d_backward(self):
        """Also with places that lie in no window."""
        x, y, kernel, options = self.pooling()
        _, argmax = reference.max_pool2d_forward(
            np.round(self.values(x)), kernel, **options
        )
        wild = self.chance(0.3)
        if wild:
            limits = np.iinfo(argmax.dtype)
            argmax = self.random.integers(
                limits.min, limits.max, y, argmax.dtype, endpoint=True
            )
        terms = None if wild else kernel[0] * kernel[1]
        return (self.input(*y), self.guarded(argmax), x, kernel), options, terms

    def avg_pool2d_forward(self):
        x, _, kernel, options = self.pooling()
        options["count_include_pad"] = self.chance(0.6)
        return (self.input(*x), kernel), options, kernel[0] * kernel[1]

    def avg_pool2d_backward(self):
        x, y, kernel, options = self.pooling()
        options["count_include_pad"] = self.chance(0.6)
        return (self.input(*y), x, kernel), options, kernel[0] * kernel[1]

    def global_avg_pool2d_forward(self):
        x, *_ = self.pooling()
        return (self.input(*x),), {}, x[1] * x[2]

    def global_avg_pool2d_backward(self):
        x, *_ = self.pooling()
        return (self.input(x[0], x[3]), x), {}, 1

    def scaling(self):
        """Return the shapes of x and of its factors."""
        n, c = self.choice(0, 1, self.size(9)), self.size(300)
        pixels = self.choice((), (self.size(200),), self.pair(0, 30))
        return (n, *pixels, c), (n, *(1 for _ in pixels), c)

    def scale_forward(self):
        x, factors = self.scaling()
        return (self.input(*x), self.input(*factors)), {}, 1

    def scale_backward(self):
        x, factors = self.scaling()
        arguments = self.input(*x), self.input(*x), self.input(*factors)
        return arguments, {}, max(1, int(np.prod(x[1:-1])))

    def adaptive_pooling(self):
        """Return the shapes of x and of y, and the size that is asked for."""
        x = (self.integer(0, 3), self.size(40), self.size(40), self.size(140))
        side = self.choice(None, 1, 7, self.size(40))
        output_size = self.choice(side, (side, self.size(40)), (self.size(40), None))
        return x, (x[0], *shapes.adaptive_pool2d(x, output_size), x[3]), output_size

    def adaptive_avg_pool2d_forward(self):
        x, _, output_size = self.adaptive_pooling()
        return (self.input(*x), output_size), {}, x[1] * x[2]

    def adaptive_avg_pool2d_backward(self):
        x, y, output_size = self.adaptive_pooling()
        return (self.input(*y), x, output_size), {}, y[1] * y[2]

    def upsampling(self):
        """Return the shapes of x and of y, and the options."""
        x = (self.integer(0, 3), self.size(20), self.size(20), self.size(100))
        options = self.choice(
            {"size": (self.size(60), self.size(60))},
            {"scale_factor": self.choice(2, 2, 3, 1.5, (2.7, 1))},
        ) | self.choice(
            {},
            {"mode": "bilinear"},
            {"mode": "bilinear", "align_corners": True},
        )
        size, _ = shapes.upsample(x, options.get("size"), options.get("scale_factor"))
        return x, (x[0], *size, x[3]), options

    def upsample_forward(self):
        x, _, options = self.upsampling()
        return (self.input(*x),), options, 4

    def upsample_backward(self):
        x, y, options = self.upsampling()
        return (self.input(*y), x), options, y[1] * y[2]

    def affine_warp(self):
        n, (h, w), c = self.integer(0, 3), self.pair(1, 12), self.integer(1, 5)
        matrix = self.input(n, 2, 3)
        displacement = self.choice(None, self.input(n, 2, h, w))
        options = {"fill": self.choice(*shapes.FILLS)}
        terms = 10**4  # a point is less exact than a pixel is large
        return (self.input(n, h, w, c), matrix, displacement), options, terms

    # Norms

    def batch(self):
        """Return the shape of a batch and the number of values of a channel."""
        lead = self.choice(
            self.pair(2, 9), (self.size(400) + 1,), (*self.pair(1, 12), 2)
        )
        return (*lead, self.size(300)), int(np.prod(lead))

    def batchnorm_forward(self):
        x, count = self.batch()
        c = x[-1]
        running = self.choice((), (self.state(c), self.state(c)))
        options = self.norm_options(x) | self.combination()
        options["momentum"] = self.choice(0.1, 0.9)
        arguments = self.input(*x), self.input(c), self.input(c), *running
        return arguments, options, NORM * count

    def batchnorm_inference(self):
        x, _ = self.batch()
        vectors = (self.input(x[-1]) for _ in range(3))
        arguments = self.input(*x), *vectors, self.positive(x[-1])
        return arguments, self.norm_options(x), NORM

    def combination(self):
        """Return the option of processes that share a batch: here it is one."""
        return self.choice({}, {}, {"combine": lambda *statistics: statistics})

    def norm_options(self, x):
        return {
            "eps": EPS,
            "residual": self.choice(None, self.input(*x)),
            "activation": self.choice(None, "relu", "relu6", "silu"),
        }

    def batchnorm_backward(self):
        x, count = self.batch()
        gamma, mean, rstd = self.input(x[-1]), self.input(x[-1]), self.positive(x[-1])
        # Near 0 it would depend on the rounding of z whether ReLU lets a gradient pass.
        options = (
            self.choice(
                {},
                {"y": self.input(*x), "activation": self.choice("relu", "relu6")},
                {"beta": self.input(x[-1]), "activation": "silu"},
            )
            | self.combination()
        )
        arguments = self.input(*x), self.input(*x), gamma, mean, rstd
        return arguments, options, NORM * count

    def grouped(self):
        """Return the shape of examples, the groups, and the terms of a sum."""
        groups = self.choice(1, 1, self.integer(1, 6))
        c = groups * self.size(200)
        pixels = self.choice((), (), self.pair(1, 20), self.pair(30, 60))
        n = self.choice(0, 1, self.size(40), self.integer(500, 700))
        if self.chance(0.05):
            pixels, groups, c = (), 1, self.integer(1000, 40_000)
        per_example = int(np.prod(pixels)) * c
        n = min(n, MOST // per_example + 1)
        return (n, *pixels, c), groups, NORM * max(n, per_example)

    def layernorm_forward(self):
        x, groups, terms = self.grouped()
        arguments = self.input(*x), self.input(x[-1]), self.input(x[-1])
        return arguments, {"groups": groups, "eps": EPS}, terms

    def layernorm_backward(self):
        x, groups, terms = self.grouped()
        mean, rstd = self.input(x[0], groups), self.positive(x[0], groups)
        arguments = self.input(*x), self.input(*x), self.input(x[-1]), mean, rstd
        return arguments, {}, terms

    # Elements

    def add(self):
        shape = self.shape()
        return (self.input(*shape), self.input(*shape)), self.out(*shape), 1

    def power(self):
        exponent = self.choice(self.integer(-12, 12) / 2, 0.3, -7.0)
        return (self.positive(*self.shape()), exponent), {}, 8

    def power_backward(self):
        shape = self.shape()
        (x, exponent), options, terms = self.power()
        x = self.positive(*shape)
        return (self.input(*shape), x, exponent), options, terms

    def copy(self):
        """Also into a part of a larger array, of which the rest stays."""
        shape = self.choice(self.shape(), (*self.pair(1, 9), *self.pair(1, 70)))
        if self.chance(0.3) or not shape:
            return (self.input(*shape), self.state(*shape)), {}, 1
        whole = self.state(*(n + self.integer(0, 2) for n in shape))
        ends = zip(shape, whole.shape, strict=True)
        part = tuple(slice(end - n, end) for n, end in ends)
        return (self.input(*shape), whole[part]), {}, 1

    def function(self):
        """Return the name of an activation and its parameter."""
        kind = self.choice(*shapes.ACTIVATIONS)
        parameter = shapes.ACTIVATIONS[kind].parameter
        if parameter is None:
            return kind, {}
        values = [None, 0.3, 2.5, *(() if parameter.positive else (0.0, -0.5))]
        return kind, {"parameter": self.choice(*values)}

    def activation_forward(self):
        kind, options = self.function()
        return (self.input(*self.shape()), kind), options, 64

    def activation_backward(self):
        kind, options = self.function()
        x = self.input(*self.shape())
        with np.errstate(all="ignore"):
            y = np.asarray(reference.activation_forward(x, kind, **options), self.dtype)
        return (self.input(*x.shape), x, self.laid_out(y), kind), options, 64

    def slopes(self):
        """Return the shape of x, and its slopes."""
        shape = (*self.shape()[:3], self.size(300))
        shape = (min(shape[0], MOST // int(np.prod(shape[1:])) + 1), *shape[1:])
        return shape, self.input(self.choice(1, shape[-1]))

    def prelu_forward(self):
        shape, weight = self.slopes()
        return (self.input(*shape), weight), {}, 1

    def prelu_backward(self):
        shape, weight = self.slopes()
        arguments = self.input(*shape), self.input(*shape), weight
        return arguments, {}, int(np.prod(shape))

    def dropout_forward(self):
        keep_prob = self.choice(0.5, 0.9, 1.0, 1e-9)
        offset = self.choice(0, 7, 2**64 - 5)
        options = {"seed": self.integer(0, 2**63 - 1), "offset": offset}
        return (self.input(*self.shape()), keep_prob), options, 1

    dropout_backward = dropout_forward

    def gather(self):
        dtype = np.dtype(self.choice("u1", "u1", "f4", "f8", "i8", "?", "i2", "f2"))
        n = self.integer(1, 50)
        shape = self.choice((), (self.integer(0, 40),), (*self.pair(1, 9), 3))
        x = (self.random.random((n, *shape)) * 255).astype(dtype)
        self.dtype = np.dtype("float32") if dtype == np.uint8 else dtype  # of the rows
        return (self.guarded(x), self.random.integers(0, n, self.integer(0, 60))), {}, 1

    def gather_backward(self):
        lead = self.choice((), (), (self.size(40),), self.pair(1, 5))
        row = self.choice((), (self.size(300),), self.pair(1, 20))
        count, n = self.size(3000), self.integer(0, 60)
        indices = self.random.integers(0, count, n)
        return (self.input(*lead, n, *row), indices, count, len(lead)), {}, n + 1

    # Losses

    def softmax_forward(self):
        shape = (self.integer(0, 40), *self.choice((), (2,)), self.size(3000))
        return (self.input(*shape),), {}, shape[-1]

    log_softmax_forward = softmax_forward

    def labels(self, n, classes):
        if self.chance(0.5):
            dtype = self.choice(np.int64, np.int32, np.uint16)
            return self.random.integers(0, classes, n).astype(dtype)
        rows = self.random.dirichlet(np.ones(classes), n)
        return self.laid_out(rows.astype(self.choice("float32", "float64")))

    def softmax_cross_entropy_forward(self):
        n, classes = self.integer(0, 40), self.size(3000)
        options = {"scale": self.choice(None, 1 / max(n, 1))}
        arguments = self.input(n, classes), self.labels(n, classes)
        return arguments, options, n + classes

    def softmax_cross_entropy_backward(self):
        n, classes = self.integer(0, 40), self.size(3000)
        dloss = self.choice(self.input(n), self.input())
        return (self.input(n, classes), self.labels(n, classes), dloss), {}, 4

    def targets(self, shape):
        """Return probabilities, of which some are missing."""
        values = self.random.random(shape).astype(self.dtype)
        missing = self.random.random(shape) < 0.2
        return self.laid_out(np.where(missing, self.dtype.type(np.nan), values))

    def sigmoid_cross_entropy_forward(self):
        shape = self.shape()
        return (self.input(*shape), self.targets(shape)), {}, 4

    def sigmoid_cross_entropy_backward(self):
        shape = self.shape()
        arguments = self.input(*shape), self.targets(shape), self.input(*shape)
        return arguments, {}, 4

    # Updates

    def update(self):
        """Return the parameter, its gradient, and the options of every optimizer."""
        shape = self.shape()
        options = {"lr": 0.1, "weight_decay": self.choice(0.0, 0.01)}
        self.small = self.choice({}, {"eps": EPS})
        return (self.state(*shape), self.input(*shape)), options

    def sgd_step(self):
        (param, grad), options = self.update()
        velocity = self.state(*param.shape)
        if self.chance(0.3):
            return (param, grad, self.choice(None, velocity)), options, 4
        options |= {"momentum": 0.9} | self.choice(
            {}, {"dampening": 0.3}, {"nesterov": True}
        )
        return (param, grad, velocity), options, 4

    def rmsprop_step(self):
        (param, grad), options = self.update()
        square = self.state(*param.shape, least=2)  # above the square of the mean
        mean = self.choice(None, self.state(*param.shape))
        velocity = None
        if self.chance(0.5):
            velocity = self.state(*param.shape)
            options["momentum"] = 0.9
        options |= self.small | self.choice({}, {"beta": 0.99})
        return (param, grad, square, mean, velocity), options, 4

    def adagrad_step(self):
        (param, grad), options = self.update()
        return (param, grad, self.state(*param.shape)), options | self.small, 4

    def adam_step(self):
        (param, grad), options = self.update()
        m, v, largest = (self.state(*param.shape) for _ in range(3))
        options |= {
            "decoupled": self.chance(0.5),
            "step": self.choice(1, 2, 1000, 10**9),
        }
        options |= self.small | self.choice({}, {"beta1": 0.5, "beta2": 0.99})
        return (param, grad, m, v, self.choice(None, largest)), options, 4

    # Penalties

    def l1_penalty_forward(self):
        return (self.input(*self.shape()), 0.3), {}, 16

    def l1_penalty_backward(self):
        return (self.input(), self.input(*self.shape()), 0.3), {}, 1

    l2_penalty_forward, l2_penalty_backward = l1_penalty_forward, l1_penalty_backward

    def max_norm_step(self):
        weight = self.state(*(self.shape() or (1,)))
        return (weight,), {"limit": self.choice(0.01, 1.0, 30.0, 1e9)}, 4


def wide(value):
    """Return the value for the reference: of twice the digits where it has few."""
    if not isinstance(value, np.ndarray):
        return value
    array = value.astype(np.float64 if value.dtype.kind == "f" else value.dtype)
    array.flags.writeable = value.flags.writeable
    return array


def run(function, arguments, options):
    """Return copies of the results and of the arrays that the call changed."""
    changed = [
        array
        for array in arguments
        if isinstance(array, np.ndarray) and array.flags.writeable
    ]
    before = [array.copy() for array in changed]
    results = function(*arguments, **options)
    if not isinstance(results, tuple):
        results = () if results is None else (results,)
    results = tuple(np.array(array) for array in (*results, *changed))
    for array, values in zip(changed, before, strict=True):
        array[...] = values
    return results


def each_algorithm(use_row):
    """Let each algorithm of convolution compute in turn, at last the chosen one."""
    for row in itertools.count():
        try:
            use_row(row)
        except ArgumentError:  # beyond the table
            break
        yield row
    use_row(-1)
    yield -1


def seeds(few):
    """Yield 0 to few - 1; without `few` any, for some seconds."""
    if few:
        yield from range(few)
        return
    new = np.random.SeedSequence().entropy % 10**9
    first = int(os.environ.get("FASTDL_SEED") or new)
    end = time.monotonic() + SECONDS
    for seed in itertools.count(first):
        yield seed
        if time.monotonic() > end:
            return


LONG = pytest.param(None, marks=pytest.mark.soak, id="long")


@pytest.mark.parametrize("name", reference.__all__)
def test_every_option_is_drawn(name):
    signature = inspect.signature(getattr(kernels, name))
    left = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if parameter.default is not parameter.empty
    }
    for seed in range(300):
        arguments, options, _ = getattr(Draw(seed, np.dtype(np.float32)), name)()
        given = signature.bind(*arguments, **options).arguments
        for option in [*left]:
            value, usual = given.get(option), left[option]
            if isinstance(value, np.ndarray) or value not in (None, usual):
                del left[option]
        if not left:
            return
    raise AssertionError(f"{name} is never called with {', '.join(left)}")


@pytest.mark.parametrize("few", [8, LONG])
@pytest.mark.parametrize("name", reference.__all__)
def test_random_calls(
    name, few, isa, dtype, use_row, assert_close, same_bits_for_threads
):
    """Convolutions by each algorithm that fits."""

    def compiled():
        return run(getattr(kernels, name), arguments, options)

    def check(expected, terms):
        for result, wanted in zip(compiled(), expected, strict=True):
            if result.dtype.kind == "f":
                assert_close(result, wanted.astype(draw.dtype), terms)
            else:
                assert result.dtype == wanted.dtype
                np.testing.assert_array_equal(result, wanted)

    for seed in seeds(few):
        draw = Draw(seed, dtype)
        arguments, options, terms = getattr(draw, name)()
        has_value = terms is not None and not draw.has_strange_values
        if has_value:
            exact = {key: wide(value) for key, value in options.items() if key != "out"}
            expected = run(getattr(reference, name), [*map(wide, arguments)], exact)
        for row in each_algorithm(use_row) if name.startswith("conv2d") else [-1]:
            try:
                if has_value:
                    check(expected, terms)
                same_bits_for_threads(compiled)
            except ArgumentError as error:
                if "does not fit" not in str(error):
                    raise
            except AssertionError as error:
                raise AssertionError(
                    f"seed {seed}, algorithm {row}: {error}"
                ) from error
