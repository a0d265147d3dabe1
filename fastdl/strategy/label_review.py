"""Suspect labels in all parts of a data set, found in one go and kept in files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastdl.data import Concat
from fastdl.data.strata import class_labels
from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.files import parse_json, read_file, reading, write_text
from fastdl.shapes import integer
from fastdl.strategy.labels import SuspectLabels, WrongPair, suspect_labels
from fastdl.strategy.out_of_fold import out_of_fold
from fastdl.strategy.tables import table
from fastdl.train import Parts, Recipe

PARTS = ("train", "dev", "test", "train_dev")
FILE = "labels.json"
_FORMAT = 1
_LARGEST = 2**27  # bytes; a million suspects
_SHOWN = 10  # suspects to print
_SEEN = 60_000  # examples in all epochs together, for a small data set


@dataclass(frozen=True)
class Suspect:
    """An example whose label somebody should look at.

    Attributes
    ----------
    part : str
        "train", "dev", "test" or "train_dev".
    index : int
        The row in that part.
    given, suggested : int
        The label, and the most likely true class.
    score : float
        How likely it is that the label is wrong.
    """

    part: str
    index: int
    given: int
    suggested: int
    score: float


@dataclass(frozen=True)
class LabelReview:
    """What to look at in order to correct the labels of a data set.

    Attributes
    ----------
    dataset : str
    classes : tuple of str
        The name of each label.
    part : str
        Where the suspects are from: "all", or one part.
    folds, seed : int
        How they were found, see `review_labels`.
    noise_rate, p_value : float
    pairs : tuple of WrongPair
        As in `SuspectLabels`, for all parts together.
    suspects : tuple of Suspect
        Most suspect first.
    sample : tuple of Suspect
        Examples drawn at random from those that are not suspect. Correcting only where
        the networks disagree with the labels corrects only in their favour, and makes
        them look better than they are.
    """

    dataset: str
    classes: tuple[str, ...]
    part: str
    folds: int
    seed: int
    noise_rate: float
    p_value: float
    pairs: tuple[WrongPair, ...]
    suspects: tuple[Suspect, ...]
    sample: tuple[Suspect, ...]

    @property
    def kind(self) -> str:
        """Return "systematic" if a pair stands out, otherwise "random"."""
        return "systematic" if self.pairs else "random"

    def __str__(self) -> str:
        rows = [
            [
                each.part,
                str(each.index),
                self.classes[each.given],
                self.classes[each.suggested],
                f"{each.score:.3f}",
            ]
            for each in self.suspects[:_SHOWN]
        ]
        head = ["part", "index", "given label", "suggested", "score"]
        return "\n".join(table([head, *rows]))

    def of_part(self, part: str) -> tuple[Suspect, ...]:
        """Return the suspects in one part, most suspect first."""
        _check_part(part, PARTS)
        return tuple(suspect for suspect in self.suspects if suspect.part == part)

    def fits(self, parts: Parts) -> bool:
        """Whether the examples of these parts have the labels given here.

        They do not if the run was trained again with another seed.
        """
        sets = {name: getattr(parts, name) for name in PARTS}
        labels = {name: [] if each is None else each.y for name, each in sets.items()}
        for each in (*self.suspects, *self.sample):
            of_part = labels[each.part]
            if each.index >= len(of_part) or of_part[each.index] != each.given:
                return False
        return parts.classes == self.classes

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``labels.json`` and ``labels.csv``; make the folder if need be.

        Raises
        ------
        OSError
            They cannot be written.
        """
        content = {"format": _FORMAT, "kind": self.kind, **dataclasses.asdict(self)}
        content["pairs"] = [pair._asdict() for pair in self.pairs]
        write_text(Path(folder, FILE), json.dumps(content, indent=1) + "\n")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["part", "index", "given", "suggested", "score", "suspect"])
        for entries, word in ((self.suspects, "yes"), (self.sample, "no")):
            for each in entries:
                names = self.classes[each.given], self.classes[each.suggested]
                score = f"{each.score:.4g}"
                writer.writerow([each.part, each.index, *names, score, word])
        write_text(Path(folder, "labels.csv"), text.getvalue())


