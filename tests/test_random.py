import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastdl import random
from fastdl.errors import ArgumentError


def test_seed_repeats_everything():
    def draws():
        random.seed(7)
        first = random.generator().random(3)
        return first.tolist(), random.new_seed(), random.generator().random(3).tolist()

    assert draws() == draws()


def test_every_stream_is_its_own():
    random.seed(7)
    first, second = random.generator().random(5), random.generator().random(5)
    assert not np.array_equal(first, second)
    assert random.new_seed() != random.new_seed()


def test_seeds_differ():
    random.seed(1)
    first = random.new_seed()
    random.seed(2)
    assert random.new_seed() != first


def test_new_seed_is_64_bits():
    seeds = [random.new_seed() for _ in range(64)]
    assert all(type(seed) is int for seed in seeds)
    assert 2**62 < max(seeds) < 2**64


def test_global_numpy_state_is_untouched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    random.seed(7)
    random.generator().random(10)
    random.new_seed()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("n", [-1, 1.5, "7", None])
def test_bad_seed(n):
    with pytest.raises(ArgumentError, match="seed: expected an integer >= 0, got"):
        random.seed(n)
    with pytest.raises(ArgumentError, match="seed: expected an integer >= 0, got"):
        random.seeded(n).__enter__()


def test_a_block_has_randomness_of_its_own():
    def draws():
        with random.seeded(7):
            return random.new_seed(), random.generator().random(3).tolist()

    random.seed(7)
    expected = random.new_seed(), random.generator().random(3).tolist()
    random.seed(3)
    outside = [random.new_seed(), random.new_seed()]
    random.seed(3)
    assert [random.new_seed(), draws(), random.new_seed()] == [
        outside[0],
        expected,
        outside[1],
    ]


def test_a_block_ends_with_an_error():
    random.seed(3)
    expected = random.new_seed()
    random.seed(3)
    with pytest.raises(KeyError), random.seeded(7):
        raise KeyError
    assert random.new_seed() == expected


def test_a_block_concerns_its_thread():
    random.seed(3)
    expected = random.new_seed()
    random.seed(3)
    with random.seeded(7), ThreadPoolExecutor(1) as pool:
        assert pool.submit(random.new_seed).result() == expected


def test_the_state_goes_on_where_it_was():
    """Outside of a block, and within one, whose end it does not survive."""
    random.seed(7)
    random.new_seed()
    state = json.loads(json.dumps(random.state_dict()))
    first = random.new_seed()
    random.seed(8)
    random.load_state_dict(state)
    assert random.new_seed() == first
    with random.seeded(3):
        inside = random.state_dict()
        once = random.new_seed()
        random.load_state_dict(state)
        assert random.new_seed() == first
        random.load_state_dict(inside)
        assert random.new_seed() == once
    random.load_state_dict(state)
    assert random.new_seed() == first
