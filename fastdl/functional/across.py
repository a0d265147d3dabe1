"""Statistics of a batch of which each process has a part."""

from __future__ import annotations

import numpy as np

from fastdl.shards import Shard


class Parts:
    r"""Puts the statistics of batch norm together, in a fixed order.

    From the counts, means and variances of the parts (Chan, Golub, LeVeque 1983):

    .. math:: \mu = \frac{1}{m} \sum_k m_k \mu_k, \qquad
        \sigma^2 = \frac{1}{m} \sum_k m_k (\sigma_k^2 + (\mu_k - \mu)^2)

    Parameters
    ----------
    shard : Shard
        Its ``gather`` is not None.
    eps : float
        What is added to the variance.
    """

    def __init__(self, shard: Shard, eps: float) -> None:
        assert shard.gather is not None
        self._gather, self._counts = shard.gather, shard.count > 0
        self._eps = eps
        self._share = 1.0  # of the values of a channel

    @classmethod
    def of(cls, shard: Shard | None, eps: float) -> Parts | None:
        """Return the parts of a batch, or None where there is but one."""
        return None if shard is None or shard.gather is None else cls(shard, eps)

    def statistics(
        self, mean: np.ndarray, rstd: np.ndarray, m: int
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Return mean, 1 / sqrt(variance + eps) and count of the whole batch."""
        own = m if self._counts else 0
        var = 1 / np.square(rstd, dtype=np.float64) - self._eps
        parts = self._gather(np.concatenate([[own], mean, np.maximum(var, 0)]))
        counts, c = parts[:, :1], len(mean)
        means, variances = parts[:, 1 : 1 + c], parts[:, 1 + c :]
        total = counts.sum()
        self._share = own / total
        whole = (counts * means).sum(axis=0) / total
        var = (counts * (variances + (means - whole) ** 2)).sum(axis=0) / total
        rstd = 1 / np.sqrt(var + self._eps)
        return whole.astype(mean.dtype), rstd.astype(mean.dtype), int(total)

    def sums(
        self, dgamma: np.ndarray, dbeta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of the whole batch, times the share of this part."""
        parts = self._gather(np.stack([dgamma, dbeta]).astype(np.float64))
        products, sums = (self._share * parts.sum(axis=0)).astype(dgamma.dtype)
        return products, sums
