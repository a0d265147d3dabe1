"""DataLoader: order, batches, transforms, prefetching (SPEC S10)."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl.data import ArrayDataset, Augment, DataLoader, Subset, uniform
from fastdl.errors import ArgumentError, DataError, FastdlError, ShapeError


def data(m=10):
    return np.arange(m, dtype=np.float32)[:, np.newaxis], np.arange(m)


def order(batches):
    return np.concatenate([y for _, y in batches]).tolist()


def prefetch_threads():
    gc.collect()
    return [t for t in threading.enumerate() if t.name.startswith("fastdl-prefetch")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert prefetch_threads() == []


@pytest.mark.parametrize("prefetch", [0, 1, 2, 20])
def test_all_examples_in_order_last_batch_smaller(prefetch):
    """S10: mini-batches, the last one smaller."""
    batches = list(DataLoader(data(), 4, prefetch=prefetch))
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    assert order(batches) == list(range(10))
    for x, y in batches:
        np.testing.assert_array_equal(x[:, 0], y)


@pytest.mark.parametrize(
    ("m", "size", "drop_last", "steps"),
    [
        (5_000_000, 1_000, False, 5_000),
        (5_000_001, 1_000, False, 5_001),
        (5_000_001, 1_000, True, 5_000),
        (1, 1_000, False, 1),
        (1_000, 1_000, True, 1),
    ],
)
def test_length_is_the_steps_of_an_epoch(m, size, drop_last, steps):
    """S10: m = 5,000,000 with size 1,000 gives 5,000 steps an epoch."""
    x = np.broadcast_to(np.float32(0), (m, 784))
    assert len(DataLoader(x, size, drop_last=drop_last)) == steps


def test_drop_last_gives_as_many_batches_as_its_length():
    loader = DataLoader(data(), 4, drop_last=True)
    assert [len(x) for x, _ in loader] == [4, 4]


def test_shuffle_is_a_permutation_and_new_each_epoch():
    """S10: shuffled by a seed."""
    loader = DataLoader(data(50), 8, shuffle=True, seed=3)
    first, second = order(loader), order(loader)
    assert sorted(first) == sorted(second) == list(range(50))
    assert len({tuple(first), tuple(second), tuple(range(50))}) == 3


def test_order_depends_on_seed_and_epoch_alone():
    """S10: the order of an epoch is the same in every run."""
    one = DataLoader(data(50), 8, shuffle=True, seed=3)
    order(one)
    second_epoch = order(one)
    other = DataLoader(data(50), 20, shuffle=True, seed=3, prefetch=0)
    assert order(other.batches(1)) == second_epoch
    assert other.epoch == 0
    other.epoch = 1
    assert order(other) == second_epoch
    assert order(DataLoader(data(50), 8, shuffle=True, seed=4).batches(1)) != (
        second_epoch
    )


def test_global_random_state_is_neither_used_nor_touched():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = order(DataLoader(data(50), shuffle=True))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert order(DataLoader(data(50), shuffle=True)) == first


def test_uint8_becomes_float32_before_the_transform():
    x = np.full((3, 2, 2, 1), 255, np.uint8)
    seen = []

    def transform(x, y, seeds):
        seen.append(x.dtype)
        return x, y

    ((batch, y),) = DataLoader(x, transform=transform)
    assert seen == [np.float32]
    assert batch.dtype == np.float32
    assert (batch == 1).all()
    assert y is None


def test_transform_in_place_leaves_the_data_alone():
    x, y = data()

    def transform(x, y, seeds):
        x += 100
        y[:] = 0
        return x, y

    batches = list(DataLoader((x, y), 4, transform=transform))
    assert batches[0][0].min() == 100
    assert (order(batches) == np.zeros(10)).all()
    np.testing.assert_array_equal(x[:, 0], np.arange(10))


def noisy(x, y, seeds):
    return x + uniform(seeds, 1).astype(np.float32), y


@pytest.mark.parametrize("batch_size", [1, 3, 10])
@pytest.mark.parametrize("prefetch", [0, 1, 3])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_an_example_looks_the_same_in_any_batch(batch_size, prefetch, workers):
    """S22: seeded per (seed, epoch, example), the same for any number of workers."""

    def examples(**options):
        loader = DataLoader(data(), shuffle=True, seed=2, transform=noisy, **options)
        return [[row[0] for x, _ in loader for row in x] for _epoch in range(2)]

    plain = examples(batch_size=4, prefetch=0)
    assert examples(batch_size=batch_size, prefetch=prefetch, workers=workers) == plain
    assert plain[0] != plain[1]


def test_seeds_differ_between_examples_epochs_seeds_and_transforms():
    def drawn(seed, epoch):
        found = []

        def transform(x, y, seeds):
            found.extend(seeds.tolist())
            return x, y

        loader = DataLoader(
            data(), 5, seed=seed, transform=[transform, transform], prefetch=0
        )
        list(loader.batches(epoch))
        return found

    assert len({*drawn(0, 0), *drawn(0, 1), *drawn(1, 0)}) == 60


def test_random_numbers_of_an_example_are_a_stream():
    seeds = np.array([3, 2**64 - 1, 3], np.uint64)
    numbers = uniform(seeds, 9)
    np.testing.assert_array_equal(numbers[0], numbers[2])
    np.testing.assert_array_equal(numbers[1:2], uniform(seeds[1:2], 9))
    np.testing.assert_array_equal(numbers[:, :2], uniform(seeds, 2))
    many = uniform(np.arange(4000, dtype=np.uint64), 5)
    assert many.min() >= 0
    assert many.max() < 1
    np.testing.assert_allclose(many.mean(axis=0), 0.5, atol=0.02)
    np.testing.assert_allclose(np.corrcoef(many.T), np.eye(5), atol=0.07)


def test_transforms_follow_each_other():
    def add(x, y, seeds):
        return x + 1, y

    def double(x, y, seeds):
        return 2 * x, y

    ((x, _),) = DataLoader(data(), 10, transform=[add, double])
    np.testing.assert_array_equal(x, 2 * (data()[0] + 1))


@pytest.mark.parametrize(
    "transform", [3, ["flip"], [None], Augment, np.flip, lambda x: x]
)
def test_transform_that_is_no_function(transform):
    with pytest.raises(ArgumentError, match="transform must be a function"):
        DataLoader(data(), transform=transform)


def test_workers_make_batches_at_the_same_time():
    together = threading.Barrier(3, timeout=10)

    def transform(x, y, seeds):
        together.wait()  # breaks unless three threads are here at once
        return x, y

    assert order(DataLoader(data(9), 1, transform=transform, workers=3)) == list(
        range(9)
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads")
def test_workers_compute_alone(monkeypatch):
    """Kernels that they call start no threads, which would slow down the training."""
    pytest.importorskip("fastdl.kernels.engine.runtime")
    monkeypatch.setenv("FASTDL_BACKEND", "compiled")
    script = """
        import os
        import threading
        import numpy as np
        import fastdl
        from fastdl.data import Augment, DataLoader

        def threads():
            return {int(name) for name in os.listdir("/proc/self/task")}

        workers = set()  # noted by themselves: /proc shows them for a while after join
        augment = Augment(rotate=10)

        def transform(x, y, seeds):
            workers.add(threading.get_native_id())
            return augment(x, y, seeds)

        def run(**options):
            for _ in DataLoader(x, 16, transform=transform, **options):
                pass

        x = np.zeros((64, 64, 64, 3), np.uint8)
        fastdl.set_num_threads(1)
        run(prefetch=0)  # whatever threads NumPy starts for itself are there now
        before = threads()
        fastdl.set_num_threads(4)
        run(workers=2)
        assert threads() <= before | workers
        run(prefetch=0)
        started = threads() - before - workers
        assert len(started) >= 3  # the same batch takes four elsewhere
    """
    run_python("-c", textwrap.dedent(script))


def test_seconds_waited_are_counted():
    def slow(x, y, seeds):
        time.sleep(0.02)
        return x, y

    loader = DataLoader(data(), 5, transform=slow, prefetch=0)
    assert loader.seconds_waited == 0
    list(loader)
    assert loader.seconds_waited >= 0.04
    before = loader.seconds_waited
    list(loader)
    assert loader.seconds_waited > before


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x, y: x, "must return a tuple"),
        (lambda x, y: (x, y, y), "must return a tuple"),
        (lambda x, y: (x, y[1:]), "4 examples x but 3 y"),
    ],
    ids=["x only", "three", "lengths"],
)
def test_transform_that_returns_something_else(result, message, prefetch):
    loader = DataLoader(
        data(), 4, prefetch=prefetch, transform=lambda x, y, seeds: result(x, y)
    )
    with pytest.raises(DataError, match=message):
        list(loader)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_of_the_thread_is_raised_in_the_loop(error):
    def transform(x, y, seeds):
        if y[0] == 4:
            raise error("broken picture")
        return x, y

    seen = []

    def loop():
        for _, y in DataLoader(data(), 4, transform=transform):
            seen.extend(y)

    with pytest.raises(error, match="broken picture") as caught:
        loop()
    assert seen == [0, 1, 2, 3]
    assert caught.traceback[-1].name == "transform"


def test_threads_end_when_the_loop_breaks():
    for _ in DataLoader(data(1000), 1, prefetch=2, workers=2):
        assert len(prefetch_threads()) == 2
        break
    assert prefetch_threads() == []


def test_thread_ends_when_the_loop_raises():
    def loop():
        for _ in DataLoader(data(1000), 1, prefetch=2):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    assert prefetch_threads() == []


def test_loop_waits_for_a_thread_in_the_middle_of_a_batch():
    begun = threading.Event()

    def slow(x, y, seeds):
        if y[0] == 1:
            begun.set()
            time.sleep(0.2)
        return x, y

    for _ in DataLoader(data(), 1, transform=slow):
        assert begun.wait(10)
        break
    assert prefetch_threads() == []


def test_thread_ends_when_the_iterator_is_dropped():
    iterator = iter(DataLoader(data(1000), 1, prefetch=2))
    next(iterator)
    del iterator
    assert prefetch_threads() == []


def test_an_unused_iterator_starts_no_thread():
    iterator = iter(DataLoader(data(), 1))
    assert prefetch_threads() == []
    assert len(list(iterator)) == 10


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_stay_at_most_depth_ahead(workers):
    made = []
    all_made = threading.Event()
    depth = 2 * workers

    def transform(x, y, seeds):
        made.append(y[0])
        if len(made) == 1 + depth:
            all_made.set()
        return x, y

    loader = iter(
        DataLoader(data(), 1, prefetch=2, workers=workers, transform=transform)
    )
    next(loader)
    assert all_made.wait(10)
    assert len(made) == 1 + depth
    assert next(loader)[1] == 1


def test_two_iterations_at_once():
    loader = DataLoader(data(), 4, shuffle=True)
    first, second = zip(*zip(loader, loader, strict=True), strict=True)
    assert sorted(order(first)) == sorted(order(second)) == list(range(10))
    assert order(first) == order(loader.batches(0))
    assert order(second) == order(loader.batches(1))


def test_other_datasets():
    """Anything with y, len and take is a data set; ndarrays have take too."""

    class Squares:
        y = np.arange(5) ** 2

        def __len__(self):
            return 5

        def take(self, indices):
            return np.zeros((len(indices), 1)), self.y[indices]

    assert order(DataLoader(Squares(), 2)) == [0, 1, 4, 9, 16]
    assert order(DataLoader(Subset(Squares(), [4, 1]), 2)) == [16, 1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ShapeError, "batch_size must be an integer >= 1, got 0"),
        ({"batch_size": -3}, ShapeError, "batch_size"),
        ({"batch_size": 2.5}, ShapeError, "batch_size"),
        ({"batch_size": True}, ShapeError, "batch_size"),
        ({"workers": 0}, ShapeError, "workers must be an integer >= 1"),
        ({"prefetch": -1}, ShapeError, "prefetch must be an integer >= 0"),
        ({"seed": -1}, ShapeError, "seed must be an integer >= 0"),
        ({"seed": None}, ShapeError, "seed"),
        ({"batch_size": 11, "drop_last": True}, DataError, "do not fill one batch"),
    ],
    ids=str,
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        DataLoader(data(), **arguments)
    assert isinstance(caught.value, FastdlError)


@pytest.mark.parametrize(
    "empty",
    [
        np.zeros((0, 3)),
        (np.zeros((0, 3)), np.zeros(0, int)),
        Subset(ArrayDataset(*data()), []),
    ],
    ids=["array", "pair", "subset"],
)
def test_empty_data(empty):
    with pytest.raises(DataError, match="empty"):
        DataLoader(empty)


def test_bad_epoch():
    with pytest.raises(ShapeError, match="epoch"):
        DataLoader(data()).batches(-1)


def run_python(*arguments):
    """Run Python in a process of its own; a new one is no fork of pytest."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(fastdl.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_after_a_fork():
    """In the child a new iteration works, a half-used one is an error: none hangs."""
    script = """
        import os, signal
        import numpy as np
        from fastdl.data import DataLoader
        from fastdl.errors import FastdlError

        loader = DataLoader(np.arange(100.0)[:, None], 1, prefetch=2)
        half_used = iter(loader)
        next(half_used)
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # kills a child that hangs
            assert len(list(loader)) == 100
            for _ in loader:
                break
            try:
                next(half_used)
            except FastdlError as error:
                assert "fork" in str(error)
                del half_used
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert len(list(half_used)) == 99
    """
    run_python("-c", textwrap.dedent(script))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_worker_processes(method, tmp_path):
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("the system has no fork")
    script = f"""
        import multiprocessing
        import numpy as np
        from fastdl.data import DataLoader

        def work(loader):
            return sum(float(x.sum()) for x, _ in loader)

        if __name__ == "__main__":
            loader = DataLoader(np.ones((20, 1)), 3, shuffle=True)
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                sums = pool.map_async(work, [loader] * 3).get(timeout=50)
            assert sums == [20.0] * 3
    """
    file = tmp_path / "workers.py"
    file.write_text(textwrap.dedent(script))
    run_python(str(file))
