"""The complete description of one training: what `fastdl train` does, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np

from fastdl import data, datasets, random
from fastdl.data import Subset
from fastdl.datasets.splits import Part
from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.files import naming
from fastdl.nn import init
from fastdl.shapes import integer, pair
from fastdl.train.best import EarlyStopping
from fastdl.train.callback import Callback
from fastdl.train.logs import LearningRateLog
from fastdl.train.pretrained import Pretrained, fit_to
from fastdl.train.recipe_files import RECIPES, recipe
from fastdl.train.recipes import Recipe, recipe_fields
from fastdl.train.trainer import Trainer
from fastdl.typing import Json, StrPath

if TYPE_CHECKING:
    from typing_extensions import Unpack

# What config.json says besides the job, about the data and the machine, and the file of
# a recipe about what it reached.
_REMARKS = (
    *("fastdl", "classes", "input_shape", "backend", "threads", "machine"),
    "reached",
)

# Settings that are a text or None.
_TEXTS = ("data_dir", "pretrained", "pretrained_sha256", "freeze")


class FitOptions(TypedDict, total=False):
    """Options of `Trainer.fit` that are not part of a job."""

    progress: bool | None
    check_finite: bool
    checkpoint: StrPath | None
    checkpoint_steps: int | None
    checkpoint_minutes: float | None
    resume: bool
    allow_changes: Sequence[str] | None


class Parts(NamedTuple):
    """The data of a training; no example is in two parts.

    Attributes
    ----------
    name : str
        Name of the data set.
    classes : tuple of str
        The name of each label.
    train, dev, test : ArrayDataset or Subset
        The dev and the test set come from one distribution.
    train_dev : ArrayDataset or Subset, optional
        From the distribution of the training set, if that of the dev set differs.
    """

    name: str
    classes: tuple[str, ...]
    train: Part
    dev: Part
    test: Part
    train_dev: Part | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.train.take(np.arange(1))[0].shape[1:]


@dataclasses.dataclass(frozen=True)
class Job:
    """A training that can be repeated bit for bit.

    ::

        job = train.Job("digits", train.recipe("digits"))
        parts = job.load()
        trainer = job.fit(parts)
        trainer.evaluate(parts.dev)

    Attributes
    ----------
    dataset : str
        A name of `fastdl.datasets.names`, or a folder of pictures.
    recipe : Recipe
        How to train.
    seed : int
        From 0; determines the parts, the initial weights and the order of the examples.
    size : (int, int), optional
        Height and width to which the pictures of a folder are resized.
    examples : int, optional
        Train on this many examples only; by default on all.
    patience : int, optional
        Stop after this many epochs without a lower loss on the dev set, and keep the
        best weights.
    data_dir : str, optional
        Where the data set is, in a folder of its name.
    pretrained : str, optional
        What the training starts from instead of fresh weights, see `Pretrained`: a run
        folder, or a file. It gets a new head unless its classes are those of the data.
    pretrained_sha256 : str, optional
        The checksum of that file; another one is refused. See `pinned`.
    freeze : str, optional
        The first layer that learns, see `fastdl.nn.Module.freeze`, or "all": only the
        head does.
    lazy : bool
        Whether to decode the pictures of a folder when they are used, and keep them
        in the user's cache folder, instead of keeping all in memory.

    Raises
    ------
    ShapeError
        A number is not an integer, or is out of range.
    """

    dataset: str
    recipe: Recipe = dataclasses.field(default_factory=Recipe)
    seed: int = 0
    size: tuple[int, int] | None = None
    examples: int | None = None
    patience: int | None = None
    data_dir: str | None = None
    pretrained: str | None = None
    pretrained_sha256: str | None = None
    freeze: str | None = None
    lazy: bool = False

    def __post_init__(self) -> None:
        integer(self.seed, "job: seed", 0)
        for name in ("examples", "patience"):
            if getattr(self, name) is not None:
                integer(getattr(self, name), f"job: {name}")
        if self.size is not None:
            object.__setattr__(self, "size", pair(self.size, "job: size"))
        if not isinstance(self.lazy, bool):
            raise ArgumentError(
                f"job: lazy must be true or false, got {self.lazy!r:.60}"
            )
        for name in ("dataset", *_TEXTS):
            value = getattr(self, name)
            if value is None and name in _TEXTS:
                continue
            if not isinstance(value, str) or not value:  # "" would be this folder
                raise ArgumentError(
                    f"job: {name} must be a text that is not empty, got {value!r:.60}"
                )
        if self.freeze is not None and self.pretrained is None:
            raise ArgumentError(
                "job: freeze is for trained weights; say which ones (pretrained, "
                "--from)"
            )

    # As data

    def to_dict(self) -> dict[str, Json]:
        """Return all settings as flat data that JSON can hold."""
        own = dataclasses.asdict(self)
        return {"dataset": own.pop("dataset"), **own.pop("recipe"), **own}

    @classmethod
    def from_dict(cls, settings: Mapping[str, object]) -> Job:
        """Return the job that such data describe.

        Settings that are not given come from the recipe of the data set, or from the
        one that "recipe" names.

        Raises
        ------
        ArgumentError, ShapeError
            A name is unknown, or a value does not fit.
        """
        if not isinstance(settings, Mapping):
            raise ArgumentError(f"job: expected settings by name, got {settings!r:.60}")
        given: dict[str, Any] = {
            name: each for name, each in settings.items() if name not in _REMARKS
        }
        names = recipe_fields()
        known = [*names, *(field.name for field in dataclasses.fields(cls))]
        for name in given:
            if name not in known:
                raise ArgumentError(
                    f"job: unknown setting {name!r}{suggest(name, known)}"
                )
        for name in ("dataset", "recipe"):  # looked up below
            value = given.get(name, "")
            if not isinstance(value, str) and (name, value) != ("recipe", None):
                raise ArgumentError(f"job: {name} must be a text, got {value!r:.60}")
        if "dataset" not in given:
            raise ArgumentError('job: "dataset" is missing: a name, or a folder')
        usual = usual_recipe(given["dataset"], given.pop("recipe", None))
        changes = {name: given.pop(name) for name in names if name in given}
        return cls(recipe=usual.replace(**changes), **given)

    def replace(self, **changes: object) -> Job:
        """Return a job with some settings changed, including those of the recipe."""
        return Job.from_dict({**self.to_dict(), **changes})

    # At work

    def load(self) -> Parts:
        """Load the data and cut them into parts.

        If there is no dev set, a tenth of the training set is held out for it. If there
        is no test set, a fifth is. A separate dev set may be from another distribution:
        then a tenth of the training set is held out as train-dev set and, if there is
        no test set, half of the dev set becomes one.

        Raises
        ------
        ArgumentError, DataError
            There are no such data, or too few of them.
        """
        splits = datasets.find(self.dataset, self.data_dir, self.size, self.lazy)
        if len(splits.classes) < 2:
            raise DataError(
                f"{splits.name}: there is only the class {splits.classes[0]!r}; a "
                f"classifier needs two at least"
            )
        parts = self._parts(splits)
        if self.examples is None:
            return parts
        if self.examples > len(parts.train):
            raise DataError(
                f"{splits.name} has {len(parts.train)} training examples, but "
                f"{self.examples} are asked for"
            )
        if self.examples == len(parts.train):
            return parts
        few, _ = data.split(parts.train, (self.examples, -1), self.seed, stratify=True)
        return parts._replace(train=few)

    def _parts(self, splits: datasets.Splits) -> Parts:
        name, train, test, classes, dev, _ = splits
        train_dev = None
        whole: Part = train
        if dev is not None:
            whole, train_dev = self._hold_out(whole, 0.1)
            if test is None:
                dev, test = self._hold_out(dev, 0.5)  # type: ignore[assignment]
        else:
            if test is None:
                whole, test = self._hold_out(whole, 0.2)  # type: ignore[assignment]
            whole, dev = self._hold_out(whole, 0.1)  # type: ignore[assignment]
        assert dev is not None
        assert test is not None
        return Parts(name, classes, whole, dev, test, train_dev)

    def _hold_out(self, dataset: Part, share: float) -> tuple[Subset, ...]:
        return data.split(dataset, (1 - share, share), self.seed, stratify=True)

    def trainer(self, parts: Parts) -> Trainer:
        """Make the model, its initial weights drawn by the seed, and its trainer.

        Raises
        ------
        ArgumentError, DataError
            The weights to start from are of another network, or have changed.
        """
        if self.pretrained is not None:
            return self._pretrained_trainer(parts, self._pretrained())
        random.seed(self.seed)
        model = self.recipe.create_model(len(parts.classes))
        with init.within_memory():
            model.build(parts.input_shape)
        model.class_names = parts.classes
        return self.recipe.trainer(model)

    def _pretrained_trainer(self, parts: Parts, source: Pretrained) -> Trainer:
        if self.pretrained_sha256 not in (None, source.sha256):
            raise DataError(
                f"{source.file} is not what this training starts from: its SHA-256 is "
                f"{source.sha256[:16]}..., expected {self.pretrained_sha256:.16}..."
            )
        model = source.model(self.recipe, parts.input_shape)
        random.seed(self.seed)
        fit_to(model, parts.classes, parts.input_shape, self.freeze)
        trainer = self.recipe.trainer(model)
        trainer._settings["pretrained"] = source.sha256
        return trainer

    def pinned(self) -> Job:
        """Return a job that says by a checksum which weights it starts from."""
        if self.pretrained is None or self.pretrained_sha256 is not None:
            return self
        return dataclasses.replace(self, pretrained_sha256=self._pretrained().sha256)

    def _pretrained(self) -> Pretrained:
        assert self.pretrained is not None
        with naming("job: pretrained"):
            return Pretrained(self.pretrained)

    def callbacks(self) -> list[Callback]:
        """Make the callbacks: the learning rates, and early stopping if asked for."""
        made: list[Callback] = [LearningRateLog(), self.recipe.create_schedule()]
        if self.patience is not None:
            made.append(EarlyStopping(patience=self.patience))
        return made

    def fit(
        self,
        parts: Parts | None = None,
        trainer: Trainer | None = None,
        callbacks: Sequence[Callback] = (),
        **options: Unpack[FitOptions],
    ) -> Trainer:
        """Train; the dev set is measured after each epoch.

        Parameters
        ----------
        parts : Parts, optional
            The data, by default those of `load`.
        trainer : Trainer, optional
            By default that of `trainer`.
        callbacks : sequence of Callback
            Called after those of the job.
        **options
            Other options of `Trainer.fit`, such as ``progress=True``.

        Returns
        -------
        Trainer
            Trained.
        """
        for name in ("epochs", "validation"):
            if name in options:
                raise ArgumentError(
                    f"job: fit takes {name} from the job; change that, such as "
                    f"job.replace(epochs=3)"
                )
        parts = self.load() if parts is None else parts
        trainer = self.trainer(parts) if trainer is None else trainer
        trainer.fit(
            self.recipe.loader(parts.train, self.seed),
            epochs=self.recipe.epochs,
            validation=parts.dev,
            callbacks=[*self.callbacks(), *callbacks],
            **options,
        )
        return trainer


def usual_recipe(dataset: str, name: str | None = None) -> Recipe:
    """Return the recipe of a name, by default that of the data set."""
    if name is not None:
        return recipe(name)
    return recipe(dataset if dataset in RECIPES else "pictures")
