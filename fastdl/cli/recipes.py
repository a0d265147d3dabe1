"""``fastdl recipes``: settings that train well, by name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from fastdl.errors import ArgumentError, suggest
from fastdl.strategy.tables import percent, table
from fastdl.train import RECIPE_FILES, RecipeFile

HELP = "list the recipes, or print one"
DESCRIPTION = """\
List the recipes: how to train on a data set, and what that reached on its test set.
With a name, print the file of that recipe, which is TOML. Change a copy of it to make
a recipe of your own.
"""
EXAMPLES = """\
examples:
  fastdl recipes
  fastdl recipes resnet20
  fastdl train cifar10 --recipe resnet20
  fastdl recipes resnet20 > my.toml
  fastdl train --config my.toml
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help=f"one of {', '.join(RECIPE_FILES)}"
    )


def run(options: Namespace) -> None:
    """Run the command."""
    if options.name is None:
        print("\n".join(_list()))
    elif options.name in RECIPE_FILES:
        print(RECIPE_FILES[options.name].path.read_text(encoding="utf-8"), end="")
    else:
        near = suggest(options.name, RECIPE_FILES)
        raise ArgumentError(f"unknown recipe {options.name!r}{near}")


def _list() -> list[str]:
    heads = ["recipe", "data set", "model", "epochs", "accuracy", "time", "machine"]
    rows = [_row(name, file) for name, file in RECIPE_FILES.items()]
    return table([heads, *rows], remarks=True)


def _row(name: str, file: RecipeFile) -> list[str]:
    reached = file.reached
    return [
        name,
        file.dataset or "your own",
        file.recipe.model,
        str(file.recipe.epochs),
        *(
            ("", "", "")
            if reached is None
            else (
                percent(reached.accuracy, 3),
                _duration(reached.seconds),
                f"{reached.machine}, {reached.date}",
            )
        ),
    ]


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
