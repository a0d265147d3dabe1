"""Module: what every layer, loss and model is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from types import GeneratorType
from typing import Any, ClassVar, TypeVar, overload

import numpy as np

from fastdl import exports, functional
from fastdl.autograd import Tensor, as_tensor, no_grad
from fastdl.data.pictures import as_float
from fastdl.errors import (
    ArgumentError,
    DtypeError,
    FastdlError,
    ShapeError,
    listed,
    suggest,
)
from fastdl.hooks import HookHandle
from fastdl.nn.layout import (
    from_pytorch,
    transposed_hint,
    warn_channels_first,
    warn_untransposed,
)
from fastdl.nn.summary import summary
from fastdl.nn.transfer import Transfer
from fastdl.nn.tree import label
from fastdl.shapes import holds_pictures, integer, real_dtype
from fastdl.structure import (
    Structure,
    entries,
    example_shapes,
    map_shapes,
    named_leaves,
)
from fastdl.typing import DtypeLike, Shape, ShapesLike

M = TypeVar("M", bound="Module")


class Module(Transfer):
    """Base class of layers, losses and models.

    Write a ``forward`` method and assign parameters and layers as attributes. They are
    found there, even inside nested lists, tuples and dicts; see `Tree`.
    ``super().__init__()`` is not needed. ::

        class Residual(nn.Module):
            def __init__(self, body):
                self.body = body

            def forward(self, x):
                return x + self.body(x)

    If the class is decorated with `fastdl.nn.register`, constructor arguments that are
    kept as attributes of the same names are saved with the model.
    """

    input_shape: Structure | None = None  # set by build: a shape, or several
    _takes_pictures: ClassVar[bool] = False  # only (n, h, w, c)
    _pytorch_axes: ClassVar[Shape] = ()  # of each axis of its weights, that in PyTorch
    _is_activation: ClassVar[bool] = False  # shares a line of the summary
    # Arguments that older files lack: they mean what the defaults say.
    _newer_arguments: ClassVar[tuple[str, ...]] = ()
    _is_loss: ClassVar[bool] = False  # its second input may be masks
    _keeps_arrays: ClassVar[bool] = False  # of a loss some are targets
    _forward_hooks: tuple[Callable, ...] = ()
    _initial_dtype = np.dtype(np.float32)  # of parameters that are still to be made

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output; every module defines its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method")

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """Run `forward`, after creating parameters whose sizes were open.

        Pictures of uint8 become float32 in [0, 1], as in a loader. After a tensor, or
        as the second input of a loss, they may be masks and are kept. Arrays of floats
        become tensors, so that a line of `forward` means the same in the first layer as
        behind it; not after a tensor, where they may be targets.

        The message of an error is extended by the name of the layer that raised it.
        """
        first = inputs[0] if inputs else next(iter(options.values()), None)
        if not isinstance(first, Tensor):
            if holds_pictures(first) or self._has_more_pictures(inputs, options):
                inputs = tuple(map(as_float, inputs))
                options = {name: as_float(value) for name, value in options.items()}
            if not self._keeps_arrays:
                inputs = tuple(map(_as_input, inputs))
                options = {name: _as_input(value) for name, value in options.items()}
                first = inputs[0] if inputs else next(iter(options.values()), None)
        try:
            if self._pending:
                self._infer_sizes(first)
            output = self.forward(*inputs, **options)
        except FastdlError as error:
            self._name_layer(error)
            raise
        except TypeError as error:  # of an operation that forward calls
            exports.explain(error, vars(functional))
            raise
        for hook in self._forward_hooks:
            hook(self, inputs, output)
        return output

    def _has_more_pictures(self, inputs: tuple, options: dict[str, Any]) -> bool:
        """Whether there are pictures of uint8 beside the first input of a model."""
        if self._is_loss or len(inputs) + len(options) < 2:
            return False
        return any(map(holds_pictures, (*inputs, *options.values())))

    def _name_layer(self, error: FastdlError) -> None:
        """Prefix the error's message with the path from here to the failing layer."""
        details = vars(error)
        layer = details.setdefault("layer", self)
        reason = details.setdefault("reason", str(error))
        for name, module in self.named_modules():
            if module is layer and name:
                error.args = (f"{label(name, layer)}: {reason}",)

    def _infer_sizes(self, x: Any) -> None:
        shape = as_tensor(x).shape[1:]
        if self._takes_pictures and isinstance(x, (np.ndarray, _Input)):
            warn_channels_first(type(self).__name__, shape)
        self._create_parameters(shape)

    def _create_parameters(self, input_shape: Shape) -> None:
        """Create the parameters whose sizes were left open; defined by layers."""

    @overload
    def build(self, input_shape: Sequence[int]) -> Shape: ...
    @overload
    def build(self, input_shape: ShapesLike) -> Structure: ...
    def build(self, input_shape: ShapesLike) -> Structure:
        """Infer every size that was left open from the shape of one example.

        An example of zeros is passed through the module in evaluation mode.

        Parameters
        ----------
        input_shape : sequence of int, or tuple or dict of them
            The shape of one example, without the batch axis: (h, w, c) or (features,).
            A module of several inputs has a tuple of shapes or, if it is called by
            names, a dict.

        Returns
        -------
        tuple of int, or tuple or dict of them
            The shape of the output, or of each output, for one example.

        Raises
        ------
        ShapeError
            A size is not a positive integer, or the shape does not fit a layer.
        DtypeError
            ``forward`` returns something other than a tensor, or a tuple or dict of
            them.
        ArgumentError
            ``class_names`` has not as many names as there are outputs.
        """
        shape = map_shapes(_checked, input_shape)
        dtype = self._dtype()
        zeros = map_shapes(lambda each: np.zeros((1, *each), dtype), shape)
        with no_grad(), self.mode(training=False):
            output = run(self, zeros)
        self.input_shape = shape
        output_shape = example_shapes(output)
        self._check_class_names(output_shape)
        return output_shape

    def _dtype(self) -> np.dtype:
        for module in self.modules():
            if module._pending:
                return module._initial_dtype
            for _, parameter in module._own_parameters():
                return parameter.dtype
        return Module._initial_dtype

    def register_forward_hook(
        self, hook: Callable[[Module, tuple, Any], object]
    ) -> HookHandle:
        """Call ``hook(module, inputs, output)`` after each run of this module.

        Hooks only watch: what they return is ignored.
        """
        self._forward_hooks = (*self._forward_hooks, hook)
        return HookHandle(partial(self._stop_calling, hook))

    def _stop_calling(self, hook: Callable) -> None:
        self._forward_hooks = tuple(h for h in self._forward_hooks if h is not hook)

    # Modes

    def train(self: M, mode: bool = True) -> M:
        """Switch to training: dropout drops, batch norm uses the batch; return self."""
        for module in self.modules():
            if module.training != mode:
                module.training = mode
        return self

    def eval(self: M) -> M:
        """Switch to evaluation; return self."""
        return self.train(False)

    @contextmanager
    def mode(self, training: bool) -> Iterator[None]:
        """Switch to training or evaluation for a block, then switch each module back.

        ::

            with model.mode(training=False), fastdl.no_grad():
                logits = model(x)
        """
        before = [(module, module.training) for module in self.modules()]
        if any(mode != training for _, mode in before):
            self.train(training)
        try:
            yield
        finally:
            for module, mode in before:
                if module.training != mode:
                    module.training = mode

    def zero_grad(self) -> None:
        """Forget all gradients (each ``grad`` becomes None)."""
        for parameter in self.parameters():
            parameter.grad = None

    def apply(self: M, function: Callable[[Module], object]) -> M:
        """Call `function` on the module and all modules inside; return self."""
        for module in self.modules():
            function(module)
        return self

    def astype(self: M, dtype: DtypeLike) -> M:
        """Convert parameters and floating buffers in place; return self.

        An optimiser that was made before must be made again.

        Raises
        ------
        DtypeError
            The type is neither float32 nor float64.
        GraphError
            A layer has a size that is still open.
        """
        dtype = real_dtype(dtype, "astype")
        for parameter in self.parameters():
            if parameter.dtype != dtype:
                parameter.data = parameter.data.astype(dtype)
                parameter.grad = parameter._grad_view = None
        for module in self.modules():
            for name in module._buffer_names:
                array = getattr(module, name)
                if array.dtype.kind == "f":
                    setattr(module, name, array.astype(dtype, copy=False))
        return self

    # State

    def _named_arrays(self) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        parameters = ((name, p.data) for name, p in self.named_parameters())
        for name, array in chain(parameters, self.named_buffers()):
            if name in arrays:
                self._refuse(f"two parameters or buffers are called '{name}'")
            arrays[name] = array
        return arrays

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copy all parameters and buffers into a dict by dotted name.

        The copies are a snapshot, which later steps do not change.
        """
        return {name: array.copy() for name, array in self._named_arrays().items()}

    def load_state_dict(
        self, state: Mapping[str, np.ndarray], strict: bool = True
    ) -> tuple[list[str], list[str]]:
        """Copy saved values into the existing parameters and buffers.

        Parameters
        ----------
        state : mapping of str to ndarray
            As returned by `state_dict`. float32 and float64 are converted.
        strict : bool
            Whether missing and unexpected names are errors.

        Returns
        -------
        tuple of list of str
            (missing names, unexpected names); both are empty if strict.

        Raises
        ------
        ShapeError
            An entry does not have the shape or kind of its parameter, strict or not.
        FastdlError
            Names are missing or unexpected. On any error nothing is changed.
        """
        own = self._named_arrays()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        if strict and (missing or unexpected):
            raise FastdlError(
                "load_state_dict: the names do not match this model"
                + listed("missing", missing, lambda name: "")
                + listed("unexpected", unexpected, lambda n: suggest(n, missing or own))
            )
        values = {name: np.asarray(state[name]) for name in own if name in state}
        wrong = [
            f"\n  '{name}': expected {own[name].dtype} of shape {own[name].shape}, "
            f"got {value.dtype} of shape {value.shape}"
            f"{transposed_hint(self, name, value.shape)}"
            for name, value in values.items()
            if value.shape != own[name].shape
            or not np.can_cast(value.dtype, own[name].dtype, "same_kind")
        ]
        if wrong:
            raise ShapeError("load_state_dict: entries do not fit" + "".join(wrong))
        warn_untransposed(self, from_pytorch(state), "load_state_dict")
        for name, value in values.items():
            own[name][...] = value
        for parameter in self.parameters():
            parameter.mark_changed()
        return missing, unexpected

    # Description

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this module again."""
        try:
            return {name: getattr(self, name) for name in _constructor(self)}
        except AttributeError as error:
            raise FastdlError(
                f"{type(self).__name__} cannot be described: keep each constructor "
                f"argument as an attribute of the same name, or write a config "
                f"method ({error})"
            ) from error

    def multiply_adds(self, output_shape: Shape) -> int:
        """Count the multiplications with weights for one example's output."""
        return 0

    def summary(self, input_shape: ShapesLike | None = None) -> str:
        """Return a table of layers, output shapes, parameters and multiply-adds.

        Parameters
        ----------
        input_shape : sequence of int, or tuple or dict of them, optional
            The shape of one example; by default the one given to `build`.
        """
        return summary(self, input_shape)

    def __repr__(self) -> str:
        head = f"{type(self).__name__}("
        lines = [
            f"  ({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self.named_children()
        ]
        if lines:
            return "\n".join([head, *lines, ")"])
        return f"{head}{', '.join(self._shown_arguments())})"

    def _shown_arguments(self) -> list[str]:
        """Return the constructor arguments as a user would write them."""
        try:
            config = self.config()
        except FastdlError:
            return []
        shown = []
        for name, argument in _constructor(self).items():
            if name not in config:
                continue
            if argument.default is argument.empty:
                shown.append(repr(config[name]))
            elif config[name] != argument.default:
                shown.append(f"{name}={config[name]!r}")
        return shown


