"""What TensorBoard shows of a training, written by tensorboardX."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from fastdl.errors import FastdlError, ShapeError
from fastdl.files import as_path
from fastdl.shapes import array, flag
from fastdl.train.callback import Callback
from fastdl.typing import ArrayLike, StrPath

if TYPE_CHECKING:
    from tensorboardX.proto.summary_pb2 import Summary

    from fastdl.train.trainer import Trainer

_BINS = 64  # of a histogram


class TensorBoardLog(Callback):
    """Writes curves, weights and settings of a training for TensorBoard.

    Each column of ``trainer.history`` is a curve; the weights of each epoch are
    histograms; the configuration is a table. Every ``fit`` starts a new file;
    TensorBoard shows the files of a folder as one run. ::

        log = train.TensorBoardLog("runs/first", {"data": "digits"})
        trainer.fit(digits.train, epochs=5, callbacks=[log])

    Parameters
    ----------
    folder : path
        What ``tensorboard --logdir`` reads; made if it is missing.
    configuration : mapping, optional
        Settings to show beside the network, the loss and the optimiser.
    pictures : array_like, (n, h, w, 1 or 3), optional
        Pictures to show, uint8 or in [0, 1], such as some of the training set.
    histograms : bool
        Whether to write the weights.

    Raises
    ------
    FastdlError
        tensorboardX, or for pictures Pillow, is missing.
    ShapeError
        The pictures have other axes.
    OSError
        In ``fit``: the file cannot be written.
    """

    first_rank_only = True

    def __init__(
        self,
        folder: StrPath,
        configuration: Mapping[str, object] | None = None,
        pictures: ArrayLike | None = None,
        histograms: bool = True,
    ) -> None:
        self.folder = as_path(folder)
        self.configuration = dict(configuration or {})
        self.histograms = flag(histograms, "TensorBoardLog: histograms")
        self.pictures: np.ndarray | None = None
        try:
            import tensorboardX  # noqa: F401

            if pictures is not None:
                import PIL  # noqa: F401

                self.pictures = _pictures(pictures)
        except ImportError:
            raise FastdlError(
                "TensorBoardLog needs tensorboardX, and Pillow for pictures: "
                'pip install "fastdl-cpu[tensorboard]"'
            ) from None

    def decides(self) -> None:
        """Nothing: it only watches."""

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Open the file, and write what does not change."""
        # Not its SummaryWriter: that writes in a thread, which a full disk would end
        # without a word to the training.
        from tensorboardX import summary
        from tensorboardX.event_file_writer import EventsWriter

        settings = {
            "network": type(trainer.model).__name__,
            "parameters": f"{sum(p.size for p in trainer.model.parameters()):,}",
            "loss": getattr(trainer.loss, "__name__", trainer.loss),
            "optimizer": trainer.optimizer,
            "epochs": epochs,
            "batches": batches,
            **self.configuration,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._naming():
            prefix = str(self.folder / "events")
            # Its own name counts seconds, and a second fit may begin within one.
            self._file = EventsWriter(prefix, f".{time.time_ns()}")
            self._write(0, summary.text("configuration", _table(settings)))
            self._write(0, summary.text("network", f"```\n{trainer.model!r}\n```"))
            if self.pictures is not None:
                made = summary.image("pictures", self.pictures, dataformats="NHWC")
                self._write(0, made)
            self._file.flush()

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        """Write the epoch."""
        from tensorboardX import summary

        epoch = int(row["epoch"])
        with self._naming():
            for name, value in row.items():
                if name != "epoch":
                    self._write(epoch, summary.scalar(name, value))
            if self.histograms:
                for name, parameter in trainer.model.named_parameters():
                    values = parameter.data[np.isfinite(parameter.data)]
                    if values.size:
                        self._write(epoch, summary.histogram(name, values, _BINS))
            self._file.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        """Close the file."""
        with self._naming():
            self._file.close()

    def _write(self, step: int, summary: Summary) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._file.write_event(Event(wall_time=time.time(), step=step, summary=summary))

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Name the folder in an error of the system."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder)) from None


def _table(settings: Mapping[str, object]) -> str:
    """Return settings as a table in Markdown."""
    rows = [
        f"| {name} | {str(value).replace('|', chr(92) + '|')} |"
        for name, value in settings.items()
    ]
    return "\n".join(["| setting | value |", "|---|---|", *rows])


def _pictures(pictures: ArrayLike) -> np.ndarray:
    x = array(pictures, "TensorBoardLog: pictures")
    if x.ndim != 4 or x.shape[3] not in (1, 3) or x.size == 0:
        raise ShapeError(
            f"TensorBoardLog: expected pictures (n, h, w, 1 or 3), got shape {x.shape}"
        )
    return x
