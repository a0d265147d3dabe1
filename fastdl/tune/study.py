"""A search in its storage: which trials are done, running, and to do.

The trials of a plan are numbered; each try at one is a trial of Optuna that carries its
number. A worker that wants trial 7 adds a try at it, and owns it unless an earlier try
at 7 is alive: of two at the same time the first wins, in the order of the storage. A
try whose worker has died is marked as failed, and trial 7 is free again. So no trial is
lost and none counts twice, whichever process is killed at any time.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastdl.errors import ArgumentError, DataError
from fastdl.tune.plan import Plan
from fastdl.tune.storage import import_optuna
from fastdl.tune.view import BEAT, ERROR, NUMBER, WORKER, View
from fastdl.typing import Json

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

_PLAN = "fastdl_plan"  # an attribute of a study
_KILLED = "killed"  # of a try
_MOST_KILLED = 3  # tries of one trial whose processes were killed


class Claim(NamedTuple):
    """A trial that a worker owns.

    Attributes
    ----------
    number : int
        Of the trial, from 0.
    id : int
        Of the try, in the storage.
    params : dict
        The values.
    """

    number: int
    id: int
    params: dict[str, Any]


class LostError(Exception):
    """The try was declared void; another worker may have the trial by now."""


class Study:
    """The tries of one search.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        Where they are kept.
    name : str
        Of the study there.
    plan : Plan, optional
        Of a new study; without it the study must exist.

    Raises
    ------
    ArgumentError
        A study of this name exists already.
    DataError
        There is none, or it is not a search by fastdl.
    """

    def __init__(
        self, storage: BaseStorage, name: str, plan: Plan | None = None
    ) -> None:
        self._optuna = optuna = import_optuna()
        self._storage, self.name = storage, name
        self._states = optuna.trial.TrialState
        if plan is not None:
            self._create(plan)
        try:
            self._study_id = storage.get_study_id_from_name(name)
        except KeyError:
            raise DataError(f"the storage has no study {name!r}") from None
        attributes = storage.get_study_user_attrs(self._study_id)
        self.plan = Plan.from_json(attributes.get(_PLAN, {}), f"the study {name!r}")
        self._pruner = {
            None: optuna.pruners.NopPruner,
            "median": optuna.pruners.MedianPruner,
            "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(
                min_resource=1, reduction_factor=3
            ),
        }[self.plan.pruner]()
        self._study = optuna.load_study(
            study_name=name,
            storage=storage,
            sampler=optuna.samplers.RandomSampler(),
            pruner=self._pruner,
        )

    def _create(self, plan: Plan) -> None:
        storage, directions = self._storage, self._optuna.study.StudyDirection
        best = directions.MAXIMIZE if plan.mode == "max" else directions.MINIMIZE
        try:
            study_id = storage.create_new_study([best], self.name)
        except self._optuna.exceptions.DuplicatedStudyError:
            if self.exists(storage, self.name):
                raise ArgumentError(
                    f"there is a study {self.name!r} already; go on with it (--resume, "
                    f"resume=True), or choose another folder or name"
                ) from None
            study_id = storage.get_study_id_from_name(self.name)
        storage.set_study_user_attr(study_id, _PLAN, plan.to_json())

    @staticmethod
    def exists(storage: BaseStorage, name: str) -> bool:
        """Whether the storage has a study of this name that was started."""
        try:
            study_id = storage.get_study_id_from_name(name)
        except KeyError:
            return False
        # A name alone was left by a process that was killed right after taking it.
        attributes = storage.get_study_user_attrs(study_id)
        return bool(attributes or storage.get_all_trials(study_id, deepcopy=False))

    def close(self) -> None:
        """Close connections to the storage; later calls open new ones."""
        self._storage.remove_session()

    def look(self) -> View:
        """Return the present state."""
        tries = self._storage.get_all_trials(self._study_id, deepcopy=False)
        return View(self.plan, tries)

    def extend(self, trials: int) -> None:
        """Plan another number of trials."""
        self.plan = dataclasses.replace(self.plan, trials=trials)
        self._storage.set_study_user_attr(self._study_id, _PLAN, self.plan.to_json())

    def importance(self) -> dict[str, float]:
        """Return the importance of each hyperparameter, see `SearchResult`."""
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        names = {self.plan.space[n].stored_name(n): n for n in self.plan.space.searched}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental before version 5
            found = get_param_importances(
                self._study,
                evaluator=PedAnovaImportanceEvaluator(),
                params=list(names),
            )
        return {names[stored]: share for stored, share in found.items()}

    # What a worker does

    def claim(self, worker: str, view: View | None = None) -> Claim | None:
        """Return the next trial for a worker, None when there is nothing to do now.

        All may be done or running, or the next one depends on those that are running.

        Parameters
        ----------
        worker : str
            Its name.
        view : View, optional
            A recent view of the study, to save another look.
        """
        view = view or self.look()
        while (number := view.free) is not None:
            params = self.plan.params(number, view.tried)
            if params is None:
                return None
            known = {} if self.plan.is_sampled else params
            template = self._optuna.create_trial(
                state=self._states.RUNNING,
                params=self._stored(known),
                distributions=self._distributions(known),
                user_attrs={NUMBER: number, WORKER: worker},
            )
            own = self._storage.create_new_trial(self._study_id, template)
            view = self.look()
            owner = view.owners.get(number)
            if owner is not None and owner._trial_id == own:
                return Claim(number, own, known or self._sample(own, number))
            self.void(own)  # another worker was first
        return None

    def _stored(self, params: dict[str, Any]) -> dict[str, Any]:
        space = self.plan.space
        return {
            space[name].stored_name(name): space[name].stored(value)
            for name, value in params.items()
        }

    def _distributions(self, names: Iterable[str]) -> dict[str, Any]:
        space = self.plan.space
        return {space[n].stored_name(n): space[n].distribution() for n in names}

    def _sample(self, own: int, number: int) -> dict[str, Any]:
        """Let Optuna choose the values of a try."""
        rng = np.random.default_rng([self.plan.seed, number])
        sampler = self._optuna.samplers.TPESampler(seed=int(rng.integers(2**32)))
        study, storage = self._study, self._storage
        frozen = storage.get_trial(own)
        sampler.before_trial(study, frozen)
        together = sampler.infer_relative_search_space(study, frozen)
        values = sampler.sample_relative(study, frozen, together)
        only = self._stored(self.plan.space.draw(rng))
        for name, distribution in self._distributions(self.plan.space).items():
            if distribution.single():
                values[name] = only[name]
            elif name not in values:
                values[name] = sampler.sample_independent(
                    study, frozen, name, distribution
                )
            internal = distribution.to_internal_repr(values[name])
            storage.set_trial_param(own, name, internal, distribution)
        return self.look().params(storage.get_trial(own))

    def beat(self, own: int, count: int) -> None:
        """Show that the worker of a try is alive; LostError if it is too late."""
        self._update(own, "set_trial_user_attr", BEAT, count)

    def report(self, own: int, step: int, score: float) -> bool:
        """Keep the score after a step; return whether the try is hopeless.

        Raises
        ------
        LostError
            The try was declared void.
        """
        self._update(own, "set_trial_intermediate_value", step, score)
        return self._pruner.prune(self._study, self._storage.get_trial(own))

    def finish(
        self, own: int, state: str, score: float | None = None, **attributes: Json
    ) -> None:
        """Keep the outcome of a try: "complete" with its score, "pruned" or "failed".

        Raises
        ------
        LostError
            The try was taken for dead.
        """
        states = self._states
        for name, value in attributes.items():
            self._update(own, "set_trial_user_attr", name, value)
        kept = {"complete": states.COMPLETE, "pruned": states.PRUNED}
        values = None if score is None else [score]
        self._update(
            own, "set_trial_state_values", kept.get(state, states.FAIL), values
        )

    def void(self, own: int) -> None:
        """Mark a try as one that does not count; its trial is free again."""
        with suppress(LostError):
            self._update(own, "set_trial_state_values", self._states.FAIL)

    def release(self, worker: str, killed: bool = False) -> int:
        """Free the trial of a worker that is dead; return how many it had.

        A trial whose worker was `killed` alone, as systems do when memory runs out, is
        tried three times.
        """
        view = self.look()
        own = [each for each in view.running if each.user_attrs.get(WORKER) == worker]
        for each in own:
            with suppress(LostError):
                if killed:
                    self._count_killed(view, each)
                self.void(each._trial_id)
        return len(own)

    def _count_killed(self, view: View, each: FrozenTrial) -> None:
        number = each.user_attrs[NUMBER]
        times = 1 + sum(
            t.user_attrs[NUMBER] == number and _KILLED in t.user_attrs
            for t in view.tries
        )
        self._update(each._trial_id, "set_trial_user_attr", _KILLED, times)
        if times >= _MOST_KILLED:
            error = f"its process died {times} times; is there too little memory?"
            self._update(each._trial_id, "set_trial_user_attr", ERROR, error)

    def _update(self, own: int, method: str, *arguments: object) -> None:
        try:
            getattr(self._storage, method)(own, *arguments)
        except RuntimeError:  # from Optuna, for a trial that is finished already
            raise LostError from None
