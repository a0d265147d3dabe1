"""Several workers: what they do at the same time, and what their death costs."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from fastdl import tune
from fastdl.errors import DataError, FastdlError
from fastdl.tune import Linear, lease
from fastdl.tune.crew import Crew
from fastdl.tune.lease import Lease, Presence, Watch, forget, new_name
from fastdl.tune.objective import describe
from fastdl.tune.plan import Plan
from fastdl.tune.result import SearchResult
from fastdl.tune.storage import open_storage
from fastdl.tune.study import LostError, Study
from fastdl.tune.worker import run, work

pytest.importorskip("optuna")
SPACE = tune.Space({"x": Linear(0, 1)})


def one(trial):
    return 1.0


@pytest.fixture
def studies(tmp_path):
    """Two views of one study of four trials, as two processes have them."""
    path = str(tmp_path / "study.journal")
    first = Study(open_storage(path), "s", Plan(describe(one), SPACE, trials=4))
    return first, Study(open_storage(path), "s")


@pytest.fixture
def opened():
    """Open studies of a server; their connections are closed at the end."""
    made = []

    def open_study(url, name, plan=None):
        made.append(Study(open_storage(url), name, plan))
        return made[-1]

    yield open_study
    for study in made:
        study.close()


def outcomes(study):
    """Return how often each trial has an outcome."""
    done = [t for t in study.look().tries if t.state.name in ("COMPLETE", "PRUNED")]
    return Counter(each.user_attrs["number"] for each in done)


# Claims -------------------------------------------------------------------------------


def test_each_trial_has_one_owner(studies):
    claims = [study.claim(name) for study in studies for name in ("a", "b")]
    assert [claim.number for claim in claims] == [0, 1, 2, 3]
    assert studies[0].claim("a") is None


def test_of_two_that_come_at_once_the_first_wins(studies):
    """The second looked before the first had added its try."""
    first, second = studies
    before = second.look()
    assert first.claim("a").number == 0
    claim = second.claim("b", before)
    assert claim.number == 1
    assert [t.state.name for t in first.look().tries] == ["RUNNING", "FAIL", "RUNNING"]
    assert sorted(first.look().owners) == [0, 1]


def test_a_void_try_frees_its_trial(studies):
    first, second = studies
    claim = first.claim("a")
    second.void(claim.id)
    again = second.claim("b")
    assert (again.number, again.params) == (claim.number, claim.params)
    for late in (
        lambda: first.finish(claim.id, "complete", 1.0),
        lambda: first.report(claim.id, 1, 1.0),
        lambda: first.beat(claim.id, 1),
    ):
        with pytest.raises(LostError):
            late()
    second.finish(again.id, "complete", 2.0)
    assert first.look().finished[0].value == 2.0


def test_a_trial_that_is_lost_ends_early_and_counts_once(studies):
    first, second = studies
    claim = first.claim("a")
    seen = []

    def objective(trial):
        seen.append(trial.report(0.5))
        second.void(claim.id)
        seen.append(trial.report(0.6))
        work(second, one, after_trial=lambda: None)
        return 0.7

    run(first, claim, objective)
    assert seen == [True, False]
    assert outcomes(first) == {0: 1, 1: 1, 2: 1, 3: 1}
    assert first.look().finished[0].value == 1.0


# Leases -------------------------------------------------------------------------------


def test_a_lease_that_is_not_renewed_ends(studies, monkeypatch):
    first, second = studies
    clock = [0.0]
    monkeypatch.setattr(lease.time, "monotonic", lambda: clock[0])
    dead, living = first.claim("dead"), first.claim("living")
    watch = Watch(second, None)
    for beat in range(8):
        first.beat(living.id, beat)
        watch.look(second.look())
        clock[0] += 10
        assert sorted(second.look().owners) == ([0, 1] if beat < 7 else [1])
    assert second.claim("heir").number == dead.number


def test_a_worker_renews_its_lease(studies, monkeypatch):
    monkeypatch.setattr(lease, "INTERVAL", 0.01)
    claim = studies[0].claim("a")
    with Lease(studies[0], claim.id) as held:
        deadline = time.monotonic() + 10
        while studies[1].look().running[0].user_attrs.get("beat", 0) < 3:
            assert time.monotonic() < deadline
        studies[1].void(claim.id)
        while not held.lost:
            assert time.monotonic() < deadline


@pytest.mark.skipif(lease.fcntl is None, reason="this system has no such locks")
def test_on_one_machine_a_death_is_seen_at_once(studies, tmp_path):
    name = new_name()
    presence = Presence(name, tmp_path)
    studies[0].claim(name)
    watch = Watch(studies[1], tmp_path)
    watch.look(studies[1].look())
    assert len(studies[1].look().running) == 1
    os.close(presence._file)  # what the system does when the process dies
    watch.look(studies[1].look())
    assert not studies[1].look().running
    assert not list(tmp_path.glob(".*.lock"))


def test_locks_of_other_machines_are_not_judged(studies, tmp_path):
    presence = Presence("elsewhere-1", tmp_path)
    studies[0].claim("elsewhere-1")
    os.close(presence._file)
    Watch(studies[1], tmp_path).look(studies[1].look())
    assert len(studies[1].look().running) == 1


# Processes ----------------------------------------------------------------------------


def test_s34_caviar_finds_what_one_process_finds(objectives, tmp_path, capsys):
    """Many models in parallel (S34), and each trial is the same as alone."""
    arguments = {"space": SPACE, "trials": 8, "method": "coarse_to_fine"}
    out = tmp_path / "many"
    many = tune.search(objectives.slow, **arguments, jobs=2, out=out, progress=True)
    assert "8/8" in capsys.readouterr().err
    alone = tune.search(objectives.parabola, **arguments)
    for mine, other in zip(many.trials, alone.trials, strict=True):
        assert (mine.params, mine.score) == (other.params, other.score)
    study = Study(open_storage(str(tmp_path / "many" / "study.journal")), "search")
    assert len({each.user_attrs["worker"] for each in study.look().tries}) == 2
    assert not list((tmp_path / "many").glob(".*.lock"))


def test_a_worker_that_is_killed_is_replaced(objectives, tmp_path):
    out = tmp_path / "out"
    result = tune.search(objectives.killed_once, SPACE, trials=6, jobs=2, out=out)
    assert {trial.state for trial in result.trials} == {"complete"}
    ran = Counter(Path(os.environ["TRIALS_LOG"]).read_text().split())
    assert ran == {str(number): 1 for number in range(6)}


def test_a_trial_that_kills_its_workers_fails_in_the_end(objectives, tmp_path):
    out = tmp_path / "out"
    result = tune.search(objectives.deadly, SPACE, trials=3, jobs=2, out=out)
    states = [trial.state for trial in result.trials]
    assert states == ["complete", "failed", "complete"]
    assert "its process died 3 times" in result.trials[1].why


def test_an_error_of_a_worker_is_told(objectives, tmp_path, monkeypatch, capfd):
    find = tune.search.__globals__["objectives"].find
    arguments = {"space": SPACE, "trials": 3, "jobs": 2, "out": tmp_path / "out"}

    def find_and_remove(description):
        found = find(description)
        Path(objectives.__file__).unlink()
        return found

    monkeypatch.setattr(tune.search.__globals__["objectives"], "find", find_and_remove)
    with pytest.raises(FastdlError, match="a worker ended with an error, see above"):
        tune.search(objectives.parabola, **arguments)
    assert "workers cannot import search_objectives:parabola" in capfd.readouterr().err


SEARCH = """
import search_objectives
from fastdl import tune
space = {"x": tune.Linear(0, 1)}
tune.search(search_objectives.logged, space, trials=%d, jobs=2, out="out", resume=%r)
"""


def search_and_kill(folder, trials, kills, group):
    """Run a search that is killed again and again; return the studies that it left."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    journal = folder / "out" / "study.journal"
    states = []
    for kill in range(kills + 1):
        resume = bool(states)
        process = subprocess.Popen(
            [sys.executable, "-c", SEARCH % (trials, resume)],
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        target = len(states[-1]) + 1 if states else 1
        while kill < kills and process.poll() is None:
            if journal.exists() and Study.exists(open_storage(str(journal)), "search"):
                study = Study(open_storage(str(journal)), "search")
                if len(study.look().finished) >= target:
                    break
            time.sleep(0.02)
        if kill < kills:
            (os.killpg if group(kill) else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        study = Study(open_storage(str(journal)), "search")
        states.append({n: t.value for n, t in study.look().finished.items()})
    assert process.returncode == 0
    return states, study


@pytest.mark.parametrize(
    ("kills", "trials"), [(2, 6), pytest.param(20, 60, marks=pytest.mark.soak)]
)
def test_a_search_that_is_killed_loses_no_trial(objectives, tmp_path, kills, trials):
    """The parent alone, or all processes: what is finished stays, nothing is twice."""
    states, study = search_and_kill(
        tmp_path, trials, kills, group=lambda kill: kill % 2 == 0
    )
    for before, after in pairwise(states):
        assert before.items() <= after.items()
    assert sorted(states[-1]) == list(range(trials))
    assert outcomes(study) == dict.fromkeys(range(trials), 1)


# Storages -----------------------------------------------------------------------------


def test_a_journal_whose_last_line_was_cut_off(studies, tmp_path):
    path = tmp_path / "study.journal"
    whole = path.read_bytes()
    studies[0].claim("a")
    path.write_bytes(path.read_bytes()[:-7])
    assert not Study(open_storage(str(path)), "s").look().running
    assert path.read_bytes() == whole
    assert Study(open_storage(str(path)), "s").claim("b").number == 0


def test_a_line_that_a_full_disk_cut_off_spoils_no_other(studies, tmp_path):
    path = tmp_path / "study.journal"
    studies[0].claim("a")
    with open(path, "ab") as file:
        file.write(b'{"op_code":4,"wor')
    assert studies[1].claim("b").number == 1
    assert studies[0].claim("a").number == 2
    assert len(Study(open_storage(str(path)), "s").look().running) == 3


@pytest.mark.parametrize("content", [b"no journal\n", b'{"op_code": 99}\n', b"[]\n"])
def test_a_damaged_journal(tmp_path, content):
    path = tmp_path / "study.journal"
    path.write_bytes(content)
    with pytest.raises(
        FastdlError, match=r"study\.journal (cannot be read|is damaged)"
    ):
        tune.search(one, SPACE, out=tmp_path)
    assert path.read_bytes() == content


def test_a_storage_that_comes_back_costs_nothing(tmp_path, monkeypatch, capsys):
    from optuna.storages.journal import JournalFileBackend

    usual, fails = JournalFileBackend.append_logs, iter([3, 2, 1] * 4)

    def append(self, logs):
        if next(fails, 0) > 1:
            raise OSError(28, "No space left on device")
        usual(self, logs)

    monkeypatch.setattr("fastdl.tune.storage._FIRST_WAIT", 0.001)
    monkeypatch.setattr(JournalFileBackend, "append_logs", append)
    result = tune.search(one, SPACE, trials=3, out=tmp_path)
    assert [trial.score for trial in result.trials] == [1, 1, 1]
    assert "does not answer ([Errno 28] No space left on device); trying again in" in (
        capsys.readouterr().err
    )


def test_a_storage_that_stays_down_is_an_error(tmp_path, monkeypatch):
    from optuna.storages.journal import JournalFileBackend

    tune.search(one, SPACE, trials=2, out=tmp_path)

    def append(self, logs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", append)
        with pytest.raises(tune.StorageDown, match=r"study\.journal does not answer"):
            tune.search(one, SPACE, trials=4, out=tmp_path, resume=True, patience=0.3)
    result = tune.search(one, SPACE, trials=4, out=tmp_path, resume=True)
    assert len(result.trials) == 4


def test_what_a_storage_did_not_take_is_delivered_later(tmp_path, monkeypatch):
    """A training is not made again because its storage was down at its end."""
    from optuna.storages.journal import JournalFileBackend

    calls = []

    def append(self, logs):
        raise OSError(28, "No space left on device")

    def objective(trial):
        calls.append(trial.number)
        if trial.number == 1 and len(calls) == 2:
            monkeypatch.setattr(JournalFileBackend, "append_logs", append)
        return 5.0 + trial.number

    out = tmp_path / "out"
    with monkeypatch.context(), pytest.raises(tune.StorageDown):
        tune.search(objective, SPACE, trials=3, out=out, patience=0.1)
    monkeypatch.undo()
    assert len(list(out.glob("unsent-*.json"))) == 1
    result = tune.search(objective, SPACE, trials=3, out=out, resume=True)
    assert calls == [0, 1, 2]
    assert [trial.score for trial in result.trials] == [5, 6, 7]
    assert not list(out.glob("unsent-*.json"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"own": 0, "no": 1}'])
def test_a_damaged_file_of_an_outcome(tmp_path, content):
    (tmp_path / "unsent-0.json").write_text(content)
    with pytest.raises(FastdlError, match=r"unsent-0\.json is damaged"):
        tune.search(one, SPACE, trials=1, out=tmp_path)
    assert (tmp_path / "unsent-0.json").read_text() == content


def test_no_server_there(tmp_path):
    pytest.importorskip("psycopg")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but it listens to nobody
        url = f"postgresql://me:secret@127.0.0.1:{nobody.getsockname()[1]}/searches"
        with pytest.raises(tune.StorageDown) as caught:
            tune.search(one, SPACE, storage=url, patience=0.3)
    assert "127.0.0.1" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nosuch://here/it", "expected a path, or a URL such as"),
        ("://here/it", "expected a path, or a URL such as"),
        ("oracle+cx_oracle://u:pw@h/d", "the package of this database is missing"),
    ],
)
def test_wrong_urls(url, message):
    with pytest.raises(FastdlError, match=message) as caught:
        tune.search(one, SPACE, storage=url)
    assert "pw" not in str(caught.value)


def test_sqlite_is_a_database_too(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    for trials, resume in ((2, False), (3, True)):
        result = tune.search(one, SPACE, trials=trials, storage=url, resume=resume)
    assert len(result.trials) == 3


# PostgreSQL ---------------------------------------------------------------------------


@pytest.mark.soak
def test_postgresql_with_a_worker_killed(objectives, postgres, opened, tmp_path):
    """Two workers, one killed in the middle of a trial: the study goes on."""
    result = tune.search(
        objectives.killed_once,
        SPACE,
        trials=6,
        jobs=2,
        out=tmp_path / "killed",
        storage=postgres.url,
    )
    alone = tune.search(objectives.parabola, SPACE, trials=6)
    assert [t.params for t in result.trials] == [t.params for t in alone.trials]
    assert [t.score for t in result.trials] == [t.score for t in alone.trials]
    ran = Counter(Path(os.environ["TRIALS_LOG"]).read_text().split())
    assert ran == {str(number): 1 for number in range(6)}
    assert outcomes(opened(postgres.url, "killed")) == dict.fromkeys(range(6), 1)


def test_postgresql_that_restarts(postgres, tmp_path, capsys):
    """A server that crashes and comes back in the middle of a search costs nothing."""
    numbers = []

    def objective(trial):
        numbers.append(trial.number)
        if trial.number == 2:
            postgres.stop()
            postgres.start()
        return trial.params["x"]

    result = tune.search(
        objective, SPACE, trials=5, name="restart", storage=postgres.url
    )
    assert numbers == [0, 1, 2, 3, 4]
    assert [t.score for t in result.trials] == [t.params["x"] for t in result.trials]


def test_postgresql_for_several_machines(postgres, opened):
    """Each searches with resume; the lease alone tells who lives."""
    plan = Plan(describe(one), SPACE, trials=6, method="tpe")
    views = [opened(postgres.url, "m", plan), opened(postgres.url, "m")]
    claims = [views[turn % 2].claim(f"machine{turn % 2}-x") for turn in range(4)]
    assert [claim.number for claim in claims] == [0, 1, 2, 3]
    for view, claim in zip(views * 2, claims, strict=True):
        view.report(claim.id, 1, 0.5)
        view.beat(claim.id, 1)
        view.finish(claim.id, "complete", 0.5)
    work(views[1], one)
    assert outcomes(views[0]) == dict.fromkeys(range(6), 1)


@pytest.mark.parametrize(
    ("found", "put"),
    [
        (r'"number": ?0', '"number": {}'),
        (r'"seconds": ?[^},]*', '"seconds": {}'),
        (r'"values": ?\[[^]]+\]', '"values": ["a"]'),
    ],
)
def test_a_storage_with_values_that_are_no_numbers(found, put, tmp_path):
    path = tmp_path / "study.journal"
    tune.search(one, SPACE, trials=1, out=tmp_path)
    text, count = re.subn(found, put, path.read_text())
    assert count > 0
    path.write_text(text)
    study = Study(open_storage(str(path)), "search")
    if "number" in found:  # not one of ours
        assert SearchResult(study).trials == []
    else:
        with pytest.raises(DataError, match=r"damaged|the study 'search' cannot be"):
            SearchResult(study)


def test_the_storage_does_not_choose_what_a_worker_calls(tmp_path, objectives):
    """Whoever can write there could have any function of any module called."""
    where = str(tmp_path / "study.journal")
    plan = Plan(describe(objectives.parabola), SPACE, trials=1)
    study = Study(open_storage(where), "s", plan)
    foreign = plan.to_json() | {"objective": {"function": "os:abort"}}
    study._storage.set_study_user_attr(study._study_id, "fastdl_plan", foreign)
    with Crew(study, where, tmp_path, 1, None, plan.objective) as crew:
        while not (view := study.look()).is_done:
            crew.look(view)
            time.sleep(0.05)
    assert outcomes(study) == {0: 1}


def test_an_error_here_ends_the_workers_at_once(tmp_path, objectives):
    where = str(tmp_path / "study.journal")
    plan = Plan(describe(objectives.slow), SPACE, trials=1)
    study = Study(open_storage(where), "s", plan)
    crew = Crew(study, where, tmp_path, 1, None, plan.objective)
    with suppress(KeyboardInterrupt), crew:
        crew.look(study.look())
        raise KeyboardInterrupt
    (process,) = crew._workers.values()
    assert process.returncode == (1 if os.name == "nt" else -signal.SIGKILL)


def test_the_lock_of_a_worker_that_was_ended_goes_too(tmp_path):
    (tmp_path / ".first.lock").touch()
    forget("first", tmp_path)
    assert not any(tmp_path.iterdir())
