"""What a package exports: the names that its ``__init__.py`` imports.

Each name has one line there: ``from fastdl.nn.linear import Linear as Linear``. The
alias tells type checkers that the name is exported (PEP 484). They cannot evaluate a
computed ``__all__``, so `publish` sets it where only Python sees it.

A name that is not there gets an error that says what was meant, also where it is
another framework's word, see `fastdl.words`. All of this is done where a lookup or a
call has failed; those that succeed cost what they did.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any, NoReturn, TypeVar

from fastdl.errors import near
from fastdl.words import NEVER_SET, TABLE, spellings

F = TypeVar("F", bound=Callable)

_UNKNOWN = re.compile(r"(.*)\(\) got an unexpected keyword argument '(\w+)'.*")
_NO_PARAMETERS = "() missing 1 required positional argument: 'params'"


def publish(package: str, *modules: str) -> None:
    """Set a package's ``__all__``, for star imports; call it after the imports.

    Unknown names of the package, and unknown arguments of its classes, get a hint.

    Parameters
    ----------
    package
        ``__name__``.
    *modules
        The submodules that are public too; no others are exported.
    """
    names = vars(sys.modules[package])
    public = {
        name
        for name, value in names.items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    names["__all__"] = sorted(public.union(modules))
    hint(package)
    for name in public:
        if isinstance(names[name], type):
            _complete(names[name])


def _complete(cls: type) -> None:
    """Let the constructor and the attributes of a class give hints."""
    explain_constructor(cls)
    if cls.__name__ in TABLE:
        translate(cls)


def explain_constructor(cls: type, place: str = "arguments") -> None:
    """Let unknown arguments of a class get a hint, from a place of the table."""
    construct = cls.__init__  # type: ignore[misc]
    done = hasattr(construct, "__wrapped__") or getattr(cls, "_is_protocol", False)
    if isinstance(construct, FunctionType) and not done:
        cls.__init__ = explained(construct, place)  # type: ignore[misc]


def hint(module: str) -> None:
    """Let unknown names of a module, ``__name__``, get a hint."""
    vars(sys.modules[module])["__getattr__"] = functools.partial(missing, module)


def missing(package: str, name: str) -> NoReturn:
    """Raise AttributeError for a name that a package has not; its ``__getattr__``.

    ``from package import name`` would hide the message, so it gets an ImportError.
    """
    said = f"module {package!r} has no attribute {name!r}"
    if name.startswith("__"):  # what Python and tools ask every module for
        raise AttributeError(said, name=name)
    asking = sys._getframe(1)
    if asking.f_code.co_name == "__getattr__":  # of a package that has its own
        asking = asking.f_back or asking
    # The import system asks so before it looks for a submodule.
    by_import = asking.f_code.co_name == "_handle_fromlist"
    if by_import and importlib.util.find_spec(f"{package}.{name}"):
        raise AttributeError(said, name=name)
    meant = _meant(package, name)
    if by_import and meant:
        raise ImportError(f"cannot import name {name!r} from {package!r}{meant}")
    # With a name, so that Python appends no hint of its own.
    raise AttributeError(f"{said}{meant}", name=name)


def missing_module(name: str) -> None:
    """Raise ModuleNotFoundError with a hint for ``import fastdl.nn.functional``.

    Nothing is done where nothing is meant, and for those who only ask whether there is
    such a module, as `importlib.util.find_spec` does.
    """
    package, _, word = name.rpartition(".")
    if sys._getframe(3).f_code.co_name != "_find_and_load_unlocked":
        return
    names = getattr(sys.modules[package], "__all__", ())  # none yet: it is imported now
    meant = _meant(package, word) if names and word not in names else ""
    if meant:
        raise ModuleNotFoundError(f"No module named {name!r}{meant}", name=name)


def _meant(package: str, name: str) -> str:
    names = vars(sys.modules[package])
    own = (n for n, v in names.items() if getattr(v, "__module__", "") == package)
    known = [name for name in names.get("__all__", own) if name[0] != "_"]
    meant = near(name, known, package.partition(".")[2] or package)
    rooms = ("nn", "functional", "optim", "metrics", "data", "train")
    for room in () if meant else rooms:  # of those that are loaded
        if name in getattr(sys.modules.get(f"fastdl.{room}"), "__all__", ()):
            return f"; did you mean 'fastdl.{room}.{name}'?"
    return meant


class TensorWords:
    """Other frameworks' words, each with a hint; none of them works."""

    __slots__ = ()


