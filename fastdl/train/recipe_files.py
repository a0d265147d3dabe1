"""Recipes that train well on the known data sets, and files of your own like them.

A recipe is a TOML file. Its keys are the settings of a `Recipe`; what it leaves out has
the default. ``dataset`` says for which data set it is, and the table ``[reached]`` what
it reached there, see `Reached`.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastdl.errors import ArgumentError, suggest
from fastdl.files import naming, read_toml
from fastdl.shapes import integer
from fastdl.shapes.numbers import is_number
from fastdl.train.recipes import Recipe, recipe_fields
from fastdl.typing import StrPath


@dataclasses.dataclass(frozen=True)
class Reached:
    """What a recipe reached.

    Attributes
    ----------
    accuracy : float
        On the test set, after the last epoch.
    seconds : float
        How long the training took.
    machine : str
        The processor, and how many of its cores.
    date : datetime.date
        When it was measured.
    seeds : int
        The accuracy is the mean of runs with so many seeds, from 0.
    """

    accuracy: float
    seconds: float
    machine: str
    date: datetime.date
    seeds: int = 1

    def __post_init__(self) -> None:
        integer(self.seeds, "reached: seeds")
        for name, high in (("accuracy", 1), ("seconds", 1e9)):
            value = getattr(self, name)
            if not (is_number(value) and 0 <= value <= high):
                raise ArgumentError(
                    f"reached: {name} must be a number from 0 to {high:g}, got "
                    f"{value!r:.60}"
                )
        for name, kind, what in (
            ("machine", str, "a text"),
            ("date", datetime.date, "a date, such as 2026-11-28"),
        ):
            if not isinstance(getattr(self, name), kind):
                raise ArgumentError(
                    f"reached: {name} must be {what}, got {getattr(self, name)!r:.60}"
                )


class RecipeFile(NamedTuple):
    """What the file of a recipe says.

    Attributes
    ----------
    path : Path
        The file.
    recipe : Recipe
        How to train.
    dataset : str or None
        For which data set; None for pictures of your own.
    reached : Reached or None
        What it reached there, if that is known.
    """

    path: Path
    recipe: Recipe
    dataset: str | None
    reached: Reached | None


def read_recipe(path: StrPath) -> RecipeFile:
    """Read the file of a recipe.

    Raises
    ------
    DataError
        There is no such file, or it is not TOML.
    ArgumentError, ShapeError
        A key is unknown, or a value does not fit; the message names the file and the
        key.
    """
    settings = read_toml(path)
    with naming(path):
        _check_keys(settings, ["dataset", *recipe_fields(), "reached"], "recipe")
        dataset = settings.pop("dataset", None)
        if not isinstance(dataset, str | None):
            raise ArgumentError(f"recipe: dataset must be a text, got {dataset!r:.60}")
        reached = settings.pop("reached", None)
        return RecipeFile(
            Path(path),
            Recipe().replace(**settings),
            dataset,
            None if reached is None else _reached(reached),
        )


def recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises
    ------
    ArgumentError
        The name is unknown.
    """
    if name not in RECIPES:
        raise ArgumentError(f"unknown recipe {name!r}{suggest(name, RECIPES)}")
    return RECIPES[name]


def _reached(table: object) -> Reached:
    if not isinstance(table, Mapping):
        raise ArgumentError(f"recipe: reached must be a table, got {table!r:.60}")
    fields = dataclasses.fields(Reached)
    _check_keys(table, [field.name for field in fields], "reached")
    for field in fields:
        if field.default is dataclasses.MISSING and field.name not in table:
            raise ArgumentError(f"reached: {field.name} is missing")
    return Reached(**table)


def _check_keys(table: Mapping[str, Any], known: list[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise ArgumentError(f"{where}: unknown key {name!r}{suggest(name, known)}")


RECIPE_FILES = {
    path.stem: read_recipe(path)
    for path in sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))
}
"""By name: a `Recipe` with what its file says about it."""
RECIPES = {name: file.recipe for name, file in RECIPE_FILES.items()}
"""By name: one for each data set, longer ones, and one for folders of pictures."""
