"""A model is a tree: how modules find parameters, buffers and each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from types import GeneratorType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from fastdl.autograd import Leaf, Tensor
from fastdl.errors import ArgumentError, GraphError
from fastdl.exports import ModuleWords
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl.nn.module import Module

_CONTAINERS = (list, tuple, dict)
_UNORDERED: tuple[type, ...] = (set, frozenset, deque, type({}.values()))
_ONE_PASS = (GeneratorType, map, filter)  # searching one would exhaust it


class Tree(ModuleWords):
    """The base of `Module`: its attributes, and what is found in them.

    Parameters and modules are found as attributes and in nested lists, tuples and
    dicts. These are searched at each call, so they may change at any time. Names are
    paths: "head.weight", "heads.0.weight", "heads.left.weight".

    Assigning raises if something would get lost: a value of another kind in place of a
    parameter, module or buffer; a tensor that needs a gradient but is no `Parameter`;
    parameters or modules in a set or a generator, or under a key that is not a name.
    """

    _pending: bool = False  # whether parameters still wait for the input size
    _parameter_names: ClassVar[tuple[str, ...]] = ()  # these hold a parameter or None
    _buffer_names: tuple[str, ...] = ()

    # Assigning

    def __setattr__(self, name: str, value: object) -> None:
        before = vars(self).get(name)
        if name in self._parameter_names or isinstance(before, Parameter):
            self._check_parameter(name, value)
        elif name in self._buffer_names:
            value = self._as_buffer(name, value)
        elif type(before) not in _PLAIN and not isinstance(value, _REPLACEMENTS):
            for path, _ in self._held(name, before):
                self._refuse(
                    f"'{path}' is trained, or a layer, and would be lost; assign a "
                    f"Module, or None to take it away, got {type(value).__name__}"
                )
        if type(value) not in _PLAIN:
            for _ in self._held(name, value):  # raises for members without a name
                pass
        super().__setattr__(name, value)

    def _check_parameter(self, name: str, value: object) -> None:
        if value is not None and not isinstance(value, Parameter):
            self._refuse(
                f"'{name}' is a parameter; write .{name}.data[...] = values to change "
                f"its values, .{name} = nn.Parameter(values) for another one, or "
                f".{name} = None for none, got {type(value).__name__}"
            )

    def _as_buffer(self, name: str, value: object) -> np.ndarray:
        if not isinstance(value, (np.ndarray, np.generic)):
            self._refuse(
                f"'{name}' is a buffer, which is saved with the model; assign a NumPy "
                f"array, got {type(value).__name__}"
            )
        return np.asarray(value)  # counter + 1 is a number, not an array

    def _refuse(self, problem: str) -> NoReturn:
        raise ArgumentError(f"{type(self).__name__}: {problem}")

    # Finding

    def _members(self) -> Iterator[tuple[str, Any]]:
        """Yield (name, parameter or module) of everything in the attributes."""
        for name, value in self._attributes():
            if type(value) not in _PLAIN:
                yield from self._held(name, value)

    def _attributes(self) -> Iterable[tuple[str, object]]:
        """Return (name, value) of the attributes, under the names that members get."""
        return vars(self).items()

    def _held(
        self, name: str, value: object, around: tuple[int, ...] = ()
    ) -> Iterator[tuple[str, Any]]:
        """Yield (name, parameter or module) of everything that a value is or contains.

        `around` are the ids of the enclosing containers, since one may contain itself.
        """
        if isinstance(value, (Tree, Parameter)):
            yield name, value
        elif isinstance(value, _CONTAINERS):
            if id(value) in around:
                return
            around = (*around, id(value))
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in pairs:
                if isinstance(item, _LOOKED_AT):
                    for member in self._held(join(name, key), item, around):
                        self._check_key(name, key)
                        yield member
        elif isinstance(value, _LOOKED_AT):
            self._check_findable(name, value)

    def _check_key(self, name: str, key: object) -> None:
        """Raise unless a key can be part of a dotted name."""
        is_name = isinstance(key, str) and key and "." not in key
        if not (is_name or isinstance(key, int)):
            self._refuse(
                f"the key {key!r} of '{name}' cannot be part of a parameter's name; "
                f"use a string without dots, or an integer"
            )

    def _check_findable(self, name: str, value: Any) -> None:
        """Raise if a value hides something that is meant to be trained."""
        kind = type(value).__name__
        if isinstance(value, Tensor):
            if isinstance(value._node, Leaf):
                self._refuse(
                    f"'{name}' is a Tensor that needs a gradient, but only a Parameter "
                    f"is trained and saved; write nn.Parameter(values), or keep its "
                    f"detach() if it is not meant to be trained"
                )
        elif isinstance(value, _ONE_PASS):
            self._refuse(
                f"'{name}' is a {kind} object, which can be run through only once; "
                f"write list(...)"
            )
        elif not isinstance(value, np.ndarray) or value.dtype.kind == "O":
            items = value.flat if isinstance(value, np.ndarray) else value
            if any(isinstance(item, (Tree, Parameter)) for item in items):
                self._refuse(
                    f"'{name}' holds parameters or layers in a {kind}, where they have "
                    f"no names; use a list, a dict, nn.ModuleList or nn.ParameterList"
                )

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of the modules directly inside this one."""
        for name, member in self._members():
            if not isinstance(member, Parameter):
                yield name, member

    def children(self) -> Iterator[Module]:
        """Yield the modules directly inside this one."""
        return (module for _, module in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield (dotted name, module): itself as "", then all inside, each once."""
        seen = set()

        def walk(prefix: str, module: Any) -> Iterator[tuple[str, Module]]:
            if id(module) not in seen:
                seen.add(id(module))
                yield prefix, module
                for name, child in module.named_children():
                    yield from walk(join(prefix, name), child)

        return walk("", self)

    def modules(self) -> Iterator[Module]:
        """Yield the module itself and all modules inside, each once."""
        return (module for _, module in self.named_modules())

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (name, parameter) of this module only, not of modules inside it."""
        for name, member in self._members():
            if isinstance(member, Parameter):
                yield name, member

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter), each parameter once.

        Raises
        ------
        GraphError
            A layer does not know its input size yet, so its parameters do not exist.
        """
        seen = set()
        for prefix, module in self.named_modules():
            if module._pending:
                raise no_parameters(prefix, module)
            for name, parameter in module._own_parameters():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield join(prefix, name), parameter

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter once; raises like `named_parameters`."""
        return (parameter for _, parameter in self.named_parameters())

    def register_buffer(self, name: str, array: np.ndarray) -> None:
        """Keep an array that is saved with the parameters but not trained."""
        setattr(self, name, self._as_buffer(name, array))
        self._buffer_names = tuple(dict.fromkeys((*self._buffer_names, name)))

    def named_buffers(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (dotted name, array) of the saved arrays that are not trained."""
        for prefix, module in self.named_modules():
            for name in module._buffer_names:
                yield join(prefix, name), getattr(module, name)

    def buffers(self) -> Iterator[np.ndarray]:
        """Yield the saved arrays that are not trained."""
        return (array for _, array in self.named_buffers())


_PLAIN = frozenset({type(None), bool, int, float, str})  # most attributes are
_REPLACEMENTS = (type(None), Tree, Parameter, *_CONTAINERS)
_LOOKED_AT = (Tree, Tensor, *_CONTAINERS, *_UNORDERED, *_ONE_PASS, np.ndarray)


def label(name: str, module: Tree) -> str:
    """Return what messages call a module."""
    kind = type(module).__name__
    return f"layer '{name}' ({kind})" if name else kind


def no_parameters(name: str, module: Tree) -> GraphError:
    """Return the error about a module whose input size is open."""
    return GraphError(
        f"{label(name, module)} has no parameters yet: its input size is open; call "
        f"model.build(input_shape) first"
    )


def join(prefix: str, name: object) -> str:
    """Return a dotted name."""
    return f"{prefix}.{name}" if prefix else str(name)
