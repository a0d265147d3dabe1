"""Ready networks: ``models.create("convnet", classes=10)``.

Each is a function that returns a `fastdl.nn.Module` with its input size open.
"""

from fastdl import exports
from fastdl.models.alexnet import alexnet as alexnet
from fastdl.models.blocks import conv_block as conv_block
from fastdl.models.blocks import dense_block as dense_block
from fastdl.models.catalogue import CATALOGUE as CATALOGUE
from fastdl.models.catalogue import Published as Published
from fastdl.models.cifar_resnet import cifar_resnet18 as cifar_resnet18
from fastdl.models.cifar_resnet import cifar_resnet34 as cifar_resnet34
from fastdl.models.cifar_resnet import resnet20 as resnet20
from fastdl.models.cifar_resnet import resnet32 as resnet32
from fastdl.models.cifar_resnet import resnet44 as resnet44
from fastdl.models.cifar_resnet import resnet56 as resnet56
from fastdl.models.cifar_resnet import resnet110 as resnet110
from fastdl.models.convnet import convnet as convnet
from fastdl.models.convnet import deep_convnet as deep_convnet
from fastdl.models.convnet import s41 as s41
from fastdl.models.convnet import strided_convnet as strided_convnet
from fastdl.models.dense import logistic as logistic
from fastdl.models.dense import mlp as mlp
from fastdl.models.dense import signs_dense as signs_dense
from fastdl.models.digits_convnet import digits_convnet as digits_convnet
from fastdl.models.efficientnet import efficientnet_b0 as efficientnet_b0
from fastdl.models.efficientnet import efficientnet_b1 as efficientnet_b1
from fastdl.models.efficientnet import efficientnet_b2 as efficientnet_b2
from fastdl.models.efficientnet import efficientnet_b3 as efficientnet_b3
from fastdl.models.inverted_residual import InvertedResidual as InvertedResidual
from fastdl.models.lenet5 import lenet5 as lenet5
from fastdl.models.mbconv import MBConv as MBConv
from fastdl.models.mobilenet import mobilenet_v1 as mobilenet_v1
from fastdl.models.mobilenet import mobilenet_v2 as mobilenet_v2
from fastdl.models.registry import create as create
from fastdl.models.registry import names as names
from fastdl.models.registry import options as options
from fastdl.models.registry import register as register
from fastdl.models.residual import BasicBlock as BasicBlock
from fastdl.models.residual import Bottleneck as Bottleneck
from fastdl.models.residual import ResidualBlock as ResidualBlock
from fastdl.models.resnet import resnet18 as resnet18
from fastdl.models.resnet import resnet34 as resnet34
from fastdl.models.resnet import resnet50 as resnet50
from fastdl.models.resnet import resnet101 as resnet101
from fastdl.models.signs_convnet import signs_convnet as signs_convnet
from fastdl.models.squeeze_excitation import SqueezeExcitation as SqueezeExcitation
from fastdl.models.unet import UNet as UNet
from fastdl.models.unet import unet as unet
from fastdl.models.vgg import vgg11 as vgg11
from fastdl.models.vgg import vgg11_bn as vgg11_bn
from fastdl.models.vgg import vgg13 as vgg13
from fastdl.models.vgg import vgg13_bn as vgg13_bn
from fastdl.models.vgg import vgg16 as vgg16
from fastdl.models.vgg import vgg16_bn as vgg16_bn
from fastdl.models.vgg import vgg19 as vgg19
from fastdl.models.vgg import vgg19_bn as vgg19_bn

exports.publish(__name__)
