"""Other frameworks' words, and misspelt names: a hint says what was meant."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import pickle
import pydoc
import subprocess
import sys

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import models, nn, optim, train, words
from fastdl.cli.main import _parser
from fastdl.errors import ArgumentError, near, suggest
from fastdl.exports import attributes

CLASSES = {
    "Tensor": fastdl.Tensor,
    "Module": nn.Module,
    "Trainer": fastdl.Trainer,
    "Optimizer": optim.Optimizer,
    "Scheduler": optim.Scheduler,
    "History": train.History,
}
MODULES = [place for place in words.TABLE if place not in (*CLASSES, *words.LOCAL)]

# What people type: the public names of each, or those that a student meets.
TYPED = {
    ("torch.nn", "fastdl.nn"): """
        AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveLogSoftmaxWithLoss
        AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d AlphaDropout AvgPool1d
        AvgPool2d AvgPool3d BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d
        BatchNorm3d Bilinear CELU CTCLoss ChannelShuffle CircularPad1d CircularPad2d
        CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d Container Conv1d Conv2d
        Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CosineEmbeddingLoss
        CosineSimilarity CrossEntropyLoss CrossMapLRN2d Dropout Dropout1d Dropout2d
        Dropout3d ELU Embedding EmbeddingBag FeatureAlphaDropout Flatten Fold
        FractionalMaxPool2d FractionalMaxPool3d GELU GLU GRU GRUCell GaussianNLLLoss
        GroupNorm Hardshrink Hardsigmoid Hardswish Hardtanh HingeEmbeddingLoss HuberLoss
        Identity InstanceNorm1d InstanceNorm2d InstanceNorm3d KLDivLoss L1Loss LPPool1d
        LPPool2d LPPool3d LSTM LSTMCell LayerNorm LazyBatchNorm1d LazyBatchNorm2d
        LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d
        LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d
        LazyInstanceNorm3d LazyLinear LeakyReLU Linear LinearCrossEntropyLoss
        LinearCrossEntropyOptions LocalResponseNorm LogSigmoid LogSoftmax MSELoss
        MarginRankingLoss MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d
        MaxUnpool3d Mish Module ModuleDict ModuleList MultiLabelMarginLoss
        MultiLabelSoftMarginLoss MultiMarginLoss MultiheadAttention NLLLoss NLLLoss2d
        PReLU PairwiseDistance ParameterDict ParameterList PixelShuffle PixelUnshuffle
        PoissonNLLLoss RMSNorm RNN RNNBase RNNCell RNNCellBase RReLU ReLU ReLU6
        ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d
        ReplicationPad2d ReplicationPad3d SELU Sequential SiLU Sigmoid SmoothL1Loss
        SoftMarginLoss Softmax Softmax2d Softmin Softplus Softshrink Softsign
        SyncBatchNorm Tanh Tanhshrink Threshold Transformer TransformerDecoder
        TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer
        TripletMarginLoss TripletMarginWithDistanceLoss Unflatten Unfold Upsample
        UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d ZeroPad2d ZeroPad3d
    """,
    ("torch.nn.functional", "fastdl.functional"): """
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
        adaptive_max_pool2d adaptive_max_pool3d affine_grid alpha_dropout avg_pool1d
        avg_pool2d avg_pool3d batch_norm bilinear binary_cross_entropy
        binary_cross_entropy_with_logits celu celu_ channel_shuffle conv1d conv2d conv3d
        conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d
        cosine_embedding_loss cosine_similarity cross_entropy ctc_loss dropout dropout1d
        dropout2d dropout3d elu elu_ embedding embedding_bag feature_alpha_dropout fold
        fractional_max_pool2d fractional_max_pool3d gaussian_nll_loss gelu glu
        grid_sample group_norm gumbel_softmax hardshrink hardsigmoid hardswish hardtanh
        hardtanh_ hinge_embedding_loss huber_loss instance_norm interpolate kl_div
        l1_loss layer_norm leaky_relu leaky_relu_ linear linear_cross_entropy
        local_response_norm log_softmax logsigmoid lp_pool1d lp_pool2d lp_pool3d
        margin_ranking_loss max_pool1d max_pool2d max_pool3d max_unpool1d max_unpool2d
        max_unpool3d mish mse_loss multi_head_attention_forward multi_margin_loss
        multilabel_margin_loss multilabel_soft_margin_loss native_channel_shuffle
        nll_loss normalize one_hot pad pairwise_distance pdist pixel_shuffle
        pixel_unshuffle poisson_nll_loss prelu relu relu6 relu_ rms_norm rrelu rrelu_
        scaled_dot_product_attention selu selu_ sigmoid silu smooth_l1_loss
        soft_margin_loss softmax softmin softplus softshrink softsign tanh tanhshrink
        threshold threshold_ triplet_margin_loss triplet_margin_with_distance_loss
        unfold upsample upsample_bilinear upsample_nearest
    """,
    ("torch.nn.init", "fastdl.nn.init"): """
        calculate_gain constant constant_ dirac dirac_ eye eye_ kaiming_normal
        kaiming_normal_ kaiming_uniform kaiming_uniform_ normal normal_ ones_ orthogonal
        orthogonal_ sparse sparse_ trunc_normal_ uniform uniform_ xavier_normal
        xavier_normal_ xavier_uniform xavier_uniform_ zeros_
    """,
    ("torch.optim", "fastdl.optim"): """
        ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax ChainedScheduler ConstantLR
        CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR ExponentialLR LBFGS
        LRScheduler LambdaLR LinearLR MultiStepLR MultiplicativeLR Muon NAdam OneCycleLR
        Optimizer PolynomialLR RAdam RMSprop ReduceLROnPlateau Rprop SGD SequentialLR
        SparseAdam StepLR
    """,
    ("torch.Tensor", "fastdl.Tensor"): """
        abs add add_ all allclose amax amin any argmax argmin argsort astype backward
        bmm bool broadcast_to byte cat ceil chunk clamp clamp_max clamp_min clip clone
        contiguous copy_ cos count_nonzero cpu cuda cumprod cumsum data detach device
        diag dim div dot double dtype eq equal exp expand expand_as fill_ flatten flip
        float floor gather ge grad grad_fn gt half index_select int is_contiguous
        is_cuda is_leaf isfinite isinf isnan item le log log1p log_softmax logsumexp
        long lt masked_fill masked_select matmul max mean median min mm movedim mul mul_
        multiply mv narrow ndim ndimension ne neg nelement nonzero norm normal_ numel
        numpy permute pow prod ravel reciprocal register_hook relu repeat requires_grad
        requires_grad_ reshape reshape_as retain_grad round rsqrt select shape sigmoid
        sign sin size softmax sort split sqrt square squeeze std stride sub sub_ sum
        swapaxes t T take_along_dim tanh tile to tolist topk trace transpose tril triu
        type type_as unbind unique unsqueeze var view view_as where zero_ nbytes
        itemsize data_ptr bincount quantile
    """,
    ("torch", "fastdl"): """
        Tensor tensor from_numpy as_tensor zeros ones rand randn arange linspace eye
        full empty zeros_like ones_like randint randperm cat stack manual_seed no_grad
        enable_grad set_grad_enabled inference_mode save load device cuda compile jit nn
        optim utils float32 float64 float16 bfloat16 allclose isnan sort argsort unique
        where exp log sqrt matmul mm bmm mean sum max min relu sigmoid tanh softmax
        einsum clamp set_num_threads get_num_threads set_default_dtype autograd
        distributed backends
    """,
    ("torch.nn.Module", "fastdl.nn.Module"): """
        add_module apply bfloat16 buffers children compile cpu cuda double eval float
        forward get_parameter get_submodule half load_state_dict modules named_buffers
        named_children named_modules named_parameters parameters register_backward_hook
        register_buffer register_forward_hook register_forward_pre_hook
        register_full_backward_hook register_module register_parameter requires_grad_
        state_dict to train type zero_grad
    """,
    ("torch.utils.data and torchvision", "fastdl.data"): """
        Dataset IterableDataset TensorDataset ConcatDataset StackDataset ChainDataset
        Subset random_split DataLoader transforms ImageFolder ToTensor Normalize
        RandomHorizontalFlip RandomCrop RandomRotation RandomAffine ColorJitter MixUp
        CutMix
    """,
    ("keras.layers", "fastdl.nn"): """
        Activation Add AlphaDropout Attention Average AveragePooling1D AveragePooling2D
        AveragePooling3D BatchNormalization Bidirectional CategoryEncoding Concatenate
        Conv1D Conv2D Conv2DTranspose Conv3D Cropping2D Dense DepthwiseConv2D Dot
        Dropout ELU Embedding Flatten GaussianDropout GaussianNoise
        GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D
        GlobalMaxPooling2D GRU GroupNormalization Identity Input InputLayer Lambda Layer
        LayerNormalization LeakyReLU LSTM Masking MaxPool2D MaxPooling1D MaxPooling2D
        MaxPooling3D Maximum Minimum MultiHeadAttention Multiply Normalization PReLU
        Permute RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation
        RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing
        RMSNormalization SeparableConv2D SimpleRNN Softmax SpatialDropout1D
        SpatialDropout2D StringLookup Subtract TextVectorization TimeDistributed
        UnitNormalization UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D
    """,
    ("keras.losses", "fastdl.nn"): """
        BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy
        CategoricalFocalCrossentropy CategoricalHinge CosineSimilarity CTC Circle Dice
        Hinge Huber KLDivergence LogCosh MeanAbsoluteError MeanAbsolutePercentageError
        MeanSquaredError MeanSquaredLogarithmicError Poisson
        SparseCategoricalCrossentropy SquaredHinge Tversky
    """,
    ("keras.optimizers", "fastdl.optim"): """
        Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion Muon Nadam RMSprop
        SGD schedules CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay
        LearningRateSchedule PiecewiseConstantDecay PolynomialDecay
    """,
    ("keras.metrics", "fastdl.metrics"): """
        AUC Accuracy BinaryAccuracy BinaryCrossentropy BinaryIoU CategoricalAccuracy
        CategoricalCrossentropy CategoricalHinge CosineSimilarity F1Score FBetaScore
        FalseNegatives FalsePositives Hinge IoU KLDivergence LogCoshError Mean
        MeanAbsoluteError MeanAbsolutePercentageError MeanIoU MeanMetricWrapper
        MeanSquaredError MeanSquaredLogarithmicError Metric OneHotIoU OneHotMeanIoU
        Poisson Precision PrecisionAtRecall R2Score Recall RecallAtPrecision
        RootMeanSquaredError SensitivityAtSpecificity SparseCategoricalAccuracy
        SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy
        SpecificityAtSensitivity SquaredHinge Sum TopKCategoricalAccuracy TrueNegatives
        TruePositives
    """,
    ("keras.callbacks", "fastdl.train"): """
        BackupAndRestore CSVLogger Callback CallbackList EarlyStopping History
        LambdaCallback LearningRateScheduler ModelCheckpoint ProgbarLogger
        ReduceLROnPlateau RemoteMonitor SwapEMAWeights TensorBoard TerminateOnNaN
    """,
    ("keras.Model", "fastdl.nn.Sequential"): """
        add build compile count_params evaluate fit get_config get_layer get_weights
        layers load_weights loss predict predict_on_batch save save_weights set_weights
        summary test_on_batch train_on_batch trainable trainable_variables
        trainable_weights variables weights
    """,
    ("keras", "fastdl"): """
        Input Model Sequential layers losses metrics optimizers callbacks utils models
        datasets applications initializers regularizers
    """,
    ("sklearn.metrics", "fastdl.metrics"): """
        accuracy_score average_precision_score balanced_accuracy_score
        classification_report cohen_kappa_score confusion_matrix f1_score hamming_loss
        jaccard_score log_loss matthews_corrcoef mean_absolute_error mean_squared_error
        precision_recall_curve precision_score r2_score recall_score roc_auc_score
        roc_curve top_k_accuracy_score
    """,
}


def found(path):
    """Return what a name with dots, from ``fastdl``, stands for."""
    value = fastdl
    for part in path.removeprefix("fastdl").strip(".").split(".") if path else ():
        value = getattr(value, part) if part else value
    return value


def names(place):
    """Return the public names of a package, a module or a class."""
    if place in CLASSES:
        return attributes(CLASSES[place])
    module = found(place)
    return [name for name in getattr(module, "__all__", dir(module)) if name[0] != "_"]


def arguments():
    """Return the names of the arguments of all public functions and classes."""
    found = set(inspect.signature(fastdl.Trainer.fit).parameters)
    for room in ("nn", "functional", "optim", "metrics", "train", "data", "models"):
        package = getattr(fastdl, room)
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found.update(inspect.signature(value).parameters)
    return found


def parameters():
    """Return the arguments of the estimators for scikit-learn."""
    pytest.importorskip("sklearn")
    return {*inspect.signature(fastdl.sklearn.FastClassifier).parameters}


def options():
    """Return the options of all commands."""
    (commands,) = _parser()._subparsers._group_actions
    return {
        option
        for command in commands.choices.values()
        for option in command._option_string_actions
    }


# The table ---------------------------------------------------------------------------


@pytest.mark.parametrize("place", words.TABLE)
def test_what_the_table_says_exists(place):
    local = {"arguments": arguments, "estimators": parameters, "options": options}
    own = local.get(place, set)()
    for row in words.TABLE[place]:
        assert row.ours or row.how, row
        if place in words.LOCAL:
            assert row.ours in {*own, ""}, row
        elif row.ours:
            found(row.ours)


@pytest.mark.parametrize("place", words.TABLE)
def test_a_word_stands_once_in_its_place(place):
    """An argument may have a line for each of ours: the first that is there is it."""
    given = [
        (word, row.ours if place == "arguments" else "")
        for row in words.TABLE[place]
        for word in row.theirs.split()
    ]
    assert not {word for word in given if given.count(word) > 1}


@pytest.mark.parametrize("place", [*MODULES, *CLASSES])
def test_a_name_of_ours_is_no_word_of_others(place):
    """When a word becomes a name here, it leaves the table."""
    assert {*words.spellings(place)} & {*names(place)} == set()


@pytest.mark.parametrize("place", [*MODULES, *CLASSES])
def test_a_word_of_others_gets_its_hint(place):
    home = CLASSES.get(place) or found(place)
    for row in words.TABLE[place]:
        for word in row.theirs.split():
            assert not hasattr(home, word)
            with pytest.raises(AttributeError) as caught:
                getattr(home, word)
            message = str(caught.value)
            assert f"has no attribute {word!r}; " in message
            assert row.ours.rpartition(".")[2] in message
            assert row.how in message


@pytest.mark.parametrize(("framework", "place"), TYPED)
def test_what_people_type_exists_or_gets_a_hint(framework, place):
    for name in TYPED[framework, place].split():
        if hasattr(found(place), name):
            continue
        with pytest.raises(AttributeError, match=f"'{name}'; "):
            getattr(found(place), name)


def test_the_list_of_layers_is_that_of_torch():
    torch = pytest.importorskip("torch")
    assert {*torch.nn.modules.__all__} <= {*TYPED["torch.nn", "fastdl.nn"].split()}


# Names -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "choices", "place", "expected"),
    [
        ("kaiming_normal", ["he_normal"], "", "; did you mean 'he_normal'?"),
        ("KaimingNormal", ["he_normal"], "", "; did you mean 'he_normal'?"),
        ("HeNormal", ["xavier_normal", "he_normal"], "", "; did you mean 'he_normal'?"),
        ("val_acc", ["loss", "val_accuracy"], "", "; did you mean 'val_accuracy'?"),
        ("val_mae", ["val_mean_absolute_error"], "",
         "; did you mean 'val_mean_absolute_error'?"),
        ("learning_rate", ["lr", "eps"], "", "; did you mean 'lr'?"),
        ("lstm", ["lenet5"], "", "; choose from 'lenet5'"),
        ("lstm", ["lenet5"], "nn", "; fastdl has no layers for sequences and texts"),
        ("Embeding", ["Linear"], "nn", "; fastdl has no layers for sequences and "
         "texts; "
         "rows by number are weight[indices] of an nn.Parameter"),
        ("cat", ["Linear"], "nn", "; did you mean 'fastdl.functional.concatenate'?"),
        ("dim", ["x"], "arguments", "; choose from 'x'"),
    ],
)  # fmt: skip
def test_a_hint(name, choices, place, expected):
    assert suggest(name, choices, place) == expected


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (lambda: nn.ModuleLst, "'fastdl.nn' has no attribute 'ModuleLst'; did you mean "
         "'ModuleList'?"),
        (lambda: nn.relu, "did you mean 'ReLU'?"),
        (lambda: nn.init.xavier_uniform_, "did you mean 'glorot_uniform'? (it takes a "
         "shape: p.data[...] = nn.init.glorot_uniform(p.shape))"),
        (lambda: nn.init.xavier_normal_, "did you mean 'glorot_normal'? (it takes"),
        (lambda: nn.init.kaiming_normal_, "p.data[...] = nn.init.he_normal(p.shape)"),
        (lambda: nn.init.zeros_, "p.data[...] = nn.init.zeros(p.shape)"),
        (lambda: nn.parallel, "fastdl computes on the CPU: leave it out"),
        (lambda: fastdl.onnx, "did you mean 'fastdl.interop.export_onnx'?"),
        (lambda: fastdl.use_deterministic_algorithms, "the same bits: leave it out"),
        (lambda: fastdl.isnan, "use it on tensor.numpy()"),
        (lambda: fastdl.Tensor([1.0]).mT, "tensor.transpose(0, 2, 1)"),
        (lambda: fastdl.Tensor([1.0]).chunk, "not the number of parts"),
        (lambda: fastdl.Tensor([1.0]).masked_fill, "where(mask, value, tensor)"),
        (lambda: fastdl.Tensor([1.0]).repeat, "concatenate([tensor] * n, axis)"),
        (lambda: fastdl.Tensor([1.0]).to, "did you mean 'astype'? (of a type; of a "
         "device: fastdl computes on the CPU: leave it out)"),
        (lambda: nn.Parameter(np.ones(3)).requires_grad_, "tensor.requires_grad = "),
        (lambda: nn.CategoricalCrossentropy, "the loss takes them; labels are "
         "integers, or rows of probabilities"),
        (lambda: optim.lr_scheduler.CosineDecay, "did you mean 'fastdl.optim.Cosine'?"),
        (lambda: optim.StepLR, "did you mean 'fastdl.optim.lr_scheduler.StepLR'?"),
        (lambda: nn.Adam, "did you mean 'fastdl.optim.Adam'?"),
        (lambda: nn.Embedding, "rows by number are weight[indices] of an nn.Parameter"),
        (lambda: fastdl.trainer, "'fastdl' has no attribute 'trainer'; did you mean "
         "'Trainer'?"),
        (lambda: fastdl.report.filter, "did you mean 'filters'?"),
        (lambda: fastdl.sklearn.FastRegresor, "did you mean 'FastRegressor'?"),
        (lambda: fastdl.Tensor([1.0]).cuda(), "'Tensor' object has no attribute "
         "'cuda'; "
         "fastdl computes on the CPU: leave it out"),
        (lambda: nn.Parameter(np.ones(3)).permute, "'Parameter' object has no "
         "attribute "
         "'permute'; did you mean 'transpose'?"),
        (lambda: nn.Linear(3, 4).fit, "'Linear' object has no attribute 'fit'; did you "
         "mean 'fastdl.Trainer.fit'? (the verbs are those of fastdl.Trainer(model"),
        (lambda: nn.Sequential().compile, "Sequential has no attribute or layer "
         "'compile'; did you mean 'fastdl.Trainer'?"),
        (lambda: optim.SGD([nn.Parameter(np.ones(3))], lr=1.0).learning_rate, "did you "
         "mean 'lr'?"),
        (lambda: nn.Sequential().apend, "did you mean 'append'?"),
        (lambda: nn.Sequential({"conv": nn.ReLU()}).conve, "did you mean 'conv'?"),
    ],
)  # fmt: skip
def test_an_attribute(look, message):
    with pytest.raises(AttributeError) as caught:
        look()
    assert message in str(caught.value)


@pytest.mark.parametrize("package", ["fastdl", "fastdl.nn", "fastdl.report"])
def test_only_what_is_asked_for_by_name_is_looked_up(package):
    """Python and tools ask every module for names like these."""
    module = importlib.import_module(package)
    assert not hasattr(module, "__wrapped__")
    assert not hasattr(module, "_private")


def test_a_lookup_that_fails_is_shown_once():
    """Python 3.12 and later would append a hint of its own."""
    code = "from fastdl import nn; nn.ModuleLst"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stderr.count("id you mean") == 1


def test_an_import_shows_the_hint():
    with pytest.raises(ImportError, match="; did you mean 'Linear'"):
        from fastdl.nn import Dense  # noqa: F401
    with pytest.raises(ImportError, match="'optimizers' from 'fastdl'; did you mean"):
        from fastdl import optimizers  # noqa: F401
    with pytest.raises(ImportError, match="cannot import name 'Qqqqq'"):
        from fastdl.nn import Qqqqq  # noqa: F401


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import fastdl.nn.functional as F", "'fastdl.nn.functional'; did you mean "
         "'fastdl.functional'? (`from fastdl import functional as F`)"),
        ("from fastdl.utils.data import DataLoader", "'fastdl.utils'; did you mean "
         "'data'"),
        ("from fastdl.keras import layers", "'fastdl.keras'; did you mean 'nn'?"),
        ("import fastdl.optims", "'fastdl.optims'; did you mean 'optim'?"),
        ("import fastdl.nn.qqqqq", "'fastdl.nn.qqqqq'\n"),
        ("import fastdl.nn.Linear", "'fastdl.nn.Linear'\n"),
    ],
)  # fmt: skip
def test_a_module_of_others(line, message):
    shown = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True)
    assert f"ModuleNotFoundError: No module named {message}" in shown.stderr


def test_whether_there_is_a_module_can_be_asked():
    assert importlib.util.find_spec("fastdl.nn.functional") is None
    assert importlib.util.find_spec("fastdl.nn.linear") is not None
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("fastdl.optimizers")
    assert caught.value.name == "fastdl.optimizers"


def test_modules_are_imported_as_ever():
    code = "from fastdl.functional import *; from fastdl.nn import linear; "
    code += "from fastdl import words; import fastdl.nn.pool2d; print(linear.__name__)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.stdout == "fastdl.nn.linear\n", shown.stderr
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("fastdl.nn.dense")


@pytest.mark.parametrize(
    "thing", [fastdl.Tensor([1.0]), nn.Linear(2, 3), fastdl.Trainer(nn.Linear(2, 3))]
)
def test_words_are_no_attributes(thing):
    place = {"Linear": "Module"}.get(type(thing).__name__, type(thing).__name__)
    assert not {*words.spellings(place)} & {*dir(thing)}
    assert "__class__" in dir(thing)


def test_attributes_of_your_own_win():
    class Fits(nn.Module):
        def fit(self):
            return "fitted"

    assert Fits().fit() == "fitted"
    assert "fit" in dir(Fits())
    model = nn.Linear(2, 3)
    model.compile = "compiled"
    assert model.compile == "compiled"
    assert "compile" in dir(model)
    layers = nn.Sequential({"fit": nn.ReLU(), "test": nn.Tanh()})
    assert isinstance(layers.fit, nn.ReLU)
    assert isinstance(layers[:1].fit, nn.ReLU)


@pytest.mark.parametrize(
    ("thing", "word", "meant"),
    [
        (nn.Linear(2, 3), "trainable", "freeze"),
        (nn.Sequential(nn.ReLU()), "trainable", "freeze"),
        (nn.Sequential(nn.ReLU()), "stop_training", "Trainer.stop"),
        (fastdl.Trainer(nn.ReLU()), "stop_training", "stop"),
        (optim.SGD([nn.Parameter(np.ones(3))]), "learning_rate", "lr"),
    ],
)
def test_what_would_change_nothing_cannot_be_set(thing, word, meant):
    with pytest.raises(AttributeError, match=f"'{word}'; did you mean '.*{meant}'"):
        setattr(thing, word, False)
    assert not hasattr(thing, word)


def test_a_class_of_your_own_may_have_it():
    class Prior(nn.Module):
        def __init__(self, trainable):
            self.trainable = trainable

    class Early(fastdl.Trainer):
        stop_training = False

    prior, trainer = Prior(trainable=False), Early(nn.ReLU())
    trainer.stop_training = True
    assert (prior.trainable, trainer.stop_training) == (False, True)
    assert "trainable" in dir(prior)
    assert copy.deepcopy(prior).trainable is False


@pytest.mark.parametrize(
    ("cls", "ours", "theirs"),
    [
        (nn.Linear, "forward", "cuda"),
        (nn.Sequential, "append", "fit"),
        (fastdl.Tensor, "backward", "cuda"),
        (fastdl.Trainer, "predict", "compile"),
    ],
)
def test_help_shows_our_own_names_first(cls, ours, theirs):
    shown = pydoc.plain(pydoc.render_doc(cls))
    heading = shown.index("inherited from fastdl.exports.")
    assert f"\n |  {ours}(" in shown[:heading]
    assert f"\n |  {theirs}" not in shown[:heading]
    assert f"\n |  {theirs}" in shown[heading:]


def test_copies():
    model, tensor = nn.Sequential(nn.Linear(2, 3)), fastdl.Tensor([1.0, 2.0])
    assert copy.deepcopy(model)[0].weight.shape == (2, 3)
    assert copy.copy(tensor).data is tensor.data
    for thing in (tensor, train.EarlyStopping(), train.History()):
        assert type(pickle.loads(pickle.dumps(thing))) is type(thing)


def test_lookups_that_succeed_cost_nothing():
    """A ``__getattr__`` would slow all others down, see `exports.translate`."""
    for cls in (fastdl.Tensor, nn.Parameter, nn.Module, nn.Linear):
        assert not hasattr(cls, "__getattr__")


# Arguments ---------------------------------------------------------------------------


class Softmax(nn.Module):
    def forward(self, x):
        return F.softmax(x, dim=1)


class Total(nn.Module):
    def forward(self, x):
        return (x * 1.0).sum(dim=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Conv2d(3, 8, kernel=3), "Conv2d() got an unexpected keyword "
         "argument "
         "'kernel'; did you mean 'kernel_size'?"),
        (lambda: nn.Conv2d(3, 8, 3, device="cpu"), "computes on the CPU: leave it out"),
        (lambda: nn.Dropout(rate=0.5), "Dropout() got an unexpected keyword argument "
         "'rate'; did you mean 'p'?"),
        (lambda: optim.Adam(learning_rate=0.1), "Adam() got an unexpected keyword "
         "argument 'learning_rate'; did you mean 'lr'?"),
        (lambda: optim.RMSprop([], alpha=0.9), "did you mean 'beta'? (PyTorch's alpha"),
        (lambda: optim.Adam([], alpha=0.9), "did you mean 'lr'?"),
        (lambda: nn.LeakyReLU(alpha=0.1), "did you mean 'negative_slope'?"),
        (lambda: optim.Staircase(0.1, step_size=3), "did you mean 'every'?"),
        (lambda: optim.SGD([], beta=0.9), "did you mean 'momentum'?"),
        (lambda: optim.Adam([], beta_1=0.9), "'betas'? (a pair: betas=(0.9, 0.999))"),
        (lambda: train.EarlyStopping(restore_best_weights=True), "'restore_best'?"),
        (lambda: train.ModelCheckpoint("x", save_best_only=True), "leave it out"),
        (lambda: train.TensorBoardLog(log_dir="x"), "did you mean 'folder'?"),
        (lambda: train.CSVLog(filename="x"), "did you mean 'path'?"),
        (lambda: optim.Adam([], clipnorm=1.0), "optim.clip_grad_norm_"),
        (lambda: nn.Linear(2, 3, kernel_regularizer="l2"), "Trainer(regularization="),
        (lambda: fastdl.data.Augment(rotation=3), "did you mean 'rotate'?"),
        (lambda: fastdl.Trainer(nn.ReLU(), loss_fn=F.mse_loss), "did you mean 'loss'?"),
        (lambda: fastdl.Trainer(nn.ReLU()).fit(np.ones(3), epoch=3), "'epochs'?"),
        (lambda: fastdl.Trainer(nn.ReLU()).fit(np.ones(3), val_data=3), "validation"),
        (lambda: models.resnet18(width=2), "resnet18() got an unexpected keyword "
         "argument 'width'; did you mean 'width_mult'?"),
        (lambda: Softmax()(np.ones((2, 3))), "softmax() got an unexpected keyword "
         "argument 'dim'; did you mean 'axis'?"),
        (lambda: nn.Sequential(nn.ReLU(), Total())(np.ones((2, 3))), "sum() got an "
         "unexpected keyword argument 'dim'; did you mean 'axis'?"),
    ],
)  # fmt: skip
def test_an_unknown_argument(call, message):
    with pytest.raises(TypeError) as caught:
        call()
    assert message in str(caught.value)
    assert str(caught.value).count("unexpected") <= 1


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("hidden_layer_sizes", "'model_options'? (model_options={'hidden': (64, 32)})"),
        ("alpha", "'weight_decay'?"),
        ("learning_rate_init", "'lr'?"),
        ("solver", "'optimizer'?"),
        ("bs", "'batch_size'?"),
    ],
)
@pytest.mark.parametrize("name", ["FastClassifier", "FastRegressor"])
def test_an_argument_of_an_estimator(name, word, meant):
    pytest.importorskip("sklearn")
    estimator = getattr(fastdl.sklearn, name)
    with pytest.raises(TypeError) as caught:
        estimator(**{word: 1})
    assert f"{name}() got an unexpected keyword argument {word!r}; " in str(
        caught.value
    )
    assert f"did you mean {meant}" in str(caught.value)
    assert "lr" in estimator().get_params()


def test_an_optimizer_without_parameters():
    with pytest.raises(
        TypeError,
        match=r"Adam takes model.parameters\(\) first; .*"
        r"partial\(optim.Adam, lr=0.001\)\), or Trainer\(..., 'adam'",
    ):
        optim.Adam(lr=0.001)


@pytest.mark.parametrize(
    ("layers", "meant"),
    [
        (([nn.ReLU(), nn.Tanh()],), r"; write Sequential\(\*layers\)"),
        ((nn.ReLU(), F.relu), r"layer 1 must be a Module, .*; write nn.ReLU\(\)"),
        ((nn.ReLU(), "tanh"), r"; write nn.Tanh\(\)"),
    ],
)
def test_what_is_no_layer(layers, meant):
    with pytest.raises(ArgumentError, match=meant):
        nn.Sequential(*layers)


def test_an_unknown_argument_of_a_model_by_name():
    with pytest.raises(ArgumentError, match="'num_classes'; did you mean 'classes'"):
        models.create("mobilenet_v2", num_classes=5)
    with pytest.raises(ArgumentError, match="no 'width'; did you mean 'width_mult'"):
        models.create("resnet18", width=2)
    with pytest.raises(ArgumentError, match="no weights are downloaded"):
        models.create("resnet18", pretrained=True)


def test_other_type_errors_are_as_they_were():
    class Wrong(nn.Linear):
        def __init__(self, width):
            super().__init__(width + 1, 2)

    with pytest.raises(TypeError) as caught:
        Wrong("a")
    assert str(caught.value) == 'can only concatenate str (not "int") to str'
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        nn.Conv2d(3, 8)
    with pytest.raises(TypeError, match=r"'size'$"):
        Wrong(size=3)  # a class of the user's own


def test_constructors_say_what_they_take():
    taken = inspect.signature(nn.Linear).parameters
    assert [*taken] == ["in_features", "out_features", "bias", "weight_init", "dtype"]
    assert repr(nn.Conv2d(3, 8, 3, stride=2)) == "Conv2d(3, 8, 3, stride=2)"


# Names in quotes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Linear(3, 4, weight_init="kaiming_normal"), "'he_normal'"),
        (lambda: nn.Linear(3, 4, weight_init="HeUniform"), "'he_uniform'"),
        (lambda: fastdl.Trainer(nn.ReLU(), metrics=["acuracy"]), "'accuracy'"),
        (lambda: fastdl.metrics.as_metric("iou"), "a function of (y_true, y_pred)"),
        (lambda: train.EarlyStopping("val_acurracy"), "did you mean 'val_accuracy'?"),
        (lambda: train.ModelCheckpoint("x", monitor="acuracy"), "mean 'accuracy'?"),
        (lambda: models.create("VGG-16"), "did you mean 'vgg16'?"),
        (lambda: models.create("resnet152"), "fastdl.models.names() lists"),
        (lambda: fastdl.datasets.load("CIFAR-10"), "did you mean 'cifar10'?"),
        (lambda: train.Recipe(optimizer="nadam"), "fastdl has no such optimiser"),
        (lambda: train.Recipe(model="ResNet"), "did you mean 'resnet18'?"),
        (lambda: F.activation(np.ones(3), "swish"), "did you mean 'silu'?"),
        (lambda: optim.SGD([{"params": [nn.Parameter(np.ones(3))],
                             "learning_rate": 1.0}], lr=0.1), "did you mean 'lr'?"),
    ],
)  # fmt: skip
def test_a_name_in_quotes(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("val_acc", "val_accuracy"), ("val_mae", "val_mean_absolute_error")],
)
def test_a_monitored_value_that_was_measured_by_another_name(name, meant):
    monitor = train.monitor.Monitor(name, 0.0, None, "EarlyStopping")
    with pytest.raises(ArgumentError, match=f"no '{name}'; did you mean '{meant}'"):
        monitor.value({"loss": 1.0, "val_loss": 1.0, meant: 2.0})


def test_a_function_in_place_is_another_word():
    """PyTorch's ``uniform_`` is in the table; "uniform" may be anything."""
    assert list(words.meanings("uniform_", "nn.init"))
    assert not list(words.meanings("uniform", "nn.init"))


@pytest.mark.parametrize(
    ("name", "choices"),
    [("qqqq", ["Linear"]), ("onnxx", ["nn"]), ("parallell", ["PReLU"])],
)
def test_no_words_where_nothing_is_meant(name, choices):
    assert near(name, choices, "arguments") == ""