def read_suspects(folder: str | os.PathLike[str]) -> LabelReview | None:
    """Return what `LabelReview.save` wrote into a folder, or None.

    Raises
    ------
    DataError
        The file is damaged, or was written by a newer fastdl.
    """
    path = Path(folder, FILE)
    if not path.is_file():
        return None
    content = parse_json(read_file(path, _LARGEST), path)
    with reading(path):
        version = content.pop("format")
        if type(version) is int and version > _FORMAT:
            raise DataError(f"{path} was written by a newer fastdl")
        if version != _FORMAT:
            raise ValueError(f"the format {version!r:.40} is unknown")
        del content["kind"]
        content["classes"] = tuple(map(str, content["classes"]))
        content["pairs"] = tuple(WrongPair(**each) for each in content["pairs"])
        for name in ("suspects", "sample"):
            content[name] = tuple(Suspect(**each) for each in content[name])
            for each in content[name]:
                _check(each, len(content["classes"]))
        return LabelReview(**content)


def _check(suspect: Suspect, classes: int) -> None:
    """Raise ValueError or TypeError unless it is consistent."""
    numbers = suspect.index, suspect.given, suspect.suggested
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"{suspect!r:.200} needs integers from 0")
    known = suspect.part in PARTS and max(numbers[1:]) < classes
    if not (known and 0 <= suspect.score <= 1):
        raise ValueError(f"{suspect!r:.200} has no such part, label or score")


def review_labels(
    parts: Parts,
    recipe: Recipe | None = None,
    k: int = 4,
    seed: int = 0,
    *,
    part: str = "all",
    sample: int = 100,
    progress: bool | None = None,
) -> tuple[LabelReview, SuspectLabels]:
    """Look for wrong labels in all parts of a data set, with the same networks.

    Dev and test set keep one distribution only if both are corrected in the same way.
    So the folds are made of all parts together; these networks must not be used for
    anything else.

    Parameters
    ----------
    parts : Parts
        See `fastdl.train.Job.load`.
    recipe : Recipe, optional
        How to train; by default `quick_recipe`.
    k, seed : int
        As in `out_of_fold`.
    part : str
        Which suspects to return: "all", or those in "train", "dev", "test" or
        "train_dev".
    sample : int
        How many examples that are not suspect to add; from 0.
    progress : bool, optional
        As in `out_of_fold`.

    Returns
    -------
    review : LabelReview
        For the part.
    suspects : SuspectLabels
        For all parts, one after the other, in the order of `fastdl.train.Parts`.

    Raises
    ------
    ArgumentError, DataError, ShapeError
        There is no such part; or what `out_of_fold` raises.
    """
    there = {name: each for name in PARTS if (each := getattr(parts, name)) is not None}
    _check_part(part, ("all", *there))
    integer(sample, "review_labels: sample", 0)
    together = Concat(*there.values())
    y = class_labels(together, "review_labels")
    if recipe is None:
        recipe = quick_recipe(len(y))
    answers = out_of_fold(
        recipe, together, k, seed, classes=len(parts.classes), progress=progress
    )
    found = suspect_labels(y, answers, parts.classes)
    part_of = np.repeat(list(there), [len(each) for each in there.values()])
    row_of = np.concatenate([np.arange(len(each)) for each in there.values()])

    def entries(indices: np.ndarray, suggested: np.ndarray) -> tuple[Suspect, ...]:
        return tuple(
            Suspect(
                str(part_of[i]),
                int(row_of[i]),
                int(y[i]),
                int(label),
                float(found.scores[i]),
            )
            for i, label in zip(indices, suggested, strict=True)
        )

    asked = np.isin(part_of, list(there) if part == "all" else [part])
    chosen = asked[found.indices]
    asked[found.indices] = False
    others = np.flatnonzero(asked)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(others, min(sample, len(others)), replace=False)
    review = LabelReview(
        parts.name,
        parts.classes,
        part,
        k,
        seed,
        found.noise_rate,
        found.p_value,
        found.pairs,
        entries(found.indices[chosen], found.suggested[chosen]),
        entries(drawn, y[drawn]),
    )
    return review, found


def quick_recipe(m: int) -> Recipe:
    """Return settings that learn from m pictures well enough to question their labels.

    They have few epochs, since after long training a network memorises wrong labels
    (Arpit et al. 2017, "A Closer Look at Memorization in Deep Networks").
    """
    epochs = min(max(4, math.ceil(_SEEN / max(m, 1))), 100)
    return Recipe("strided_convnet", epochs=epochs, batch_size=128, lr=0.004)


def _check_part(part: str, known: Sequence[str]) -> None:
    if part not in known:
        raise ArgumentError(
            f"review_labels: unknown part {part!r}{suggest(str(part), known)}"
        )
