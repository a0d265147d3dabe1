"""Read a digit in a larger picture: a pipeline stage by stage, and end to end.

Real handwriting of 8 x 8 pixels lies somewhere in a noisy scene of 24 x 24, among torn
pieces of other digits. A pipeline finds the digit, crops it and reads it, with one
network that finds and one that reads. How much would it win if the finding were
perfect? Beside it a single network reads the whole scene, trained on as many scenes.
(Deep Learning Specialization, course 3, week 2.) Takes 40 seconds on one core.

    python examples/pipeline.py
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import fastdl
from fastdl import data, datasets, models, nn, optim, report, strategy
from fastdl.report import style
from fastdl.train import Schedule

SCENE, DIGIT, PIECE = 24, 8, 4  # pixels a side
ROOM = SCENE - DIGIT  # the last place of a digit, in both directions
PIECES = 3  # of other digits in a scene
SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])


def scenes(
    digits: np.ndarray, x: np.ndarray, seeds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put each digit of x into a new scene.

    Parameters
    ----------
    digits : ndarray, (m, 8, 8, 1)
        What pieces are torn from.
    x : ndarray, (b, 8, 8, 1)
    seeds : ndarray of uint64, (b,)
        From a loader.

    Returns
    -------
    scenes : ndarray, (b, 24, 24, 1)
    places : ndarray of int, (b, 2)
        The row and the column where the digit begins.
    """
    draws = data.uniform(seeds, 2 + 5 * PIECES + SCENE * SCENE)
    places = (draws[:, :2] * (ROOM + 1)).astype(int)
    torn = draws[:, 2 : 2 + 5 * PIECES].reshape(-1, PIECES, 5)
    noise = draws[:, 2 + 5 * PIECES :].reshape(-1, SCENE, SCENE, 1)
    pictures = (0.4 * noise).astype(np.float32)
    for picture, digit, place, pieces in zip(pictures, x, places, torn, strict=True):
        for which, *cut, row, column in pieces:
            other = digits[int(which * len(digits))]
            piece = window(other, np.multiply(cut, DIGIT - PIECE + 1), PIECE)
            corner = np.multiply((row, column), SCENE - PIECE + 1)
            there = window(picture, corner, PIECE)
            np.maximum(there, piece, out=there)
        there = window(picture, place, DIGIT)
        np.maximum(there, digit, out=there)
    return pictures, places


def window(picture: np.ndarray, place: np.ndarray, size: int) -> np.ndarray:
    """Return a view of a square of a picture that begins at a place."""
    row, column = np.asarray(place).astype(int)
    return picture[row : row + size, column : column + size]


def crop(places: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Cut the digits out of scenes; places (b, 2) need not be whole numbers."""
    corners = np.clip(np.rint(places), 0, ROOM)
    pairs = zip(pictures, corners, strict=True)
    return np.stack([window(picture, place, DIGIT) for picture, place in pairs])


def network(outputs: int) -> nn.Sequential:
    """Return a network for whole scenes."""
    return nn.Sequential(
        *models.conv_block(16, norm="batch", pool=2),
        *models.conv_block(32, norm="batch", pool=2),
        *models.conv_block(64, norm="batch"),
        nn.Flatten(),
        *models.dense_block(64, norm="batch"),
        nn.Linear(None, outputs),
    )


def trained(
    model: nn.Module, loss: nn.Module, digits: data.Dataset, transform: Callable, epochs
) -> fastdl.Trainer:
    """Train a network on digits that a transform puts into scenes."""
    fastdl.manual_seed(0)
    trainer = fastdl.Trainer(model, loss, optim.Adam)
    loader = data.DataLoader(digits, 64, shuffle=True, transform=transform)
    trainer.fit(loader, epochs=epochs, callbacks=[Schedule(optim.Cosine(0.003))])
    return trainer


def distance(true: np.ndarray, found: np.ndarray) -> float:
    """Return how many pixels found places are off, on average."""
    return float(np.linalg.norm(found - true, axis=1).mean())


def main(
    epochs: int = 20, path: str = "runs/examples/pipeline.png"
) -> strategy.PipelineReport:
    """Train three networks; evaluate them on new scenes; draw and return the report."""
    digits = datasets.load("digits")
    train, pieces = digits.train, digits.train.x

    def to_find(x, y, seeds):
        pictures, places = scenes(pieces, x, seeds)
        return pictures, (places / ROOM).astype(np.float32)

    def to_read(x, y, seeds):
        pictures, places = scenes(pieces, x, seeds)
        shaken = 1.2 * data.uniform(~seeds, 2) - 0.6  # as a found place may be off
        return crop(places + shaken, pictures), y

    def whole_scene(x, y, seeds):
        return scenes(pieces, x, seeds)[0], y

    classes = nn.CrossEntropyLoss()
    finder = trained(network(2), nn.MSELoss(), train, to_find, epochs)
    reader = trained(models.create("digits_convnet"), classes, train, to_read, epochs)
    single = trained(network(10), classes, train, whole_scene, epochs)

    pipeline = strategy.Pipeline(
        {
            "find": lambda pictures, _: ROOM * finder.predict(pictures),
            "crop": crop,
            "read": lambda crops, _: reader.predict(crops),
        }
    )
    x, y = digits.test.x, digits.test.y
    pictures, places = scenes(pieces, x, np.arange(len(x), dtype=np.uint64))
    result = pipeline.evaluate(
        pictures,
        {"find": places, "read": y},
        measures={"find": distance},
        end_to_end=single.predict,
    )
    print(result)
    draw(result, pictures[:8], ROOM * finder.predict(pictures[:8]), path)
    print(f"\nsee {path}")
    return result


def draw(
    result: strategy.PipelineReport, pictures: np.ndarray, places: np.ndarray, path: str
) -> None:
    """Draw scenes with what was found in them, and the accuracies."""
    with style.new_figure(10, 3.6, "Find, crop, read") as figure:
        left, right = figure.subfigures(1, 2)
        for axes, picture, place in zip(
            left.subplots(2, 4).flat, pictures, places, strict=True
        ):
            axes.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=1)
            rows, columns = (place + DIGIT * SQUARE - 0.5).T
            axes.plot(columns, rows, color=style.VERMILION)
            axes.set(xlim=(-0.5, SCENE - 0.5), ylim=(SCENE - 0.5, -0.5))
            axes.set_axis_off()
        find = result.stages[0]
        bars = {
            "pipeline": result.score,
            f"with a perfect {find.name}": find.perfect,
            "end to end": result.end_to_end,
        }
        axes = right.subplots()
        colours = [style.BLUE, style.BLUE, style.VERMILION]
        drawn = axes.barh(list(bars), list(bars.values()), color=colours)
        axes.bar_label(drawn, fmt="{:.1%}", padding=4)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.15)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.set_title(f"accuracy on {result.examples:,} scenes")
    report.save_figure(figure, path)


if __name__ == "__main__":
    main()
