"""timm's names; timm itself is in test_against_torch.py."""

import numpy as np

from fastdl.interop.timm import from_timm

LAYERS = {
    # MobileNet v2: stages of blocks there, a row of blocks in torchvision.
    "conv_stem.weight": "features.0.0.weight",
    "bn1.running_mean": "features.0.1.running_mean",
    "blocks.0.0.conv_dw.weight": "features.1.conv.0.0.weight",
    "blocks.0.0.bn1.bias": "features.1.conv.0.1.bias",
    "blocks.0.0.conv_pw.weight": "features.1.conv.1.weight",
    "blocks.0.0.bn2.weight": "features.1.conv.2.weight",
    "blocks.1.0.conv_pw.weight": "features.2.conv.0.0.weight",
    "blocks.1.0.bn1.weight": "features.2.conv.0.1.weight",
    "blocks.1.0.conv_dw.weight": "features.2.conv.1.0.weight",
    "blocks.1.0.bn2.num_batches_tracked": "features.2.conv.1.1.num_batches_tracked",
    "blocks.1.0.conv_pwl.weight": "features.2.conv.2.weight",
    "blocks.1.0.bn3.running_var": "features.2.conv.3.running_var",
    "blocks.1.1.conv_pwl.weight": "features.3.conv.2.weight",
    "blocks.2.0.conv_pwl.weight": "features.4.conv.2.weight",
    "conv_head.weight": "features.5.0.weight",
    "bn2.weight": "features.5.1.weight",
    "classifier.weight": "classifier.1.weight",
    "classifier.bias": "classifier.1.bias",
}
EFFICIENTNET = {
    "conv_stem.weight": "features.0.0.weight",
    "bn1.weight": "features.0.1.weight",
    "blocks.0.0.conv_dw.weight": "features.1.0.block.0.0.weight",
    "blocks.0.0.bn1.weight": "features.1.0.block.0.1.weight",
    "blocks.0.0.se.conv_reduce.bias": "features.1.0.block.1.fc1.bias",
    "blocks.0.0.se.conv_expand.weight": "features.1.0.block.1.fc2.weight",
    "blocks.0.0.conv_pw.weight": "features.1.0.block.2.0.weight",
    "blocks.0.0.bn2.weight": "features.1.0.block.2.1.weight",
    "blocks.1.1.conv_pw.weight": "features.2.1.block.0.0.weight",
    "blocks.1.1.bn1.weight": "features.2.1.block.0.1.weight",
    "blocks.1.1.conv_dw.weight": "features.2.1.block.1.0.weight",
    "blocks.1.1.bn2.weight": "features.2.1.block.1.1.weight",
    "blocks.1.1.se.conv_reduce.weight": "features.2.1.block.2.fc1.weight",
    "blocks.1.1.se.conv_expand.bias": "features.2.1.block.2.fc2.bias",
    "blocks.1.1.conv_pwl.weight": "features.2.1.block.3.0.weight",
    "blocks.1.1.bn3.bias": "features.2.1.block.3.1.bias",
    "conv_head.weight": "features.3.0.weight",
    "bn2.bias": "features.3.1.bias",
    "classifier.weight": "classifier.1.weight",
}


def assert_renames(names):
    state = {name: np.array(i) for i, name in enumerate(names)}
    renamed = from_timm(state, own=())
    assert {name: int(i) for name, i in renamed.items()} == {
        name: i for i, name in enumerate(names.values())
    }


def test_mobilenet():
    assert_renames(LAYERS)


def test_efficientnet():
    assert_renames(EFFICIENTNET)


def test_the_order_of_the_names_does_not_matter():
    assert_renames(dict(sorted(LAYERS.items(), reverse=True)))


def test_unknown_names_stay():
    strange = ["blocks.0.0.aa.weight", "blocks.x.0.conv_dw.weight", "blocks", "",
               f"blocks.{'9' * 5000}.0.conv_dw.weight"]  # fmt: skip
    assert_renames(LAYERS | {name: name for name in strange})


def test_dense_layers_of_vgg_are_convolutions():
    state = {
        "features.0.weight": np.zeros((4, 3, 3, 3)),
        "pre_logits.fc1.weight": np.arange(2 * 3 * 7 * 7).reshape(2, 3, 7, 7),
        "pre_logits.fc1.bias": np.zeros(2),
        "pre_logits.fc2.weight": np.zeros((2, 2, 1, 1)),
        "pre_logits.fc2.bias": np.zeros(2),
        "head.fc.weight": np.zeros((5, 2)),
        "head.fc.bias": np.zeros(5),
    }
    renamed = from_timm(state, own=())
    assert {name: values.shape for name, values in renamed.items()} == {
        "features.0.weight": (4, 3, 3, 3),
        "classifier.0.weight": (2, 147),
        "classifier.0.bias": (2,),
        "classifier.3.weight": (2, 2),
        "classifier.3.bias": (2,),
        "classifier.6.weight": (5, 2),
        "classifier.6.bias": (5,),
    }
    assert (renamed["classifier.0.weight"] == np.arange(294).reshape(2, 147)).all()


def test_a_model_with_names_like_those_of_timm_keeps_them():
    for state in ({"conv_stem.weight": np.zeros(1), "bn1.bias": np.zeros(1)},
                  {"pre_logits.fc1.weight": np.zeros((0, 3, 7, 7))}):  # fmt: skip
        assert from_timm(state, own=state) == state


def test_no_rows():
    assert from_timm({"pre_logits.fc1.weight": np.zeros((0, 3, 7, 7))}, own=())


def test_other_names_stay_as_they_are():
    state = {"layer1.0.conv1.weight": np.zeros((4, 3, 3, 3)), "bn1.bias": np.zeros(4)}
    assert from_timm(state, own=()) == state
