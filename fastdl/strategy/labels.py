"""Which labels are wrong, and whether at random or systematically."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fastdl import shapes
from fastdl.errors import ArgumentError, DataError, ShapeError, suggest
from fastdl.strategy import noise
from fastdl.strategy.tables import percent, table
from fastdl.typing import ArrayLike

RANKINGS = ("posterior", "margin", "self_confidence")
_SIGNIFICANT = 0.01  # of the p-value, after the correction for many pairs
_LIKELY = 0.1  # at least a tenth of such suspects is wrong: worth a look
_SHOWN = 10  # pairs and suspects in the table
_WEAK = 0.7  # a lower agreement is due to the networks, not the labels


class WrongPair(NamedTuple):
    """Examples of one class that are labelled as another.

    Attributes
    ----------
    true, given : int
        The classes.
    share : float
        Of the examples of the true class.
    examples : float
        Roughly how many these are.
    p_value : float
        Under chance and natural confusion, corrected for the number of pairs.
    """

    true: int
    given: int
    share: float
    examples: float
    p_value: float


@dataclass(frozen=True, eq=False)
class SuspectLabels:
    """Labels that are probably wrong, most suspect first; `print` shows a table.

    Attributes
    ----------
    indices, given, suggested : ndarray of int64, (n,)
        The examples, their labels, and the most likely true classes.
    score : ndarray of float64, (n,)
        How likely it is that the label is wrong; they are ranked by it.
    scores : ndarray of float64, (m,)
        The score of every example.
    joint : ndarray of float64, (classes, classes)
        Estimated share of all examples by given label (row) and true class (column).
    confident_joint : ndarray of int64, (classes, classes)
        Confident answers by given label (row) and answer (column), as in Northcutt et
        al.; includes natural confusion by the network.
    pairs : tuple of WrongPair
        The pairs that stand out, most frequent first; empty if labels are wrong at
        random.
    p_value : float
        The smallest p-value of a pair.
    classes : tuple of str
        The name of each label.
    examples : int
        How many were examined.
    agreement : float
        The share of labels that the answers agree with.
    """

    indices: np.ndarray
    given: np.ndarray
    suggested: np.ndarray
    score: np.ndarray
    scores: np.ndarray
    joint: np.ndarray
    confident_joint: np.ndarray
    pairs: tuple[WrongPair, ...]
    p_value: float
    classes: tuple[str, ...]
    examples: int
    agreement: float

    @property
    def noise_rate(self) -> float:
        """The estimated share of labels that are wrong."""
        return float(1 - np.trace(self.joint))

    @property
    def kind(self) -> str:
        """Return "systematic" if a pair stands out, otherwise "random"."""
        return "systematic" if self.pairs else "random"

    def __len__(self) -> int:
        return len(self.indices)

    def __str__(self) -> str:
        rows = [
            [
                str(self.indices[i]),
                self.classes[self.given[i]],
                self.classes[self.suggested[i]],
                f"{self.score[i]:.3f}",
            ]
            for i in range(min(_SHOWN, len(self)))
        ]
        top = table([["index", "given label", "suggested", "score"], *rows])
        return "\n".join([self.summary(), "", *top])

    def summary(self) -> str:
        """Return how many are wrong, whether at random, and the most frequent pairs."""
        joint = self._joint_table()
        return "\n".join([*self._sentences(), *([""] if joint else []), *joint])

    def _sentences(self) -> list[str]:
        first = [
            f"{len(self):,} suspect labels among {self.examples:,}; about "
            f"{percent(self.noise_rate, 2)} of all labels are wrong"
        ]
        if self.agreement < _WEAK:
            first.append(
                f"but the answers agree with {percent(self.agreement, 2)} of the "
                f"labels only: from networks so weak, many suspects are their own "
                f"mistakes; train them longer or better first"
            )
        if not self.pairs:
            return [
                *first,
                "random: no class is labelled as one other far more often than chance "
                f"and natural confusion explain (p = {self.p_value:.2g})",
            ]
        found = (
            f"{percent(pair.share, 2)} of {self.classes[pair.true]!r} are labelled "
            f"{self.classes[pair.given]!r} (p = {pair.p_value:.1g})"
            for pair in self.pairs
        )
        return [*first, f"systematic: {', '.join(found)}"]

    def _joint_table(self) -> list[str]:
        """Return the most frequent wrong labels as lines."""
        examples = self.joint * ~np.eye(len(self.joint), dtype=bool) * self.examples
        order = np.argsort(-examples, axis=None, kind="stable")[:_SHOWN]
        rows = [
            [
                self.classes[given],
                self.classes[true],
                percent(self.joint[given, true], 2),
                f"{examples[given, true]:,.0f}",
            ]
            for given, true in (divmod(int(cell), len(examples)) for cell in order)
            if examples[given, true] >= 0.5
        ]
        head = ["given label", "true class", "of all", "about"]
        return table([head, *rows]) if rows else []


def suspect_labels(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str] | None = None,
    by: str = "posterior",
) -> SuspectLabels:
    """Find labels that are probably wrong, from out-of-fold answers.

    ::

        recipe = strategy.quick_recipe(len(digits.train))
        probabilities = strategy.out_of_fold(recipe, digits.train)
        print(strategy.suspect_labels(digits.train.y, probabilities))

    A label is suspect if networks that have not seen it confidently disagree
    (Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in
    Dataset Labels"). Confident Learning itself ranks by the answers of the networks;
    but these have learned the noise too. If a fifth of the eights are labelled 6, the
    answer to an eight is "6" with a probability of 0.2, which is more than for many
    ugly sixes that are labelled correctly. So the noise is estimated first, from
    examples whose class is certain, and removed from the answers; the score is then the
    probability that the label is wrong, given the picture and the label.

    Wrong labels are "systematic" if far more examples of one class are labelled as one
    other class than chance explains, and than the other way round: with 10 classes, a
    tenth of a class of 500 examples, or 4 % of one of 7,000. Errors that go both ways
    equally look like natural confusion, and are called random.

    Parameters
    ----------
    labels : array_like of int, (m,)
        The given labels, from 0.
    probabilities : array_like, (m, classes)
        From networks that were trained without the example, see `out_of_fold`.
    classes : sequence of str, optional
        The name of each label; by default its number.
    by : str
        "posterior"; or, as in Confident Learning, the confident disagreements, ranked
        by the "margin" (probability of the best other class minus that of the label) or
        the "self_confidence" (1 minus the probability of the label).

    Returns
    -------
    SuspectLabels
        With "posterior", the labels that are wrong with a probability above 0.1.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        The arrays do not fit each other, or are not labels or probabilities.
    DataError
        There are no examples.
    """
    if by not in RANKINGS:
        raise ArgumentError(
            f"suspect_labels: unknown ranking {by!r}{suggest(str(by), RANKINGS)}"
        )
    labels, p = _checked(labels, probabilities)
    m, count = p.shape
    if not (classes is None or isinstance(classes, Iterable)):
        raise ArgumentError(
            f"suspect_labels: classes are the names of the labels, got {classes!r:.60}"
        )
    names = tuple(map(str, range(count) if classes is None else classes))
    if len(names) != count:
        raise ShapeError(
            f"suspect_labels: {len(names)} names of classes, but the probabilities "
            f"are of {count}"
        )
    anchors = noise.labels_of_anchors(labels, p)
    shares = noise.rates(anchors)
    p_values = noise.p_values(anchors, np.bincount(labels, minlength=count))
    systematic = p_values < _SIGNIFICANT
    joint, answered = _confident_joint(labels, p)
    if by == "posterior":
        matrix = noise.noise_matrix(shares, systematic, m)
        scores, suggested = _posterior(labels, p, matrix)
        chosen = np.flatnonzero(scores > _LIKELY)
    else:
        scores, suggested = _disagreement(labels, p, by), answered
        chosen = np.flatnonzero((answered != labels) & (answered >= 0))
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    answers = np.bincount(p.argmax(axis=1), minlength=count)
    pairs = [
        WrongPair(
            int(a),
            int(b),
            float(shares[a, b]),
            float(shares[a, b] * answers[a]),
            float(p_values[a, b]),
        )
        for a, b in zip(*np.nonzero(systematic), strict=True)
    ]
    return SuspectLabels(
        chosen,
        labels[chosen],
        suggested[chosen],
        scores[chosen],
        scores,
        (shares * answers[:, np.newaxis]).T / m,
        joint,
        tuple(sorted(pairs, key=lambda pair: -pair.examples)),
        float(p_values.min()),
        names,
        m,
        float((p.argmax(axis=1) == labels).mean()),
    )


def _posterior(
    labels: np.ndarray, p: np.ndarray, matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how likely each label is wrong, and the likeliest other class."""
    rows = np.arange(len(p))
    both = noise.true_classes(p, matrix) * matrix[:, labels].T  # p(class, this label)
    right = both[rows, labels]
    both[rows, labels] = 0
    return 1 - right / (right + both.sum(axis=1)), both.argmax(axis=1)


def _disagreement(labels: np.ndarray, p: np.ndarray, by: str) -> np.ndarray:
    """Return the normalised margin, or the self-confidence, as scores."""
    rows = np.arange(len(p))
    if by == "self_confidence":
        return 1 - p[rows, labels]
    others = p.copy()
    others[rows, labels] = -1
    return others.max(axis=1) - p[rows, labels]


def _checked(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    p = shapes.array(probabilities, "suspect_labels: probabilities")
    if p.ndim != 2 or p.shape[1] < 2:
        raise ShapeError(
            f"suspect_labels: expected probabilities (m, classes) of two classes at "
            f"least, got shape {p.shape}"
        )
    if not len(p):
        raise DataError("suspect_labels: there are no examples")
    shapes.check_probabilities(p, "suspect_labels", missing=False)
    p = p.astype(np.float64)
    off = np.abs(p.sum(axis=1) - 1)
    if off.max() > 1e-3:
        raise ArgumentError(
            f"suspect_labels: row {off.argmax()} of the probabilities sums to "
            f"{p[off.argmax()].sum():.4g}, expected 1"
        )
    m, count = p.shape
    given = shapes.labels(labels, m, count, "suspect_labels")
    if given.ndim != 1:
        raise ShapeError(
            f"suspect_labels: expected labels ({m},), got {given.shape}; use "
            f"labels.argmax(axis=1)"
        )
    return given, p


def _confident_joint(
    labels: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the confident joint, and the confident answers (-1 if there is none).

    An answer is confident if its probability reaches the mean of the examples with that
    label (Northcutt et al., equation 2).
    """
    count = p.shape[1]
    of_label = p[np.arange(len(p)), labels]
    examples = np.bincount(labels, minlength=count)
    sums = np.bincount(labels, weights=of_label, minlength=count)
    thresholds = np.where(examples, sums / np.maximum(examples, 1), np.inf)
    confident = p >= thresholds
    answered = np.where(confident, p, -1).argmax(axis=1)
    answered[~confident.any(axis=1)] = -1
    told = answered >= 0
    cells = np.bincount(labels[told] * count + answered[told], minlength=count**2)
    return cells.reshape(count, count), answered
