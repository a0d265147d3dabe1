"""Trainer: fit, evaluate, predict."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from fastdl import nn
from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, NonFiniteError
from fastdl.nn.module import run
from fastdl.parallel import ALONE, Ranks
from fastdl.shapes import integer
from fastdl.structure import length
from fastdl.train import saved
from fastdl.train.batches import AnySource, converted, one_source, streamed
from fastdl.train.callback import Callback, Step, check_callbacks
from fastdl.train.calls import options_by_name
from fastdl.train.checkpoint import Checkpoint
from fastdl.train.class_weight import ClassWeight, ClassWeights
from fastdl.train.combined import combined
from fastdl.train.cost import Limits, Penalties
from fastdl.train.description import Run
from fastdl.train.history import History
from fastdl.train.interrupt import deferred_signals
from fastdl.train.learner import Learner, culprits
from fastdl.train.losses import LossChoice, TaskWeights
from fastdl.train.measures import Measures, Metrics
from fastdl.train.nonfinite import Buffers
from fastdl.train.optimizers import OptimizerLike
from fastdl.train.position import Position
from fastdl.train.progress import reporting
from fastdl.train.rehearsal import rehearse
from fastdl.train.rhythm import Interval, Rhythm
from fastdl.train.sets import training_sets, validation_set, weights_of_classes
from fastdl.typing import ArrayLike, ArraysLike, StrPath

if TYPE_CHECKING:
    from typing_extensions import Self


class Trainer(Learner):
    """Trains a model on mini-batches, evaluates it, and predicts with it.

    ::

        digits = fastdl.datasets.load("digits")
        trainer = fastdl.Trainer(fastdl.models.create("convnet"))
        trainer.fit(digits.train, epochs=5)
        trainer.evaluate(digits.test)  # {"loss": 0.06, "accuracy": 0.98}

    It does nothing that a loop of your own could not do: for each batch `fit` calls
    ``zero_grad``, the model, the loss, ``backward`` and ``step``.

    Parameters
    ----------
    model : Module
        Sizes that are open are inferred from the first batch.
    loss : str, callable or class, optional
        A name: that of a function of `fastdl.functional`, or "mse", "mae", "huber",
        "bce", "bce_with_logits". Or ``loss(outputs, y) -> Tensor``, one number, the
        mean over the batch. For data with weights ``loss(outputs, y, weight)``, the
        weighted mean; a parameter called ``sample_weight`` is passed by name. In the
        loss of an epoch a batch is weighted by its number of examples, or the sum of
        their weights; a Module that divides by something else has a method
        ``count(y, weight=None) -> float``, as those of `fastdl.nn` do. By default
        `fastdl.nn.CrossEntropyLoss`: the model returns logits, and y are integer
        labels. For several tasks a dict of losses, or a `fastdl.nn.MultiTaskLoss`: the
        model returns a dict of outputs, and y is a dict of labels or targets, NaN where
        one is missing.
    optimizer : str, Optimizer or callable, optional
        A name of `fastdl.train.OPTIMIZERS`, such as "adam" or "sgd"; an optimiser of
        ``model.parameters()``; or what makes one from them, such as ``optim.SGD`` or
        ``functools.partial(optim.SGD, momentum=0.9)``. By default Adam.
    metrics : sequence of str, Metric or callable, optional
        What to measure besides the loss. The metrics of `fastdl.metrics` are computed
        over the whole set; give the name of their function ("accuracy", "roc_auc",
        "r2_score", ...: from logits, and with the "macro" average; another one is
        "f1_micro"), a short name ("acc", "auc", "mae", ...), the function
        (``metrics.f1``, ``partial(metrics.f1, average="micro")``) or the class
        (``metrics.F1("micro")``). So is a `fastdl.metrics.Metric` of your own. Any
        other function ``(y, outputs) -> float`` is taken to be a mean over examples.
        Metrics ignore the weights of examples. The accuracy of yes-or-no questions is
        the share of right answers. By default the accuracy if the loss is a
        cross-entropy, and nothing otherwise. For several tasks a dict of such lists;
        what they measure is called "<task>_<metric>".
    loss_weights : mapping of str to float, or "uncertainty", optional
        How much each task of a dict of losses counts, 1 by default; "uncertainty"
        learns it with the model, see `fastdl.nn.MultiTaskLoss`.
    regularization : penalty or sequence of penalties
        ``penalty(model) -> Tensor``, such as ``nn.L2(0.01)``: added to the loss. The
        "loss" that `fit` and `evaluate` report is the whole cost.
    lr : float, optional
        The learning rate of an optimiser given by name or class, or by default.
    constraint : callable, optional
        ``constraint(model)``, such as ``nn.MaxNorm(3)``: changes the weights in place
        after each step.
    clip_norm, clip_value : float, optional
        Limits of the gradient before each step, see `fastdl.optim.clip_grad_norm_` and
        `fastdl.optim.clip_grad_value_`; with both, the elements are clipped first.
    ranks : Ranks
        The processes that share each batch, see `fastdl.parallel`; by default this one
        alone.

    Attributes
    ----------
    ranks : Ranks
        As given; may be set before `fit`.
    history : History
        The complete epochs of all calls of `fit`.

    Raises
    ------
    ArgumentError
        An argument is of the wrong kind, or a metric is unknown.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: LossChoice | Mapping[str, LossChoice] | None = None,
        optimizer: OptimizerLike | None = None,
        metrics: Metrics | None = None,
        *,
        lr: float | None = None,
        loss_weights: TaskWeights | None = None,
        regularization: Penalties = (),
        constraint: Callable[[nn.Module], object] | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        super().__init__(
            model,
            loss,
            optimizer,
            metrics,
            regularization,
            loss_weights,
            lr,
            ranks,
        )
        self._limits = Limits(constraint, clip_norm, clip_value)
        self._settings |= {
            "constraint": constraint,
            "clip_norm": clip_norm,
            "clip_value": clip_value,
        }

    # In a file

    def save(self, path: StrPath) -> None:
        """Save everything that training goes on with in one file.

        The model, as `fastdl.save` does, so that `fastdl.load` reads it from the file;
        and the state of the optimiser, the history, the loss, the metrics, the
        penalties and the limits, for `load`. With Adam that is three times the size of
        the model alone; for that, ``fastdl.save(trainer.model, path)``.

        Callbacks belong to a ``fit``: to go on in the middle of one, as after a crash,
        give it ``checkpoint=``.

        Parameters
        ----------
        path : path
            See `fastdl.save`.

        Raises
        ------
        FastdlError
            The model cannot be described, see `fastdl.save`; or the optimiser trains
            parameters that are not of the model.
        OSError
            The file cannot be written.
        """
        saved.save(self, path)

    @classmethod
    def load(
        cls,
        path: StrPath,
        *,
        loss: LossChoice | Mapping[str, LossChoice] | None = None,
        optimizer: OptimizerLike | None = None,
        metrics: Metrics | None = None,
        regularization: Penalties | None = None,
        constraint: Callable[[nn.Module], object] | None = None,
    ) -> Self:
        """Load a trainer that `save` wrote.

        ``Trainer.load(path).fit(...)`` continues with the same bits as ``fit`` of the
        trainer that was saved, called again, would have.

        Parameters
        ----------
        path : path
            The file. Nothing in it is run: it names parts of fastdl and their plain
            arguments. Classes of layers of your own must be registered before.
        loss, optimizer, metrics, regularization, constraint
            What is used instead of that in the file, as `Trainer` takes it. It must be
            given where it is code of your own, such as a loss that is a function. An
            optimiser of the class that was saved gets the saved state and options,
            another one starts afresh.

        Raises
        ------
        ArgumentError
            Something must be given, or what is given does not fit.
        DataError
            The file is missing, damaged, or holds no trainer.
        """
        options = {
            "loss": loss,
            "optimizer": optimizer,
            "metrics": metrics,
            "regularization": regularization,
            "constraint": constraint,
        }
        given = {name: each for name, each in options.items() if each is not None}
        return saved.load(cls, path, given)

    # Training

    @options_by_name
    def fit(
        self,
        x: AnySource,
        y: ArraysLike | None = None,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        validation: AnySource | None = None,
        validation_data: AnySource | None = None,
        validation_split: float = 0.0,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeights | None = None,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
        verbose: int | str | None = None,
        check_finite: bool = True,
        checkpoint: StrPath | None = None,
        checkpoint_steps: int | None = None,
        checkpoint_minutes: float | None = 10.0,
        resume: bool = False,
        allow_changes: Sequence[str] | None = (),
    ) -> History:
        """Train for some epochs; called again, it continues where it stopped.

        The same weights, data and seed give the same bits, for any number of threads.
        `fastdl.manual_seed`, called before the model is made, fixes its weights.

        Ctrl-C takes effect between two steps: the model keeps all whole steps, the
        history all whole epochs, a checkpoint is written if one is asked for, and
        KeyboardInterrupt is raised. With a checkpoint so does SIGTERM, as SystemExit
        with code 143. A second signal ends the program at once. Where the program has a
        handler of its own for a signal, only that is called.

        Parameters
        ----------
        x : array_like, or all in one: Dataset, tuple or DataLoader
            Inputs (m, ...); or inputs with their labels: a data set, a tuple (x, y) or
            (x, y, weight), a loader. Several inputs are a tuple of arrays, passed as
            ``model(*x)``, or a dict, passed as ``model(**x)``: ``fit((a, b), y)``,
            ``fit({"left": a, "right": b}, y)``, ``fit(((a, b), y))``. Pictures of
            uint8 become float32 in [0, 1], see `fastdl.data.as_float`; then all numbers
            are converted to the type of the model's parameters. weight (m,) says how
            much each example counts in the loss.
        y : array_like, (m, ...), optional
            Labels or targets, beside x; a tuple or a dict of them goes to the loss as
            it is. Under the squared error, pictures of
            the shape of x are scaled as x is; pictures of another shape, and bytes
            that are only 0 and 1, must be given as real numbers.
        epochs : int
            Passes through the data, from 1.
        batch_size, shuffle, seed
            How the data are cut into batches, see `fastdl.data.DataLoader`; a loader
            has its own, so beside one they are refused.
        validation, validation_data : Dataset, tuple or DataLoader, optional
            Two names of one option: as x with its labels; evaluated after each epoch.
        validation_split : float
            In (0, 1): the share of the data to keep for that instead, drawn at random
            by `seed`, the same share of each class if y are labels. Without `shuffle`,
            for rows in the order of time, it is the last rows. 0 keeps nothing.
        sample_weight : array_like, (m,), optional
            How much each example counts in the loss, beside arrays x and y.
        class_weight : sequence or mapping of int to float, or "balanced", optional
            How much the examples of each class count in the training loss: their
            weights are multiplied by it. "balanced" lets all classes count the same.
            It needs labels (m,), or one-hot rows.
        steps_per_epoch, validation_steps : int, optional
            For x, or validation data, that are a generator, another iterable of batches
            (x, y) or (x, y, weight), or a function that returns one: how many batches
            make an epoch; by default its length. A generator goes on from epoch to
            epoch, anything else begins again. There can be no checkpoint.
        callbacks : sequence of Callback
            Called in this order. `fit` stops at a NaN without any of them.
        progress : bool, optional
            Whether to report on the standard error stream: a line for each epoch, and a
            bar if that is a terminal or shown in a notebook. By default only then.
        verbose : {0, 1, 2, "auto"}, optional
            The same in the words of Keras: no report; lines and bar; lines alone.
        check_finite : bool
            Whether to look for NaN and infinities in x before the first step.
        checkpoint : path, optional
            A file that holds all that is needed to resume: model, optimiser, history,
            the state of the callbacks, and the place in the epoch. It is written after
            each epoch, and within epochs that are long. A warning says so if it takes
            the place of a training that was interrupted; a file of another kind is
            refused.
        checkpoint_steps : int, optional
            Write it also when so many steps were made since the last time.
        checkpoint_minutes : float, optional
            Write it also when so many minutes have passed since; None: never.
        resume : bool
            Continue from the checkpoint, with the same arguments, up to `epochs` in
            all: the bits are those of a training that was never interrupted. Whatever
            determines the training must be the same: the checkpoint describes the data,
            the loader, the model, the loss, the callbacks, and the optimiser with its
            options as they were at the start. Anything that differs is refused by name,
            and after an error everything is as it was before. The comparison cannot
            see global variables that code reads, C code, and what an object keeps
            under other names than its constructor's. For data that are not in memory
            it takes a sample of 64 examples.
        allow_changes : sequence of str
            Names of what may differ from the checkpoint, such as ``["data", "lr"]``, as
            the refusal gives them. The new value is used; another "optimizer" starts
            afresh.

        Returns
        -------
        History
            ``trainer.history``.

        Raises
        ------
        NonFiniteError
            There is a NaN or an infinity in x; or the loss is not finite: then the step
            is not made, the buffers are as before it, and the message names the step
            and the first layer whose output is not finite.
        DataError, DtypeError, ShapeError, ArgumentError
            Data or arguments do not fit, such as labels that are not integers or out of
            range, no examples, a batch size of 0, or a metric that cannot be computed
            from the outputs; the checkpoint is damaged, or of another training. All
            this is found before the first step, by checking all labels and measuring
            one batch.
        OSError
            The checkpoint or a log cannot be written; also found before.
        """
        epochs = integer(epochs, "fit: epochs")
        check_callbacks(callbacks, checkpoint)
        x = streamed("fit", x, steps_per_epoch, "steps_per_epoch")
        source = one_source("fit", self.model, x, y, sample_weight, "epochs")
        dev = validation_set(validation, validation_data, validation_steps)
        loader, dev = training_sets(
            source, dev, validation_split, batch_size, shuffle, seed
        )
        by_class = weights_of_classes(class_weight, loader, self.loss)
        everyone = [*callbacks, *reporting(progress, verbose)]
        if resume and checkpoint is None:
            raise ArgumentError("fit: resume from where? Give checkpoint= its path")
        if allow_changes and not resume:
            raise ArgumentError("fit: allow_changes is for resume=True")
        interval = Interval(checkpoint, checkpoint_steps, checkpoint_minutes)
        run = None
        if checkpoint is not None:
            run = Run(self, loader, dev, callbacks, epochs, by_class)
        rehearse(self, loader, dev, check_finite, by_class)
        if loader is not source:
            loader.epoch = len(self.history)
        if not self.ranks.is_first:
            everyone = [each for each in everyone if not each.first_rank_only]
        self._stopping = False
        with ExitStack() as stack:
            keeper, waiting = None, [signal.SIGINT]
            if checkpoint is not None and run is not None:
                keeper = Checkpoint(checkpoint, run)
                stack.enter_context(keeper.held())
                if resume:
                    with self.ranks.first_ahead():  # it may set a damaged file aside
                        keeper.read(allow_changes)
                else:
                    keeper.check_replaced()
                stack.push(keeper.undo)
                waiting.append(signal.SIGTERM)
            signals = stack.enter_context(deferred_signals(*waiting))
            rhythm = Rhythm(keeper, interval, signals, self.ranks, len(loader))
            stack.enter_context(self.model.mode(training=True))
            for callback in everyone:
                callback.on_train_begin(self, epochs, len(loader))
                stack.callback(callback.on_train_end, self)
            if keeper is not None and resume:
                rhythm.epochs = keeper.restore()
            self.ranks.share(
                self.model, self.optimizer, *self._learned_weights().parameters()
            )
            while rhythm.epochs < epochs and not self._stopping:
                self._epoch(loader, dev, by_class, everyone, rhythm)
        return self.history

    def _epoch(
        self,
        loader: DataLoader,
        validation: DataLoader | None,
        class_weight: ClassWeight | None,
        callbacks: Sequence[Callback],
        rhythm: Rhythm,
    ) -> None:
        epoch = len(self.history) + 1
        for callback in callbacks:
            callback.on_epoch_begin(self, epoch)
        at = Position(epoch, Measures(self.metrics, self._tasks))
        rhythm.go_on(at)
        self._follow_first()
        optimizer = self.optimizer
        buffers = Buffers(self.model)
        made = self.ranks.batches(loader, at.batch)
        with closing(made) as batches:  # type: ignore[type-var]
            steps = converted(batches, self.model, self.loss, class_weight)
            for batch, (x, y, *weight) in enumerate(steps, at.batch + 1):
                buffers.save()
                optimizer.zero_grad()
                outputs = run(self.model, x)
                cost, tasks = self._cost(outputs, y, *weight)
                count = self._cost.count(y, *weight)
                whole = combined(self.ranks, cost, count, tasks)
                where = f"epoch {epoch}, batch {batch}"
                if not math.isfinite(whole.value):
                    where += culprits(whole.tasks)
                    raise self._non_finite("fit", whole.value, where, x, buffers)
                self.ranks.send_backward(whole.cost, whole.share)
                try:
                    self._limits.clip(optimizer)
                except NonFiniteError as error:
                    buffers.restore()
                    raise NonFiniteError(f"fit: {error} ({where})") from None
                optimizer.step()
                self._limits.constrain(self.model)
                self._measure(at.measures, whole, outputs, y)
                examples = self.ranks.examples(length(x))
                at.add(examples)
                step = Step(epoch, batch, examples, whole.value)
                for callback in callbacks:
                    callback.on_batch_end(self, step)
                rhythm.after_batch(at)
        at.end()
        self.ranks.average_buffers(self.model)
        self.ranks.check(self.model, self.optimizer)
        row = {"epoch": epoch} | at.measures.results()
        if validation is not None:
            measured = self._evaluate(
                validation, lambda: rhythm.after_batch(at, is_step=False)
            )
            row |= {f"val_{name}": value for name, value in measured.items()}
        speed = at.examples / at.seconds
        row |= {"examples_per_second": speed, "seconds": at.seconds}
        self.history.rows.append(row)
        for callback in callbacks:
            callback.on_epoch_end(self, row)
        self._follow_first()
        rhythm.after_epoch(at)
