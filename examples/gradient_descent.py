"""Find the minimum of J(w) = w^2 - 10 w + 25 by gradient descent.

The smallest program with a tape: you write J alone, and ``backward`` finds its slope,
dJ/dw = 2 w - 10. The coefficients are data, as examples are in a real training, so they
may change between two steps. (Deep Learning Specialization, course 2, week 3.)

    python examples/gradient_descent.py
"""

import fastdl


def main(steps: int = 1000) -> float:
    """Take one step, then `steps` more; return w."""
    w = fastdl.Tensor(0.0, requires_grad=True, dtype="float64")
    coefficients = [1.0, -10.0, 25.0]
    optimizer = fastdl.optim.SGD([w], lr=0.01)

    def step() -> None:
        a, b, c = coefficients
        optimizer.zero_grad()
        cost = a * w**2 + b * w + c
        cost.backward()
        optimizer.step()

    step()
    print(f"after 1 step:       w = {w.item():.8f}")
    for _ in range(steps):
        step()
    print(f"after {steps:,} more: w = {w.item():.8f}")
    return w.item()


if __name__ == "__main__":
    main()
