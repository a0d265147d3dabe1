"""What is known of the networks: where they come from, and how large they are."""

from __future__ import annotations

from typing import NamedTuple

from fastdl.typing import Shape


class Published(NamedTuple):
    """One row of the catalogue.

    Attributes
    ----------
    input_shape : tuple of int
        The shape of the examples that the network was made for.
    classes : int
        Its number of outputs there, the default of `fastdl.models.create`.
    parameters, multiply_adds : int
        For these: trainable parameters, and multiplications with weights of a forward
        pass of one example.
    source : str
        The paper, or the course; empty for fastdl's own.
    """

    input_shape: Shape
    classes: int
    parameters: int
    multiply_adds: int
    source: str


_MNIST, _CIFAR, _SIGNS = (28, 28, 1), (32, 32, 3), (64, 64, 3)
_IMAGENET = (224, 224, 3)
_COURSE = "Deep Learning Specialization"
_LENET = "LeCun et al. 1998"
_VGG = "Simonyan, Zisserman 2015"
_RESNET = "He et al. 2015"
_EFFICIENTNET = "Tan, Le 2019"

CATALOGUE = {
    "logistic": Published(_MNIST, 10, 7_850, 7_840, _COURSE),
    "mlp": Published(_MNIST, 10, 109_386, 109_184, ""),
    "convnet": Published(_MNIST, 10, 50_186, 3_869_824, ""),
    "strided_convnet": Published(_MNIST, 10, 106_122, 405_184, ""),
    "deep_convnet": Published(_MNIST, 10, 289_130, 21_913_344, ""),
    "digits_convnet": Published((8, 8, 1), 10, 113_386, 2_398_208, ""),
    "s41": Published((39, 39, 3), 10, 44_950, 2_814_230, _COURSE),
    "signs_dense": Published(_SIGNS, 6, 307_615, 307_572, _COURSE),
    "signs_convnet": Published(_SIGNS, 6, 109_974, 15_937_536, ""),
    "lenet5": Published(_MNIST, 10, 61_706, 416_520, _LENET),
    "resnet20": Published(_CIFAR, 10, 269_722, 40_551_040, _RESNET),
    "resnet32": Published(_CIFAR, 10, 464_154, 68_862_592, _RESNET),
    "resnet44": Published(_CIFAR, 10, 658_586, 97_174_144, _RESNET),
    "resnet56": Published(_CIFAR, 10, 853_018, 125_485_696, _RESNET),
    "resnet110": Published(_CIFAR, 10, 1_727_962, 252_887_680, _RESNET),
    "cifar_resnet18": Published(_CIFAR, 10, 11_173_962, 555_422_720, _RESNET),
    "cifar_resnet34": Published(_CIFAR, 10, 21_282_122, 1_159_402_496, _RESNET),
    "alexnet": Published(
        _IMAGENET, 1000, 61_100_840, 714_188_480, "Krizhevsky et al. 2012, 2014"
    ),
    "vgg11": Published(_IMAGENET, 1000, 132_863_336, 7_609_090_048, _VGG),
    "vgg11_bn": Published(_IMAGENET, 1000, 132_868_840, 7_609_090_048, _VGG),
    "vgg13": Published(_IMAGENET, 1000, 133_047_848, 11_308_466_176, _VGG),
    "vgg13_bn": Published(_IMAGENET, 1000, 133_053_736, 11_308_466_176, _VGG),
    "vgg16": Published(_IMAGENET, 1000, 138_357_544, 15_470_264_320, _VGG),
    "vgg16_bn": Published(_IMAGENET, 1000, 138_365_992, 15_470_264_320, _VGG),
    "vgg19": Published(_IMAGENET, 1000, 143_667_240, 19_632_062_464, _VGG),
    "vgg19_bn": Published(_IMAGENET, 1000, 143_678_248, 19_632_062_464, _VGG),
    "resnet18": Published(_IMAGENET, 1000, 11_689_512, 1_814_073_344, _RESNET),
    "resnet34": Published(_IMAGENET, 1000, 21_797_672, 3_663_761_408, _RESNET),
    "resnet50": Published(_IMAGENET, 1000, 25_557_032, 4_089_184_256, _RESNET),
    "resnet101": Published(_IMAGENET, 1000, 44_549_160, 7_801_405_440, _RESNET),
    "mobilenet_v1": Published(
        _IMAGENET, 1000, 4_231_976, 568_740_352, "Howard et al. 2017"
    ),
    "mobilenet_v2": Published(
        _IMAGENET, 1000, 3_504_872, 300_774_272, "Sandler et al. 2018"
    ),
    "efficientnet_b0": Published(
        (224, 224, 3), 1000, 5_288_548, 385_814_752, _EFFICIENTNET
    ),
    "efficientnet_b1": Published(
        (240, 240, 3), 1000, 7_794_184, 686_802_832, _EFFICIENTNET
    ),
    "efficientnet_b2": Published(
        (260, 260, 3), 1000, 9_109_994, 993_561_872, _EFFICIENTNET
    ),
    "efficientnet_b3": Published(
        (300, 300, 3), 1000, 12_233_232, 1_827_141_392, _EFFICIENTNET
    ),
    "unet": Published(
        (256, 256, 3),
        1,
        7_763_041,
        12_071_206_912,
        "Ronneberger et al. 2015",
    ),
}
"""By the name of the model; ``tests/models/test_catalogue.py`` counts them."""