class _Input(Tensor):
    """An array as the user gave it, and nothing that was computed."""

    __slots__ = ()


def _as_input(x: Any) -> Any:
    is_real = isinstance(x, np.ndarray) and x.dtype.char in "fd"
    return _Input(x) if is_real else x


def check_module(model: object, who: str) -> None:
    """Raise ArgumentError if `model` is not a Module."""
    if isinstance(model, Module):
        return
    got = f"{model!r:.60}"
    if isinstance(getattr(model, "model", None), Module):  # as that of a Trainer
        kind = type(model).__name__
        got = f"{kind}; give {kind.lower()}.model"
    elif isinstance(model, GeneratorType):  # as parameters() returns
        got = "a generator; give the model itself"
    elif isinstance(model, Mapping):
        got = "a dict; save_weights(model, path) saves what a state_dict holds"
    raise ArgumentError(f"{who}: model must be a Module, got {got}")


def _constructor(module: Module) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(type(module)).parameters


def _checked(shape: Shape) -> Shape:
    place = "build: each size of input_shape, of one example,"
    return tuple(integer(size, place) for size in shape)


def run(module: Module, x: Structure) -> Structure:
    """Run a module on its inputs: ``module(x)``, ``module(*x)`` or ``module(**x)``.

    Parameters
    ----------
    module : Module
        A tuple of inputs is passed in order, a dict by names.
    x : array, or tuple or dict of arrays
        A batch.

    Returns
    -------
    Tensor, or tuple or dict of Tensor
        The outputs.

    Raises
    ------
    ArgumentError
        ``forward`` does not take these inputs.
    DtypeError
        It returns something else.
    """
    try:
        if isinstance(x, np.ndarray):
            output = module(x)
        elif isinstance(x, tuple):
            output = module(*x)
        elif isinstance(x, Mapping):
            output = module(**x)
        else:
            output = module(x)
    except TypeError as error:
        _check_takes(module, x, error)
        raise
    if isinstance(output, Tensor):
        return output
    _check_tensors(module, output)
    return output


