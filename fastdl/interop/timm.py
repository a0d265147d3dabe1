"""timm's names of the weights that torchvision calls otherwise.

ResNets have the same names in both. timm's MobileNet v2 and EfficientNet have stages of
blocks of named layers, torchvision's have numbers; its VGG has the dense layers as
convolutions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping

import numpy as np

_VGG = {
    "pre_logits.fc1": "classifier.0",
    "pre_logits.fc2": "classifier.3",
    "head.fc": "classifier.6",
}
_BLOCK = re.compile(r"blocks\.(\d{1,3})\.(\d{1,3})\.(.+)")
# The layers of a block. One that does not expand its input has a conv_pw at the end,
# which the others call conv_pwl.
_MOBILENET_BLOCK = {
    "conv_dw": "conv.0.0",
    "bn1": "conv.0.1",
    "conv_pw": "conv.1",
    "bn2": "conv.2",
}
_MOBILENET_EXPANDING = {
    "conv_pw": "conv.0.0",
    "bn1": "conv.0.1",
    "conv_dw": "conv.1.0",
    "bn2": "conv.1.1",
    "conv_pwl": "conv.2",
    "bn3": "conv.3",
}
_EFFICIENTNET_BLOCK = {
    "conv_dw": "block.0.0",
    "bn1": "block.0.1",
    "se.conv_reduce": "block.1.fc1",
    "se.conv_expand": "block.1.fc2",
    "conv_pw": "block.2.0",
    "bn2": "block.2.1",
}
_EFFICIENTNET_EXPANDING = {
    "conv_pw": "block.0.0",
    "bn1": "block.0.1",
    "conv_dw": "block.1.0",
    "bn2": "block.1.1",
    "se.conv_reduce": "block.2.fc1",
    "se.conv_expand": "block.2.fc2",
    "conv_pwl": "block.3.0",
    "bn3": "block.3.1",
}


def from_timm(
    state: Mapping[str, np.ndarray], own: Container[str]
) -> dict[str, np.ndarray]:
    """Return weights of timm under torchvision's names, and any others as they are.

    Parameters
    ----------
    state : mapping of str to ndarray
        The weights; their names show where they come from.
    own : container of str
        The names in the model. If it has timm's itself, nothing is changed.
    """
    if "pre_logits.fc1.weight" in state and "pre_logits.fc1.weight" not in own:
        # A filter as large as the picture, and one of a single pixel, are dense rows.
        flat = {
            name: values.reshape(len(values), math.prod(values.shape[1:]))
            for name, values in state.items()
            if name.startswith("pre_logits.") and values.ndim == 4
        }
        return _renamed({**state, **flat}, _VGG)
    if "conv_stem.weight" in state and "conv_stem.weight" not in own:
        return _renamed(state, _mobile_layers(state))
    return dict(state)


def _renamed(
    state: Mapping[str, np.ndarray], layers: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Return the state with other names of layers."""
    renamed = {}
    for name, values in state.items():
        layer, dot, last = name.rpartition(".")
        renamed[layers.get(layer, layer) + dot + last] = values
    return renamed


def _mobile_layers(names: Mapping[str, object]) -> dict[str, str]:
    """Return torchvision's names of the layers of a MobileNet v2 or EfficientNet."""
    layers = [name.rpartition(".")[0] for name in names]
    found = dict.fromkeys(m for m in map(_BLOCK.fullmatch, layers) if m)
    blocks = sorted({(int(m[1]), int(m[2])) for m in found})
    expanding = {(int(m[1]), int(m[2])) for m in found if m[3] == "conv_pwl"}
    is_efficientnet = any(m[3].startswith("se.") for m in found)

    renamed = {}
    for m in found:
        stage, block = place = int(m[1]), int(m[2])
        if is_efficientnet:
            features = f"{stage + 1}.{block}"
            parts = (_EFFICIENTNET_BLOCK, _EFFICIENTNET_EXPANDING)
        else:
            features = f"{blocks.index(place) + 1}"
            parts = (_MOBILENET_BLOCK, _MOBILENET_EXPANDING)
        part = parts[place in expanding].get(m[3])
        if part is not None:
            renamed[m[0]] = f"features.{features}.{part}"
    stages = len({stage for stage, _ in blocks})
    last = 1 + (stages if is_efficientnet else len(blocks))
    return renamed | {
        "conv_stem": "features.0.0",
        "bn1": "features.0.1",
        "conv_head": f"features.{last}.0",
        "bn2": f"features.{last}.1",
        "classifier": "classifier.1",
    }
