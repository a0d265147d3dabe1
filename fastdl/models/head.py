"""The end that the mobile networks have in common."""

from __future__ import annotations

from fastdl import nn


def with_head(
    features: nn.Sequential, channels: int, classes: int, dropout: float
) -> nn.Sequential:
    """Return features, a global average of their channels, dropout, a dense layer."""
    return nn.Sequential(
        {
            "features": features,
            "avgpool": nn.GlobalAvgPool2d(),
            "classifier": nn.Sequential(
                nn.Dropout(dropout),
                nn.Linear(channels, classes, weight_init="glorot_normal"),
            ),
        }
    )
