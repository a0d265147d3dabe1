"""Transfer learning: which layers of a model learn, and a new head.

Yosinski et al. 2014, "How transferable are features in deep neural networks?".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from fastdl.errors import ArgumentError, FastdlError, suggest
from fastdl.nn.parameter import Parameter
from fastdl.nn.tree import Tree, label, no_parameters
from fastdl.shapes import integer
from fastdl.structure import Structure, is_shape
from fastdl.typing import Shape

T = TypeVar("T", bound="Transfer")


class Transfer(Tree):
    """The part of `Module` that fits a trained model to another task."""

    training: bool = True
    frozen: bool = False
    _class_names: tuple[str, ...] | None = None

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """What the outputs are called, if it is known; `fastdl.save` keeps it."""
        return self._class_names

    @class_names.setter
    def class_names(self, names: Iterable[str] | None) -> None:
        self._class_names = None if names is None else as_class_names(names)

    def _check_class_names(self, output_shape: Structure) -> None:
        """Raise ArgumentError unless there is a name for each output.

        A single output of two classes is the logit of the second.
        """
        names = self.class_names
        if names is None or not output_shape or not is_shape(output_shape):
            return
        outputs = output_shape[-1]
        if len(names) != outputs and (len(names), outputs) != (2, 1):
            raise ArgumentError(
                f"the model has {outputs} outputs, but class_names has {len(names)}: "
                f"{names!r:.80}"
            )

    @property
    def _is_training(self) -> bool:
        """Whether to behave as in training, which a frozen layer never does."""
        return self.training and not self.frozen

    def freeze(self: T, until: str | None = None) -> T:
        """Stop training everything inside, or what comes before a layer; return self.

        Parameters get no gradient, and frozen layers behave as in evaluation, whatever
        `train` says: batch norm uses its running statistics and does not update them,
        and dropout drops nothing. ::

            model.freeze(until="fc")  # only the head learns
            model.freeze(until="features.7")

        Parameters
        ----------
        until : str, optional
            The first layer that is left as it is, by its dotted name. What comes before
            it, in the order in which the layers are listed, is frozen.

        Raises
        ------
        ArgumentError
            There is no such layer; the message names a near match.
        GraphError
            A layer has a size that is still open.
        """
        members: Iterable[Any] = [self]
        if until is not None:
            members, _ = split(self, until, "freeze: until")
        self._set_frozen(members, True)
        return self

    def unfreeze(self: T, since: str | None = None) -> T:
        """Let everything inside learn again, or a layer and what follows it.

        Parameters
        ----------
        since : str, optional
            The first layer that learns, by its dotted name. What comes before it is
            left as it is.

        Returns
        -------
        Module
            self. It raises what `freeze` raises.
        """
        members: Iterable[Any] = [self]
        if since is not None:
            _, members = split(self, since, "unfreeze: since")
        self._set_frozen(members, False)
        return self

    def _set_frozen(self, members: Iterable[Any], frozen: bool) -> None:
        """Let parameters, and modules with all that is inside, learn or not."""
        parameters = [each for each in members if isinstance(each, Parameter)]
        modules = [
            module
            for member in members
            if not isinstance(member, Parameter)
            for module in member.modules()
        ]
        for module in modules:
            if module._pending:
                names = {id(each): name for name, each in self.named_modules()}
                raise no_parameters(names[id(module)], module)
            parameters += (parameter for _, parameter in module._own_parameters())
        for parameter in parameters:
            parameter.requires_grad = not frozen
        for module in modules:
            module.frozen = frozen

    def replace_head(self: T, classes: int, *, again: bool = False) -> T:
        """Give the model a new last layer, for other classes; return self.

        The head is the last layer with parameters: a `Linear`, or a `Conv2d` with a
        kernel of 1 x 1. It keeps its name, its dtype and its other arguments. Its
        weights are drawn as those of a new layer, and learn even if the old ones were
        frozen. ::

            model.replace_head(classes=7).freeze(until="fc")

        An optimiser that was made before must be made again; its next step would raise.
        In a network with several heads, replace the head of each layer:
        ``model.heads["colour"].replace_head(5)``.

        Parameters
        ----------
        classes : int
            The number of outputs, from 1.
        again : bool
            Whether a head may be replaced that has not been trained since it was
            replaced. By default that is taken for a mistake.

        Raises
        ------
        ArgumentError
            The last layer with parameters is of another kind; it was just replaced; or
            the outputs of the model are not its outputs. Then nothing is changed.
        """
        classes = integer(classes, "replace_head: classes")
        name, head = find_head(self)
        if head._is_fresh and not again:
            raise ArgumentError(
                f"replace_head: {label(name, head)} was replaced before, and has not "
                f"been trained since; was the line run twice? If it is meant: "
                f"replace_head({classes}, again=True)"
            )
        attributes, names = dict(vars(head)), self.class_names
        arrays = [(p, p.data) for _, p in head._own_parameters()]
        head._resize(classes)
        self.class_names = None
        try:
            _check_outputs(self, classes, label(name, head))
        except ArgumentError:
            self.class_names = names
            vars(head).clear()
            vars(head).update(attributes)
            for parameter, array in arrays:
                parameter.data = array
            raise
        if not head._pending:
            head.unfreeze()
        return self

    def _is_head(self) -> bool:
        """Whether the outputs may be one for each class, see `replace_head`."""
        return False


def as_class_names(names: object) -> tuple[str, ...]:
    """Return the names of classes; ArgumentError unless they are texts."""
    listed: tuple = ()
    if isinstance(names, Iterable) and not isinstance(names, (str, set, frozenset)):
        listed = tuple(names)
    if not listed or not all(isinstance(name, str) for name in listed):
        raise ArgumentError(
            f"class_names must be texts, one for each output, got {names!r:.80}; of "
            f"numbers, give [str(n) for n in numbers]"
        )
    return tuple(map(str, listed))


# Which layers learn


def split(model: Tree, name: str, who: str) -> tuple[list[Any], list[Any]]:
    """Return the modules and parameters that come before a layer, and the others.

    Parameters
    ----------
    model : Module
        What holds them.
    name : str
        The dotted name of the layer.
    who : str
        Who asks; the message begins with it.

    Raises
    ------
    ArgumentError
        There is no such layer; the message names a near match.
    """
    layers = dict(model.named_modules())
    if name and name in layers:
        return _split(model, layers[name])
    hint = suggest(name, [each for each in layers if each])
    if hint.endswith("?"):
        top = ", ".join(each for each, _ in model.named_children())
        hint += f" The layers at the top are {top}"
    raise ArgumentError(f"{who}: there is no layer {name!r}{hint}")


def _split(model: Tree, layer: Tree) -> tuple[list[Any], list[Any]]:
    """Cut before a layer somewhere inside; a module around it is cut too."""
    earlier: list[Any] = []
    later: list[Any] = []
    found = False
    for _, member in model._members():
        if found or member is layer:
            found = True
            later.append(member)
        elif not isinstance(member, Parameter) and layer in set(member.modules()):
            found = True
            inside = _split(member, layer)
            earlier += inside[0]
            later += inside[1]
        else:
            earlier.append(member)
    return earlier, later


# A new head


def find_head(model: Tree) -> tuple[str, Any]:
    """Return the name of the last layer with parameters, and the layer.

    Raises
    ------
    ArgumentError
        There is none, or it is neither a Linear nor a Conv2d with a kernel of 1 x 1.
    """
    last: tuple[str, Any] | None = None
    for name, module in model.named_modules():
        if module._pending or any(True for _ in module._own_parameters()):
            last = name, module
    if last is None:
        raise ArgumentError("replace_head: the model has no layer with parameters")
    if not last[1]._is_head():
        raise ArgumentError(
            f"replace_head: the last layer with parameters is {label(*last)}, but a "
            f"head is a Linear, or a Conv2d with a kernel of 1 x 1; assign another "
            f"layer yourself, such as model.fc = nn.Linear(None, 10)"
        )
    return last


def _check_outputs(model: Any, classes: int, head: str) -> None:
    """Raise ArgumentError unless a built model gives one output for each class.

    The layers of a ``forward`` of one's own may be listed in another order than they
    run in, and another layer may depend on the number of outputs.
    """
    shape: Shape | None = model.input_shape
    if shape is None:
        return
    try:
        output = model.build(shape)
    except FastdlError as error:
        raise ArgumentError(
            f"replace_head: {head} cannot have {classes} outputs: {error}"
        ) from error
    if not (isinstance(output, tuple) and output and output[-1] == classes):
        raise ArgumentError(
            f"replace_head: {head} is listed last, but does not make the output of the "
            f"model, which is {output}; call replace_head({classes}) of the layer that "
            f"does"
        )
