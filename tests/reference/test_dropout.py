import numpy as np
import pytest

from fastdl.reference import dropout_backward, dropout_forward
from fastdl.reference.dropout import philox4x32


def kept(n, keep_prob, seed=0, offset=0):
    return dropout_forward(np.ones(n), keep_prob, seed=seed, offset=offset) > 0


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
    ids=["zeros", "ones", "pi"],
)  # fmt: skip
def test_published_vectors(counter, key, expected):
    """The known answers of the Random123 library for philox4x32-10."""
    counter, key, expected = (
        [int(word, 16) for word in words.split()] for words in (counter, key, expected)
    )
    words = philox4x32(np.array(counter, np.uint64), tuple(key))
    assert words.tolist() == expected


def test_mask_follows_from_the_words():
    """The words of block 0, key 0 are 66..., e1..., bc..., 9b... of ff..."""
    assert kept(4, 0x66 / 256).tolist() == [False, False, False, False]
    assert kept(4, 0x67 / 256).tolist() == [True, False, False, False]
    assert kept(4, 0xBD / 256).tolist() == [True, False, True, True]
    assert kept(4, 0xE2 / 256).tolist() == [True, True, True, True]


def test_seed_fills_both_key_words():
    words = philox4x32(np.zeros(4, np.uint64), (0x9ABCDEF0, 0x12345678))
    mask = kept(4, 0.5, seed=0x123456789ABCDEF0)
    assert mask.tolist() == (words < 2**31).tolist()


def test_block_number_fills_both_counter_words():
    words = philox4x32(np.array([5, 3, 0, 0], np.uint64), (7, 0))
    mask = kept(4, 0.5, seed=7, offset=4 * (3 * 2**32 + 5))
    assert mask.tolist() == (words < 2**31).tolist()


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 5, 17, 99, 100])
def test_pieces_with_offsets_make_the_whole(cut):
    start = 2**34 - 50  # block numbers pass 2**32 on the way
    whole = kept(100, 0.6, seed=3, offset=start)
    first = kept(cut, 0.6, seed=3, offset=start)
    second = kept(100 - cut, 0.6, seed=3, offset=start + cut)
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)


def test_s21_scaling_and_share(rng):
    """S21: kept elements are scaled by 1 / keep_prob, so the expectation stays."""
    x = rng.standard_normal((100, 1000))
    y = dropout_forward(x, 0.8, seed=1, offset=0)
    mask = y != 0
    np.testing.assert_array_equal(y[mask], x[mask] * (1 / 0.8))
    assert abs(mask.mean() - 0.8) < 0.005  # 4 standard deviations
    assert abs((y / x).mean() - 1) < 0.00625


def test_s21_backward_has_the_same_mask(rng):
    """S21."""
    x, dy = rng.standard_normal((30, 7)), rng.standard_normal((30, 7))
    y = dropout_forward(x, 0.5, seed=9, offset=2)
    dx = dropout_backward(dy, 0.5, seed=9, offset=2)
    np.testing.assert_array_equal(dx, np.where(y != 0, dy * 2, 0))


def test_s21_keep_everything(rng):
    """S21: keep_prob 1 is the identity."""
    x = rng.standard_normal(1000)
    np.testing.assert_array_equal(dropout_forward(x, 1.0, seed=5, offset=0), x)


def test_seeds_differ():
    assert not np.array_equal(kept(100, 0.5, seed=1), kept(100, 0.5, seed=2))
    assert not np.array_equal(kept(100, 0.5, seed=1), kept(100, 0.5, seed=1 + 2**32))


def test_dropped_is_zero_even_for_nan():
    mask = kept(100, 0.5)
    y = dropout_forward(np.full(100, np.nan), 0.5, seed=0, offset=0)
    np.testing.assert_array_equal(y[~mask], 0)
    assert np.isnan(y[mask]).all()
