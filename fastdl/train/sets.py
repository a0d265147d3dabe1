"""What `fit` trains on, and what it measures on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fastdl.data import DataLoader, Dataset, Subset, split
from fastdl.data.dataset import as_dataset
from fastdl.data.strata import are_labels
from fastdl.errors import ArgumentError, DataError, FastdlError
from fastdl.shapes.numbers import is_number
from fastdl.train.batches import AnySource, Source, as_loader, streamed
from fastdl.train.class_weight import ClassWeight, ClassWeights
from fastdl.train.losses import LossLike
from fastdl.train.streams import BatchStream


@contextmanager
def about(what: str) -> Iterator[None]:
    """Say in an error what it is about."""
    try:
        yield
    except FastdlError as error:
        error.args = (f"{what}: {error}",)
        raise


def validation_set(
    validation: AnySource | None, validation_data: AnySource | None, steps: int | None
) -> DataLoader | None:
    """Return a loader of the data to measure on, which have two names.

    Raises
    ------
    ArgumentError
        Both are given.
    """
    if validation is None:
        validation = validation_data
    elif validation_data is not None:
        raise ArgumentError(
            "fit: validation and validation_data mean the same; give one"
        )
    if validation is None:
        if steps is not None:
            raise ArgumentError("fit: validation_steps are for validation data")
        return None
    if is_number(validation):
        raise ArgumentError(
            f"fit: validation is data to measure on; to keep a share of x for that "
            f"give validation_split={validation}"
        )
    source = streamed("fit", validation, steps, "validation_steps")
    with about("fit: validation data"):
        return as_loader(source)


def training_sets(
    train: Source,
    validation: DataLoader | None,
    validation_split: float,
    batch_size: int,
    shuffle: bool,
    seed: int,
) -> tuple[DataLoader, DataLoader | None]:
    """Return loaders of the data to train on, and of those to measure on.

    A loader is returned unchanged.

    Raises
    ------
    ArgumentError
        Options other than the defaults are given beside a loader, or a part of the data
        is to be kept and there are validation data.
    DataError
        The last rows are to be kept, but have a class of their own.
    """
    dev = validation
    if validation_split:
        if dev is not None:
            raise ArgumentError(
                "fit: validation_split keeps a part of the data to measure on; leave "
                "it out beside validation data"
            )
        train, kept = _parts(train, validation_split, shuffle, seed)
        dev = as_loader(kept)
    if not isinstance(train, DataLoader):
        return DataLoader(train, batch_size, shuffle, seed), dev
    if (batch_size, shuffle, seed) != (32, True, 0):
        raise ArgumentError(
            "fit: batch_size, shuffle and seed belong to the DataLoader or generator; "
            "give them where it is made"
        )
    return train, dev


def weights_of_classes(
    given: ClassWeights | None, loader: DataLoader, loss: LossLike
) -> ClassWeight | None:
    """Return how much the examples of each class count; ArgumentError as documented."""
    if given is None:
        return None
    if isinstance(given, str) and isinstance(loader, BatchStream):
        raise ArgumentError(
            f"fit: class_weight={given!r} counts all labels, and a generator does not "
            f"show them; give a number for each class"
        )
    return ClassWeight(given, loader.dataset.y, loss)


def _parts(
    data: Source, share: float, shuffle: bool, seed: int
) -> tuple[Dataset, Dataset]:
    if not (is_number(share) and 0 < share < 1):
        raise ArgumentError(
            f"fit: validation_split is a share of the data between 0 and 1, such as "
            f"0.2, got {share!r:.60}"
        )
    if isinstance(data, DataLoader):
        raise ArgumentError(
            "fit: validation_split cannot cut the batches of a DataLoader; cut the "
            "data before, train, dev = fastdl.data.split(data, (0.8, 0.2)), and give "
            "validation=dev"
        )
    dataset = as_dataset(data)
    count = round(len(dataset) * share)
    if not 0 < count < len(dataset):
        raise ArgumentError(
            f"fit: validation_split={share:g} of {len(dataset)} examples leaves "
            f"{len(dataset) - count} to train on and {count} to measure on"
        )
    y = dataset.y
    if shuffle:
        train, dev = split(dataset, (-1, count), seed, stratify=are_labels(y))
        return train, dev
    if are_labels(y):
        alone = np.setdiff1d(y[-count:], y[:-count])
        if alone.size:
            raise DataError(
                f"fit: without shuffle, validation_split keeps the last {count} "
                f"examples, and all of class {alone[0]} are among them; are they "
                f"sorted by class? With shuffle=True it keeps a share of each class"
            )
    return Subset(dataset, slice(None, -count)), Subset(dataset, slice(-count, None))