class ModuleWords:
    """Other frameworks' words, each with a hint; none of them works."""


class TrainerWords:
    """Other frameworks' words, each with a hint; none of them works."""


def translate(cls: type) -> None:
    """Make other frameworks' words for attributes of a class say what ours are.

    They stay missing: for ``hasattr``, for ``dir`` of an object, and where a subclass
    or an object has an attribute of that name.

    A ``__getattr__`` would do the same, but Python 3.11 finds all other attributes of
    such a class more slowly, 5 % of a step of a small network.
    """
    # ``help`` lists what is inherited last, so that our own names are not drowned.
    home = next((each for each in cls.__mro__ if each.__module__ == __name__), cls)
    for word in spellings(cls.__name__):
        if not hasattr(cls, word):
            kind = _NeverSet if word in NEVER_SET else _Missing
            setattr(home, word, kind(word, cls.__name__))
    cls.__dir__ = _dir  # type: ignore[method-assign,assignment]


class _Missing:
    """An attribute that a class has not."""

    def __init__(self, word: str, place: str) -> None:
        self._word, self._place = word, place

    def __get__(self, instance: object, owner: type) -> NoReturn:
        hint = near(self._word, attributes(owner), self._place)
        raise AttributeError(
            f"{owner.__name__!r} object has no attribute {self._word!r}{hint}",
            name=self._word,
        )


class _NeverSet(_Missing):
    """An attribute that a class has not, and that is not set by mistake either.

    A class of the user's own may have it.
    """

    def __get__(self, instance: object, owner: type) -> Any:
        own = getattr(instance, "__dict__", {})
        return (
            own[self._word] if self._word in own else super().__get__(instance, owner)
        )

    def __set__(self, instance: object, value: object) -> None:
        if type(instance).__module__.partition(".")[0] == "fastdl":
            super().__get__(instance, type(instance))
        vars(instance)[self._word] = value


def _dir(self: object) -> Iterable[str]:
    cls, own = type(self), getattr(self, "__dict__", {})
    return [n for n in object.__dir__(self) if n in own or not _is_missing(cls, n)]


def attributes(cls: type) -> list[str]:
    """Return the public attributes of a class."""
    return [n for n in dir(cls) if not (n.startswith("_") or _is_missing(cls, n))]


def _is_missing(cls: type, name: str) -> bool:
    return isinstance(inspect.getattr_static(cls, name, None), _Missing)


def explained(function: F, place: str = "arguments") -> F:
    """Decorate a function, so that an unknown argument gets a hint."""

    @functools.wraps(function)
    def call(*args: object, **options: object) -> object:
        try:
            return function(*args, **options)
        except TypeError as error:
            of_class = function.__name__ == "__init__"
            called = type(args[0]).__name__ if of_class else function.__name__
            explain(error, {function.__qualname__: function}, called, place)
            raise

    return call  # type: ignore[return-value]


def explain(
    error: TypeError,
    functions: Mapping[str, Callable],
    called: str = "",
    place: str = "arguments",
) -> None:
    """Add a hint to an error if it says that one of them has no such argument."""
    if str(error).removesuffix(_NO_PARAMETERS) in functions:
        error.args = (
            f"{called} takes model.parameters() first; to leave that to a Trainer, "
            f"write Trainer(..., partial(optim.{called}, lr=0.001)), or "
            f"Trainer(..., {called.lower()!r}, lr=0.001)",
        )
    found = _UNKNOWN.fullmatch(str(error))
    if found and found[1] in functions:
        known = [*inspect.signature(functions[found[1]]).parameters]
        error.args = (
            f"{called or found[1]}() got an unexpected keyword argument {found[2]!r}"
            f"{near(found[2], known, place) or near(found[2], known, 'arguments')}",
        )
