"""What goes wrong on one rank ends all of them, and is told once."""

import time

import pytest


@pytest.mark.parametrize("fault", ["kill", "raise"])
def test_the_end_of_one_rank_is_the_end_of_all(fault, launch):
    """Soon: the limit of ten seconds includes the start of the processes."""
    start = time.monotonic()
    done = launch(3, "faults.py", fault, check=False)
    assert done.returncode != 0
    assert time.monotonic() - start < 30  # and a busy machine
    said = {"kill": "signal 9", "raise": "ValueError: on rank 1"}[fault]
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("model", "rank 1 has another model than rank 0"),
        ("data", "rank 1 has another loader than rank 0"),
        ("weights", "rank 1 has other values of '1.bias' than rank 0"),
        ("twice", "call optimizer.zero_grad() before"),
        (
            "order",
            "FastdlError: parallel: call share(model, optimizer) before backward",
        ),
        ("all", "ValueError: on all ranks"),
    ],
)
def test_messages(fault, message, launch):
    done = launch(2, "faults.py", fault, check=False)
    assert done.returncode != 0
    assert done.stderr.count(message) == 1, done.stderr
