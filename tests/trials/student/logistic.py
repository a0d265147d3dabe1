"""Course 1, week 2: logistic regression as a one-unit network, digit 0 or not ("cat").

The student has the course's propagate/optimize/predict in NumPy, with zeros as the first
weights, and wants the same costs, weights and accuracy from the library, and then the
picture of three learning rates.
"""

import numpy as np

import fastdl
from fastdl import datasets, nn, optim

digits = datasets.load("digits")
x = np.asarray(digits.train.x[:600], float).reshape(600, -1)
y = (np.asarray(digits.train.y[:600]) == 0).astype(float)[:, None]
x_test = np.asarray(digits.test.x, float).reshape(len(digits.test.x), -1)
y_test = (np.asarray(digits.test.y) == 0).astype(float)[:, None]


def course(x, y, alpha, iterations):
    X, Y, m = x.T, y.T, len(x)
    w, b, costs = np.zeros((X.shape[0], 1)), 0.0, []
    for i in range(iterations):
        A = 1 / (1 + np.exp(-(w.T @ X + b)))
        costs.append(-np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A)))
        w = w - alpha * X @ (A - Y).T / m
        b = b - alpha * np.mean(A - Y)
    return w, b, costs


def library(x, y, alpha, iterations):
    model = nn.Linear(x.shape[1], 1, weight_init="zeros")
    model.astype("float64")
    optimizer = optim.SGD(model.parameters(), lr=alpha)
    loss_of, costs = nn.BCEWithLogitsLoss(), []
    for i in range(iterations):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        costs.append(float(loss))
    return model, costs


final = {}
for alpha in (0.5, 0.1, 0.01):
    w, b, costs = course(x, y, alpha, 200)
    model, mine = library(x, y, alpha, 200)
    assert np.allclose(costs, mine, rtol=0, atol=1e-12)
    assert np.abs(model.weight.data - w).max() < 1e-12
    final[alpha] = costs[-1], np.mean((model(x_test).numpy() > 0) == y_test)
assert final[0.5][0] < final[0.1][0] < final[0.01][0] and final[0.5][1] > 0.99

# the same with the trainer
trainer = fastdl.Trainer(
    nn.Linear(None, 1, weight_init="zeros"),
    nn.BCEWithLogitsLoss(),
    optim.SGD,
    metrics=["accuracy"],
    lr=0.5,
)
history = trainer.fit(x, y, epochs=200, batch_size=len(x))
assert np.allclose(history["loss"], course(x, y, 0.5, 200)[2], rtol=1e-4)
assert trainer.evaluate(x_test, y_test)["accuracy"] == final[0.5][1]