def required_inputs(module: Module) -> int:
    """Return how many inputs ``forward`` cannot do without."""
    parameters = inspect.signature(module.forward).parameters.values()
    return sum(
        each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        for each in parameters
    )


def _check_takes(module: Module, x: Structure, error: TypeError) -> None:
    """Raise ArgumentError if it is the inputs that ``forward`` does not take."""
    signature = inspect.signature(module.forward)
    inputs = x if isinstance(x, tuple) else () if isinstance(x, Mapping) else (x,)
    try:
        signature.bind(*inputs, **(x if isinstance(x, Mapping) else {}))
    except TypeError as reason:
        raise ArgumentError(
            f"forward of {type(module).__name__} takes {signature}, which does not fit "
            f"the inputs {entries(x, 'x')}: {reason}; a tuple of inputs is passed in "
            f"order, a dict by names"
        ) from error


def _check_tensors(module: Module, output: object) -> None:
    """Raise DtypeError unless the output is a tensor, or a tuple or dict of them."""
    for place, leaf in named_leaves(output, "output"):
        if isinstance(leaf, Tensor):
            continue
        got, hint = f"a {type(leaf).__name__}", ""
        if leaf is None:
            got, hint = "None", "; is a return missing?"
        elif isinstance(leaf, list):
            hint = "; several outputs are a tuple or a dict"
        elif isinstance(leaf, np.ndarray):
            hint = "; compute with fastdl, so that there are gradients"
        where = f" as {place}" if leaf is not output else ""
        raise DtypeError(
            f"forward of {type(module).__name__} must return a Tensor, got "
            f"{got}{where}{hint}"
        )
