"""The words of other frameworks, and what they are called here.

The one table that `fastdl.errors.suggest` looks into, so that somebody who types
PyTorch's, Keras's or scikit-learn's word is told ours: of modules, functions, methods,
arguments, options of the command line, and names in quotes alike. It only helps where
a name was not found; no word in it works.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple


class Word(NamedTuple):
    """A line of the table.

    Attributes
    ----------
    theirs : str
        Words of one meaning, with spaces between them.
    ours : str
        What to write, as found from ``fastdl``: "nn.Linear". An argument or an option
        stands as it is. "" where there is no such thing.
    how : str
        What is different, or what to do instead; the end of a message.
    """

    theirs: str
    ours: str
    how: str = ""


_CPU = "fastdl computes on the CPU: leave it out"
_NO_SEQUENCES = "fastdl has no layers for sequences and texts"
_NO_VOLUMES = "fastdl has pictures (n, h, w, c), no volumes"
_ONE_AXIS = "of a picture of height 1: reshape (n, w, c) to (n, 1, w, c)"
_OPEN = "an input size of None is taken from the data"
_LOGITS = "a model ends with logits here, and the loss takes them"
_LABELS = "labels are integers, or rows of probabilities"
_OF_ARRAYS = "NumPy has it: use it on tensor.numpy(), where no gradient is needed"
_NO_TRAINING = "fastdl has no such optimiser; optim.AdamW is the usual choice"
_OWN_LOSS = "fastdl has no such loss; write it with fastdl.functional"
_OWN_METRIC = "a function of (y_true, y_pred) is a metric too"
_WITHIN = "transform= of a DataLoader applies it to training pictures"
_OF_TRAINER = "the verbs are those of fastdl.Trainer(model, loss, optimizer, metrics)"


def _assigned(rule: str) -> str:
    return f"it takes a shape: p.data[...] = nn.init.{rule}(p.shape)"


# By place: a package, a class, or a kind of name.
TABLE: dict[str, tuple[Word, ...]] = {
    "fastdl": (
        Word("layers keras", "nn"),
        Word("losses", "nn", "the losses are nn.CrossEntropyLoss and its like"),
        Word("optimizers lr_scheduler", "optim"),
        Word("callbacks", "train"),
        Word("activations", "nn", "each activation is a layer: nn.ReLU()"),
        Word("preprocessing", "data", "and nn.Standardize is a layer"),
        Word("F nn_functional ops", "functional"),
        Word("utils", "data", "and gradients are clipped by optim.clip_grad_norm_"),
        Word("vision torchvision applications", "models"),
        Word("from_numpy as_tensor convert_to_tensor Variable", "Tensor"),
        Word("FloatTensor DoubleTensor", "Tensor", "its type is dtype="),
        Word("inference_mode set_grad_enabled stop_gradient", "no_grad"),
        Word("enable_grad is_grad_enabled", "", "everything is recorded outside "
             "`with fastdl.no_grad():`"),
        Word("GradientTape grad", "Tensor.backward"),
        Word("set_seed set_random_seed random_seed seed", "manual_seed"),
        Word("load_model", "load"),
        Word("save_model", "save"),
        Word("cuda device is_available mps backends", "", _CPU),
        Word("float32 float64 double", "", "types are NumPy's: numpy.float32"),
        Word("float16 half bfloat16 autocast amp", "",
             "fastdl computes in float32 and float64"),
        Word("zeros ones rand randn arange linspace eye full empty zeros_like "
             "ones_like randint randperm", "",
             "NumPy makes arrays, and every function here takes them"),
        Word("allclose equal isnan isfinite sort argsort unique", "", _OF_ARRAYS),
        Word("compile jit script trace", "", "nothing needs to be compiled"),
        Word("onnx", "interop.export_onnx", "export_onnx(model, path)"),
        Word("use_deterministic_algorithms", "", "results are always the same bits: "
             "leave it out"),
        Word("distributed", "", _CPU),
        Word("Classifier MLPClassifier", "sklearn.FastClassifier"),
        Word("MLPRegressor", "sklearn.FastRegressor"),
        Word("fit Model", "Trainer"),
        Word("set_default_dtype", "", "the type of the data is that of the "
             "computation; model.astype(numpy.float64) converts weights"),
    ),
    "nn": (
        Word("Dense LazyLinear FullyConnected FC InnerProduct", "nn.Linear", _OPEN),
        Word("Convolution2D LazyConv2d", "nn.Conv2d", _OPEN),
        Word("Conv2DTranspose Deconvolution2D LazyConvTranspose2d",
             "nn.ConvTranspose2d",
             _OPEN),
        Word("DepthwiseConv2D", "nn.Conv2d", "depthwise is groups=in_channels"),
        Word("SeparableConv2D", "nn.Conv2d", "one with groups=in_channels, then one "
             "with kernel_size 1"),
        Word("Conv1d LazyConv1d ConvTranspose1d LazyConvTranspose1d", "nn.Conv2d",
             _ONE_AXIS),
        Word("MaxPool1d AvgPool1d MaxPooling1D AveragePooling1D", "nn.MaxPool2d",
             _ONE_AXIS),
        Word("MaxPooling2D", "nn.MaxPool2d"),
        Word("AveragePooling2D", "nn.AvgPool2d"),
        Word("GlobalAveragePooling2D GAP", "nn.GlobalAvgPool2d"),
        Word("GlobalMaxPooling2D AdaptiveMaxPool2d", "", "fastdl has no global maximum "
             "layer; in forward, x.max(axis=(1, 2)) is it"),
        Word("AdaptiveAvgPool1d GlobalAveragePooling1D", "nn.AdaptiveAvgPool2d",
             _ONE_AXIS),
        Word("UpSampling2D UpsamplingNearest2d UpsamplingBilinear2d Resizing",
             "nn.Upsample"),
        Word("ZeroPad2d ZeroPadding2D ConstantPad2d", "functional.pad",
             "or padding= of the next layer"),
        Word("ReflectionPad2d ReplicationPad2d CircularPad2d", "",
             "fastdl pads with zeros: padding= of the layer"),
        Word("Cropping2D", "", "slice in forward: x[:, 1:-1, 1:-1]"),
        Word("BatchNormalization", "nn.BatchNorm2d", "nn.BatchNorm1d for rows"),
        Word("SyncBatchNorm LazyBatchNorm2d", "nn.BatchNorm2d"),
        Word("LazyBatchNorm1d", "nn.BatchNorm1d"),
        Word("LayerNormalization", "nn.LayerNorm"),
        Word("GroupNormalization", "nn.GroupNorm"),
        Word("InstanceNorm2d InstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm1d "
             "InstanceNormalization", "nn.GroupNorm", "with as many groups as "
             "channels"),
        Word("RMSNorm RMSNormalization LocalResponseNorm CrossMapLRN2d", "",
             "fastdl has nn.LayerNorm, nn.GroupNorm and batch norm"),
        Word("UnitNormalization", "functional.normalize"),
        Word("Normalization StandardScaler", "nn.Standardize"),
        Word("Rescaling", "data.as_float", "pictures of uint8 are scaled anyway"),
        Word("SpatialDropout2D FeatureDropout", "nn.Dropout2d"),
        Word("StochasticDepth", "nn.DropPath"),
        Word("AlphaDropout FeatureAlphaDropout GaussianDropout GaussianNoise Dropout1d "
             "SpatialDropout1D", "nn.Dropout"),
        Word("Activation", "nn.ReLU", "each activation is a layer of its own"),
        Word("Swish", "nn.SiLU"),
        Word("Hardsigmoid Hardtanh Hardshrink Softshrink Tanhshrink Softsign SELU CELU "
             "Mish GLU RReLU Threshold Softmin LogSigmoid ThresholdedReLU", "",
             "fastdl has no such activation; the usual ones are there: nn.ReLU, "
             "nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU"),
        Word("Softmax2d", "nn.Softmax", "it is over the channels, the last axis"),
        Word("Reshape Unflatten View", "functional.reshape", "in forward"),
        Word("Permute", "functional.transpose", "in forward"),
        Word("Lambda", "nn.Module", "a class of your own with a forward method"),
        Word("Add Subtract Multiply", "nn.Module", "write + - * in forward"),
        Word("Average Maximum Minimum Dot", "nn.Module",
             "write it with fastdl.functional in forward"),
        Word("Concatenate Concat", "functional.concatenate", "in forward"),
        Word("Input InputLayer InputSpec", "nn.Module.build",
             "sizes of None are taken from the data"),
        Word("Model Layer Container", "nn.Module"),
        Word("functional", "functional", "`from fastdl import functional as F`"),
        Word("utils", "optim.clip_grad_norm_"),
        Word("clip_grad_norm", "optim.clip_grad_norm_"),
        Word("initializers initialisers", "nn.init"),
        Word("regularizers", "nn.L2", "given to Trainer(regularization=)"),
        Word("constraints UnitNorm NonNeg", "nn.MaxNorm", "given to "
             "Trainer(constraint=)"),
        Word("L1L2", "nn.L2", "or nn.L1: Trainer(regularization=) takes both"),
        Word("DataParallel DistributedDataParallel parallel", "", _CPU),
        Word("ParameterModule Buffer", "nn.Module.register_buffer"),
        Word("UninitializedParameter", "nn.Parameter"),
        Word("RandomFlip RandomRotation RandomTranslation RandomZoom RandomContrast "
             "RandomBrightness RandomCrop", "data.Augment", _WITHIN),
        Word("Embedding EmbeddingBag", "", f"{_NO_SEQUENCES}; rows by number are "
             "weight[indices] of an nn.Parameter"),
        Word("LSTM GRU RNN SimpleRNN LSTMCell GRUCell RNNCell RNNBase RNNCellBase "
             "Bidirectional TimeDistributed ConvLSTM2D "
             "MultiHeadAttention Attention Transformer TransformerEncoder "
             "TransformerDecoder TransformerEncoderLayer TransformerDecoderLayer "
             "Masking "
             "TextVectorization StringLookup RepeatVector CTCLoss "
             "AdaptiveLogSoftmaxWithLoss", "", _NO_SEQUENCES),
        Word("CategoryEncoding", "functional.one_hot"),
        Word("Conv3d ConvTranspose3d MaxPool3d AvgPool3d BatchNorm3d Dropout3d "
             "AdaptiveAvgPool3d AdaptiveMaxPool3d InstanceNorm3d LazyConv3d "
             "LazyConvTranspose3d LazyBatchNorm3d LazyInstanceNorm3d MaxUnpool3d "
             "LPPool3d "
             "FractionalMaxPool3d MaxPooling3D AveragePooling3D UpSampling3D "
             "GlobalAveragePooling3D ZeroPad3d ConstantPad3d CircularPad3d "
             "ReflectionPad3d ReplicationPad3d", "", _NO_VOLUMES),
        Word("ZeroPad1d ConstantPad1d CircularPad1d ReflectionPad1d ReplicationPad1d "
             "ZeroPadding1D", "functional.pad"),
        Word("AdaptiveMaxPool1d FractionalMaxPool2d LPPool1d LPPool2d MaxUnpool1d "
             "MaxUnpool2d GlobalMaxPooling1D", "",
             "fastdl has maximum, average, adaptive and global average pooling"),
        Word("Fold Unfold PixelShuffle PixelUnshuffle ChannelShuffle", "",
             "write it with reshape and transpose in forward"),
        Word("Bilinear", "functional.einsum", "in forward"),
        Word("CosineSimilarity PairwiseDistance", "functional.normalize",
             "the sum of products of normalised rows is their cosine"),
        # Losses
        Word("BinaryCrossentropy log_loss sigmoid_cross_entropy",
             "nn.BCEWithLogitsLoss", _LOGITS),
        Word("NLLLoss2d", "nn.NLLLoss"),
        Word("CategoricalCrossentropy SparseCategoricalCrossentropy "
             "cross_entropy softmax_cross_entropy LinearCrossEntropyLoss "
             "LinearCrossEntropyOptions", "nn.CrossEntropyLoss",
             f"{_LOGITS}; {_LABELS}"),
        Word("MeanSquaredError MSE l2_loss", "nn.MSELoss"),
        Word("MeanAbsoluteError MAE", "nn.L1Loss"),
        Word("Huber LogCosh", "nn.HuberLoss"),
        Word("SmoothL1Loss", "nn.HuberLoss", "delta= is its beta, and the loss is that "
             "divided by beta"),
        Word("KLDivergence KLD", "nn.KLDivLoss"),
        Word("Dice", "nn.DiceLoss"),
        Word("CategoricalFocalCrossentropy", "nn.FocalLoss"),
        Word("BinaryFocalCrossentropy", "nn.SigmoidFocalLoss"),
        Word("MultiLabelSoftMarginLoss", "nn.BCEWithLogitsLoss", "it is the same loss"),
        Word("TripletMarginWithDistanceLoss TripletLoss", "nn.TripletMarginLoss"),
        Word("Hinge SquaredHinge CategoricalHinge HingeEmbeddingLoss MarginRankingLoss "
             "MultiMarginLoss MultiLabelMarginLoss SoftMarginLoss CosineEmbeddingLoss "
             "PoissonNLLLoss Poisson GaussianNLLLoss MeanAbsolutePercentageError "
             "MeanSquaredLogarithmicError Tversky Circle CTC", "", _OWN_LOSS),
    ),
    "functional": (
        Word("cat concat hstack vstack", "functional.concatenate"),
        Word("permute swapaxes moveaxis movedim t", "functional.transpose"),
        Word("view ravel", "functional.reshape"),
        Word("mul", "functional.multiply"),
        Word("sub", "functional.subtract"),
        Word("div true_divide", "functional.divide"),
        Word("neg", "functional.negative"),
        Word("pow square", "functional.power", "or write x**2"),
        Word("mm bmm dot mv addmm tensordot", "functional.matmul"),
        Word("reduce_sum", "functional.sum"),
        Word("reduce_mean", "functional.mean"),
        Word("reduce_max amax", "functional.max"),
        Word("reduce_min amin", "functional.min"),
        Word("cast to", "functional.astype"),
        Word("clip clip_by_value hardtanh", "functional.clamp"),
        Word("gather take_along_dim", "functional.take_along_axis"),
        Word("index_select", "functional.index"),
        Word("expand expand_as", "functional.broadcast_to"),
        Word("repeat tile", "functional.concatenate", "concatenate([x] * n, axis)"),
        Word("chunk unbind tensor_split", "functional.split",
             "split(x, size of a part, axis), not the number of parts"),
        Word("flip_left_right fliplr flipud", "functional.flip"),
        Word("select", "functional.where"),
        Word("masked_fill", "functional.where", "where(mask, value, x)"),
        Word("swish", "functional.silu"),
        Word("interpolate resize upsample_nearest upsample_bilinear",
             "functional.upsample"),
        Word("batch_normalization instance_norm", "functional.batch_norm"),
        Word("softmax_cross_entropy_with_logits "
             "sparse_softmax_cross_entropy_with_logits linear_cross_entropy",
             "functional.cross_entropy", _LABELS),
        Word("smooth_l1_loss", "functional.huber_loss", "delta= is its beta, and the "
             "loss is that divided by beta"),
        Word("multilabel_soft_margin_loss",
             "functional.binary_cross_entropy_with_logits", "it is the same loss"),
        Word("triplet_margin_with_distance_loss", "functional.triplet_margin_loss"),
        Word("margin_ranking_loss multi_margin_loss multilabel_margin_loss "
             "soft_margin_loss hinge_embedding_loss cosine_embedding_loss "
             "poisson_nll_loss gaussian_nll_loss", "", _OWN_LOSS),
        Word("hardsigmoid hardshrink softshrink tanhshrink softsign selu celu mish glu "
             "rrelu threshold softmin logsigmoid", "", "fastdl has no such activation; "
             "write it with the functions that are here"),
        Word("gumbel_softmax", "functional.softmax", "of logits with noise of your "
             "own"),
        Word("cosine_similarity pairwise_distance pdist", "functional.normalize",
             "the sum of products of normalised rows is their cosine"),
        Word("conv1d conv_transpose1d", "functional.conv2d", _ONE_AXIS),
        Word("max_pool1d avg_pool1d", "functional.max_pool2d", _ONE_AXIS),
        Word("adaptive_avg_pool1d", "functional.adaptive_avg_pool2d", _ONE_AXIS),
        Word("adaptive_max_pool2d", "functional.max", "with axis=(1, 2) it is global"),
        Word("conv3d conv_transpose3d max_pool3d avg_pool3d adaptive_avg_pool3d "
             "adaptive_max_pool3d fractional_max_pool3d lp_pool3d max_unpool3d "
             "dropout3d",
             "", _NO_VOLUMES),
        Word("adaptive_max_pool1d fractional_max_pool2d lp_pool1d lp_pool2d "
             "max_unpool1d "
             "max_unpool2d", "",
             "fastdl has maximum, average, adaptive and global average pooling"),
        Word("alpha_dropout feature_alpha_dropout dropout1d", "functional.dropout"),
        Word("embedding embedding_bag", "functional.index",
             "rows by number are weight[indices]"),
        Word("ctc_loss multi_head_attention_forward scaled_dot_product_attention "
             "conv_tbc", "", _NO_SEQUENCES),
        Word("fold unfold pixel_shuffle pixel_unshuffle channel_shuffle "
             "native_channel_shuffle", "", "write it with reshape and transpose"),
        Word("grid_sample affine_grid", "", "pictures are warped before training: "
             "data.Augment"),
        Word("local_response_norm rms_norm", "functional.layer_norm"),
        Word("bilinear", "functional.einsum"),
        Word("sin cos tan floor ceil round sign erf isnan topk sort argsort median "
             "cumprod any all", "", _OF_ARRAYS),
        Word("log1p", "functional.log", "of 1 + x"),
        Word("expm1", "functional.exp", "minus 1"),
        Word("rsqrt reciprocal", "functional.power", "x**-0.5 and x**-1"),
    ),
    "nn.init": (
        Word("kaiming_normal variance_scaling", "nn.init.he_normal"),
        Word("kaiming_uniform", "nn.init.he_uniform"),
        Word("kaiming_normal_", "nn.init.he_normal", _assigned("he_normal")),
        Word("kaiming_uniform_", "nn.init.he_uniform", _assigned("he_uniform")),
        Word("xavier_normal_", "nn.init.glorot_normal", _assigned("glorot_normal")),
        Word("xavier_uniform_", "nn.init.glorot_uniform", _assigned("glorot_uniform")),
        Word("normal_ trunc_normal_", "nn.init.normal", _assigned("normal")),
        Word("uniform_", "nn.init.uniform", _assigned("uniform")),
        Word("orthogonal_", "nn.init.orthogonal", _assigned("orthogonal")),
        Word("zeros_", "nn.init.zeros", _assigned("zeros")),
        Word("ones_ constant_ fill_", "nn.init.constant", "p.data[...] = value"),
        Word("eye_ dirac_ sparse_", "", "write p.data[...] = values"),
        Word("random_normal trunc_normal truncated_normal randn", "nn.init.normal",
             "or the name of a rule: 'he_normal'"),
        Word("random_uniform", "nn.init.uniform",
             "or the name of a rule: 'he_uniform'"),
        Word("xavier", "nn.init.xavier_normal", "variance 1 / fan_in; PyTorch's "
             "xavier_normal_ is 'glorot_normal' here"),
        Word("glorot", "nn.init.glorot_normal"),
        Word("he kaiming", "nn.init.he_normal"),
        Word("lecun", "nn.init.lecun_normal"),
        Word("ones full fill", "nn.init.constant"),
        Word("calculate_gain", "nn.init.gain"),
        Word("eye dirac identity sparse", "nn.init.orthogonal",
             "or write weight.data[...] = values"),
    ),
    "optim": (
        Word("LearningRateSchedule", "optim.Scheduler"),
        Word("StepLR", "optim.lr_scheduler.StepLR"),
        Word("MultiStepLR", "optim.lr_scheduler.MultiStepLR"),
        Word("ExponentialLR", "optim.lr_scheduler.ExponentialLR"),
        Word("CosineAnnealingLR", "optim.lr_scheduler.CosineAnnealingLR"),
        Word("LambdaLR", "optim.lr_scheduler.LambdaLR"),
        Word("OneCycleLR", "optim.lr_scheduler.OneCycleLR"),
        Word("LRScheduler", "optim.lr_scheduler.LRScheduler"),
        Word("PiecewiseConstantDecay ConstantLR", "optim.Piecewise"),
        Word("CosineDecay CosineLR CosineAnnealing", "optim.Cosine"),
        Word("CosineAnnealingWarmRestarts CosineDecayRestarts", "optim.Cosine",
             "without restarts"),
        Word("CyclicLR", "optim.OneCycle"),
        Word("InverseTimeDecay", "optim.InverseDecay"),
        Word("ReduceLROnPlateau", "optim.lr_scheduler.ReduceLROnPlateau",
             "or train.ReduceOnPlateau, a callback of fit"),
        Word("MultiplicativeLR LinearLR PolynomialLR PolynomialDecay "
             "SequentialLR ChainedScheduler", "optim.Scheduler",
             "a schedule is any function of the step's number"),
        Word("Momentum", "optim.SGD", "momentum=0.9"),
        Word("Nesterov NesterovMomentum", "optim.SGD", "momentum=0.9, nesterov=True"),
        Word("Nadam RAdam Adamax Adafactor Lion Lamb SparseAdam Muon", "",
             _NO_TRAINING),
        Word("Adadelta ASGD Rprop Ftrl LBFGS", "", _NO_TRAINING),
        Word("clip_by_global_norm clip_norm", "optim.clip_grad_norm_"),
        Word("clip_by_value", "optim.clip_grad_value_"),
        Word("swa_utils AveragedModel ExponentialMovingAverage SwapEMAWeights EMA",
             "train.WeightAverage"),
        Word("schedules", "optim.Cosine", "and the others of fastdl.optim"),
    ),
    "metrics": (
        Word("acc accuracy_score BinaryAccuracy CategoricalAccuracy "
             "SparseCategoricalAccuracy", "metrics.accuracy"),
        Word("TopKCategoricalAccuracy SparseTopKCategoricalAccuracy "
             "top_k_accuracy_score topk", "metrics.top_k_accuracy"),
        Word("f1_score fscore FBetaScore", "metrics.f1"),
        Word("f1_macro macro_f1", "metrics.F1", "F1('macro')"),
        Word("precision_score", "metrics.precision"),
        Word("recall_score sensitivity TruePositiveRate", "metrics.recall"),
        Word("auc auroc roc_auc_score", "metrics.roc_auc"),
        Word("average_precision_score pr_auc auprc", "metrics.average_precision"),
        Word("mse", "metrics.mean_squared_error"),
        Word("rmse RootMeanSquaredError", "metrics.mean_squared_error",
             "RMSE is its root"),
        Word("mae", "metrics.mean_absolute_error"),
        Word("r2", "metrics.r2_score"),
        Word("cohen_kappa_score", "metrics.cohen_kappa"),
        Word("TruePositives FalsePositives TrueNegatives FalseNegatives "
             "multilabel_confusion_matrix", "metrics.confusion_matrix"),
        Word("classification_report", "metrics.confusion_matrix",
             "its .report() has the rows"),
        Word("ECE expected_calibration_error", "metrics.calibration_error"),
        Word("err misclassification", "metrics.error_rate"),
        Word("MeanMetricWrapper", "metrics.MeanOf", _OWN_METRIC),
        Word("MultilabelAccuracy exact_match", "metrics.subset_accuracy"),
        Word("balanced_accuracy_score balanced_accuracy", "metrics.Recall",
             "Recall('macro') is it"),
        Word("IoU MeanIoU BinaryIoU OneHotIoU OneHotMeanIoU jaccard_score "
             "MeanAbsolutePercentageError mape MeanSquaredLogarithmicError msle "
             "LogCoshError matthews_corrcoef perplexity Sum Poisson KLDivergence Hinge "
             "SquaredHinge CategoricalHinge SensitivityAtSpecificity "
             "SpecificityAtSensitivity PrecisionAtRecall RecallAtPrecision specificity "
             "CosineSimilarity explained_variance_score brier_score_loss", "",
             f"fastdl has no such metric; {_OWN_METRIC}"),
        Word("BinaryCrossentropy CategoricalCrossentropy "
             "SparseCategoricalCrossentropy log_loss", "",
             "the loss is measured anyway, as 'loss' and 'val_loss'"),
    ),
    "train": (
        Word("ReduceLROnPlateau", "train.ReduceOnPlateau"),
        Word("LearningRateScheduler", "train.Schedule",
             "Schedule(function, 'epoch')"),
        Word("TensorBoard SummaryWriter", "train.TensorBoardLog"),
        Word("CSVLogger", "train.CSVLog"),
        Word("LearningRateMonitor", "train.LearningRateLog"),
        Word("ProgbarLogger TQDMProgressBar", "train.Progress"),
        Word("LambdaCallback CallbackList", "train.Callback"),
        Word("TerminateOnNaN", "", "fit stops at a loss that is not finite anyway"),
        Word("BackupAndRestore Checkpoint", "train.Trainer.fit",
             "checkpoint=PATH, resume=True"),
        Word("ExponentialMovingAverage EMA SwapEMAWeights StochasticWeightAveraging",
             "train.WeightAverage"),
        Word("LearningRateFinder LRFinder", "train.lr_range_test"),
        Word("check_grad", "train.gradcheck"),
        Word("RemoteMonitor", "train.Callback"),
    ),
    "data": (
        Word("TensorDataset from_tensor_slices", "data.ArrayDataset"),
        Word("ConcatDataset ChainDataset StackDataset", "data.Concat"),
        Word("IterableDataset", "data.Dataset", "with __len__ and __getitem__"),
        Word("train_test_split", "data.split"),
        Word("KFold StratifiedKFold GroupKFold cross_validation", "data.folds"),
        Word("ImageFolder image_dataset_from_directory flow_from_directory",
             "datasets.image_folder"),
        Word("transforms RandomHorizontalFlip RandomCrop RandomRotation RandomAffine "
             "ColorJitter ImageDataGenerator RandomErasing", "data.Augment", _WITHIN),
        Word("CutMix", "data.Mixup"),
        Word("ToTensor img_to_array", "data.as_float", "arrays need no conversion"),
        Word("Normalize", "nn.Standardize", "a layer, so that it is saved with the "
             "model"),
        Word("batch", "data.DataLoader"),
        Word("DistributedSampler", "", _CPU),
    ),
    "datasets": (
        Word("DatasetFolder image_dataset_from_directory", "datasets.image_folder"),
        Word("load_data fetch_openml", "datasets.load"),
        Word("load_digits", "datasets.load", "load('digits')"),
    ),
    "models": (
        Word("get_model create_model timm", "models.create"),
        Word("list_models", "models.names"),
        Word("LeNet", "models.lenet5"),
        Word("perceptron", "models.mlp"),
        Word("mobilenet_v3", "models.mobilenet_v2"),
        Word("EfficientNet", "models.efficientnet_b0"),
        Word("ResNet", "models.resnet18"),
        Word("VGG", "models.vgg16"),
        Word("logistic_regression", "models.logistic"),
        Word("resnet152 resnext50 wide_resnet50 densenet121 googlenet inception_v3 "
             "squeezenet shufflenet mobilenet_v3_small mobilenet_v3_large "
             "convnext_tiny "
             "vit_b_16 swin_t bert transformer lstm", "",
             "fastdl.models.names() lists the networks that there are"),
    ),
    "interop": (
        Word("from_torch from_pytorch load_state_dict", "interop.load_torch_state"),
        Word("to_torch to_pytorch", "interop.save_torch_state"),
        Word("to_onnx", "interop.export_onnx"),
        Word("from_onnx", "interop.load_onnx"),
    ),
    "Tensor": (
        Word("permute swapaxes swapdims moveaxis movedim", "Tensor.transpose"),
        Word("t", "Tensor.T"),
        Word("mT", "Tensor.transpose", "of a stack: tensor.transpose(0, 2, 1); .T is "
             "that of a matrix"),
        Word("ravel view_as reshape_as resize", "Tensor.reshape"),
        Word("dim ndimension rank", "Tensor.ndim"),
        Word("numel nelement", "Tensor.size"),
        Word("clip clamp_min clamp_max", "Tensor.clamp"),
        Word("amax", "Tensor.max"),
        Word("amin", "Tensor.min"),
        Word("gather take_along_dim", "Tensor.take_along_axis"),
        Word("chunk unbind tensor_split", "Tensor.split",
             "split(size of a part, axis), not the number of parts"),
        Word("float double half bfloat16 type type_as", "Tensor.astype",
             "astype(numpy.float32) or numpy.float64"),
        Word("int long bool short byte char", "", "tensors are float32 or float64; "
             "labels and indices are NumPy arrays"),
        Word("tolist", "Tensor.numpy", "tensor.numpy().tolist()"),
        Word("cpu cuda device is_cuda pin_memory get_device mps xpu is_cpu", "", _CPU),
        Word("to", "Tensor.astype", f"of a type; of a device: {_CPU}"),
        Word("contiguous is_contiguous", "", "every operation takes any layout: leave "
             "it "
             "out"),
        Word("clone copy", "", "write fastdl.Tensor(tensor.numpy().copy())"),
        Word("detach_", "Tensor.detach"),
        Word("requires_grad_", "Tensor.requires_grad", "tensor.requires_grad = False"),
        Word("assign copy_ fill_ zero_ set_ normal_ uniform_ assign_add assign_sub", "",
             "write tensor.data[...] = values"),
        Word("grad_fn is_leaf", "", "fastdl.errors.GraphError says when a graph does "
             "not "
             "fit; no node is public"),
        Word("add add_ multiply mul mul_ sub sub_ div div_ pow pow_ neg neg_ square "
             "reciprocal "
             "rsqrt", "", "write + - * / ** between tensors"),
        Word("mm bmm dot mv matmul addmm inner", "functional.matmul", "or a @ b"),
        Word("relu", "functional.relu"),
        Word("sigmoid", "functional.sigmoid"),
        Word("tanh", "functional.tanh"),
        Word("softmax", "functional.softmax"),
        Word("log_softmax", "functional.log_softmax"),
        Word("log1p", "functional.log", "of 1 + x"),
        Word("expand expand_as broadcast_to", "functional.broadcast_to"),
        Word("repeat tile", "functional.concatenate",
             "concatenate([tensor] * n, axis)"),
        Word("index_select select narrow masked_select", "functional.index",
             "or tensor[indices]"),
        Word("masked_fill where", "functional.where",
             "where(mask, value, tensor): the condition is first"),
        Word("cat concat", "functional.concatenate"),
        Word("eq ne lt le gt ge equal greater less", "", "write == != < <= > >=; the "
             "result is a NumPy array"),
        Word("sort argsort topk unique median any all count_nonzero isnan isinf "
             "isfinite nonzero "
             "sin cos tan round floor ceil sign cumprod diag trace tril triu quantile "
             "mode "
             "bincount histc allclose", "", _OF_ARRAYS),
        Word("nbytes itemsize element_size strides stride", "",
             "of tensor.numpy(), which is no copy"),
        Word("data_ptr storage untyped_storage", "", "tensor.numpy() shares its "
             "memory"),
    ),
    "Module": (
        Word("fit fit_generator train_on_batch train_step training_step",
             "Trainer.fit", _OF_TRAINER),
        Word("evaluate evaluate_generator test_on_batch test score", "Trainer.evaluate",
             _OF_TRAINER),
        Word("predict predict_on_batch predict_generator predict_proba predict_classes",
             "Trainer.predict", _OF_TRAINER),
        Word("compile", "Trainer", _OF_TRAINER),
        Word("cuda cpu device xpu mps", "", _CPU),
        Word("to", "nn.Module.astype", f"of a type; of a device: {_CPU}"),
        Word("half bfloat16", "", "fastdl computes in float32 and float64"),
        Word("double float type", "nn.Module.astype",
             "astype(numpy.float64) or numpy.float32"),
        Word("requires_grad_ trainable", "nn.Module.freeze",
             "and unfreeze() trains again"),
        Word("stop_training", "Trainer.stop", "trainer.stop() in a callback"),
        Word("add add_module register_module", "", "assign layers as attributes; "
             "append() is that of nn.Sequential"),
        Word("register_parameter add_weight", "nn.Parameter",
             "assign it as an attribute"),
        Word("get_weights weights", "nn.Module.state_dict"),
        Word("set_weights", "nn.Module.load_state_dict"),
        Word("trainable_variables trainable_weights variables trainable_parameters",
             "nn.Module.parameters"),
        Word("count_params num_parameters", "nn.Module.summary"),
        Word("get_submodule get_layer", "nn.Module.named_modules"),
        Word("get_parameter", "nn.Module.named_parameters"),
        Word("save save_pretrained", "save", "fastdl.save(model, path)"),
        Word("save_weights", "save_weights", "fastdl.save_weights(model, path)"),
        Word("load_weights", "load_weights", "fastdl.load_weights(model, path)"),
        Word("load load_model from_pretrained", "load", "fastdl.load(path)"),
        Word("call", "nn.Module.forward"),
        Word("register_backward_hook register_full_backward_hook "
             "register_forward_pre_hook", "nn.Module.register_forward_hook"),
        Word("get_config", "nn.Module.config"),
        Word("loss", "Trainer", "loss= is its argument"),
        Word("share_memory", "", _CPU),
    ),
    "Trainer": (
        Word("train fit_generator train_on_batch train_step", "Trainer.fit"),
        Word("test validate score eval evaluate_generator test_on_batch",
             "Trainer.evaluate"),
        Word("predict_on_batch predict_proba predict_classes predict_step",
             "Trainer.predict", "probabilities=True gives probabilities"),
        Word("compile", "Trainer", "give loss, optimizer and metrics to Trainer(...)"),
        Word("stop_training", "Trainer.stop", "trainer.stop() in a callback"),
        Word("load_model restore", "Trainer.load"),
        Word("resume load_weights", "Trainer.fit",
             "fit(checkpoint=PATH, resume=True) goes on; fastdl.load(path) loads the "
             "model"),
        Word("save_model save_weights save_checkpoint", "Trainer.save"),
        Word("summary", "nn.Module.summary", "trainer.model.summary()"),
        Word("parameters state_dict", "nn.Module.parameters",
             "trainer.model has them"),
    ),
    "Optimizer": (
        Word("minimize apply_gradients apply update", "optim.Optimizer.step",
             "after loss.backward()"),
        Word("learning_rate set_lr", "optim.Optimizer.lr"),
        Word("add_param_group", "", "give all groups when the optimizer is made"),
        Word("compute_gradients", "Tensor.backward"),
        Word("get_config variables", "optim.Optimizer.state_dict"),
    ),
    "Scheduler": (
        Word("get_last_lr get_lr", "", "optimizer.param_groups has the rates"),
    ),
    "History": (
        Word("history epoch epochs", "train.History.columns",
             "the history is the mapping itself: history['loss']"),
    ),
    "arguments": (
        Word("dim dims", "axis"),
        Word("keepdim keep_dims", "keepdims"),
        Word("learning_rate eta", "lr"),
        Word("alpha", "beta", "PyTorch's alpha is our beta"),
        Word("alpha", "negative_slope"),
        Word("alpha", "lr"),
        Word("step_size", "every"),
        Word("step_size", "lr"),
        Word("gamma", "factor"),
        Word("beta", "momentum"),
        Word("filters output_channels", "out_channels"),
        Word("units output_dim out_dim num_units", "out_features"),
        Word("input_dim in_dim", "in_features"),
        Word("input_channels", "in_channels"),
        Word("kernel ksize kernel_shape filter_size pool_size", "kernel_size"),
        Word("strides", "stride"),
        Word("pad", "padding"),
        Word("dilation_rate", "dilation"),
        Word("use_bias", "bias"),
        Word("kernel_initializer initializer weight_initializer", "weight_init"),
        Word("rate drop_rate drop_prob dropout_rate", "p"),
        Word("epsilon", "eps"),
        Word("beta_1 beta_2", "betas", "a pair: betas=(0.9, 0.999)"),
        Word("rho", "beta", "Keras's rho is our beta"),
        Word("l2 decay weight_regularizer", "weight_decay"),
        Word("parameters", "params"),
        Word("weight class_weights weights", "class_weight"),
        Word("sample_weights", "sample_weight"),
        Word("size_average reduce", "reduction", "'mean', 'sum' or 'none'"),
        Word("label_smooth smoothing", "label_smoothing"),
        Word("start_dim", "start", "without the axis of examples"),
        Word("epoch nb_epoch n_epochs num_epochs max_epochs", "epochs"),
        Word("bs batch", "batch_size"),
        Word("val_data valid_data val", "validation"),
        Word("callback", "callbacks", "a list"),
        Word("metric", "metrics", "a list"),
        Word("criterion loss_fn", "loss"),
        Word("optim opt", "optimizer"),
        Word("random_state random_seed", "seed"),
        Word("num_workers n_jobs", "workers"),
        Word("num_classes n_classes", "classes"),
        Word("width width_multiplier", "width_mult"),
        Word("hidden_layer_sizes hidden_units layers", "hidden"),
        Word("restore_best_weights", "restore_best"),
        Word("save_freq save_steps every_n_train_steps", "checkpoint_steps"),
        Word("train_time_interval", "checkpoint_minutes"),
        Word("save_best_only save_weights_only", "", "the best weights are kept, and "
             "nothing else: leave it out"),
        Word("clipnorm clipvalue global_clipnorm", "", "Trainer(clip_norm=, "
             "clip_value=) clips, or optim.clip_grad_norm_ in a loop of your own"),
        Word("kernel_regularizer bias_regularizer activity_regularizer", "",
             "Trainer(regularization=nn.L2(0.01)) takes it, for the whole model"),
        Word("kernel_constraint bias_constraint", "", "Trainer(constraint=) takes it"),
        Word("log_dir logdir", "folder"),
        Word("filename filepath", "path"),
        Word("image_size target_size", "size"),
        Word("negative_slope", "slope"),
        Word("device map_location", "", _CPU),
        Word("inplace out", "", "nothing is computed in place: leave it out"),
        Word("from_logits", "", _LOGITS),
        Word("activation", "", "an activation is a layer of its own: nn.ReLU() behind"),
        Word("pretrained", "", "no weights are downloaded; "
             "interop.load_torch_state(model, path) reads them"),
        Word("name", "", "layers are named by a dict: nn.Sequential({'conv': ...})"),
        Word("input_shape batch_input_shape", "", "model.build(input_shape) sets it"),
        Word("padding_mode", "", "fastdl pads with zeros"),
        Word("affine track_running_stats elementwise_affine", "",
             "the layer always has it: leave it out"),
        Word("pin_memory persistent_workers multiprocessing_context worker_init_fn "
             "prefetch_factor timeout", "",
             "the workers are threads of this process: leave it out"),
        Word("fused foreach capturable maximize differentiable set_to_none", "",
             "leave it out"),
        Word("create_graph", "", "there are no gradients of gradients"),
    ),
    "estimators": (
        Word("hidden_layer_sizes hidden_units hidden layers", "model_options",
             "model_options={'hidden': (64, 32)}"),
        Word("alpha l2", "weight_decay"),
        Word("learning_rate_init learning_rate eta0", "lr"),
        Word("solver", "optimizer"),
        Word("epochs n_epochs", "max_iter"),
        Word("patience", "n_iter_no_change"),
    ),
    "options": (
        Word("--learning-rate", "--lr"),
        Word("--batch --bs --batchsize", "--batch-size"),
        Word("--num-epochs --n-epochs --iterations", "--epochs"),
        Word("--wd --decay --l2", "--weight-decay"),
        Word("--arch --network --net --architecture", "--model"),
        Word("--opt --solver", "--optimizer"),
        Word("--smoothing", "--label-smoothing"),
        Word("--workers --num-workers --cores --cpus --n-jobs", "--threads"),
        Word("--output --output-dir --save-dir --log-dir --outdir", "--out"),
        Word("--data --data-root --datadir --root", "--data-dir"),
        Word("--random-state --random-seed", "--seed"),
        Word("--image-size --img-size --imgsz --resolution", "--size"),
        Word("--augmentation --aug", "--augment"),
        Word("--pretrained --weights", "--from"),
        Word("--early-stopping", "--patience"),
        Word("--scheduler --lr-schedule", "--schedule"),
        Word("--continue", "--resume"),
        Word("--save-freq --save-steps", "--checkpoint-steps"),
        Word("--n-trials --num-trials", "--trials"),
        Word("--gpu --gpus --device --cuda --no-cuda --fp16 --amp", "", _CPU),
        Word("--verbose --quiet", "", "progress is shown on a terminal only"),
    ),
}  # fmt: skip


LOCAL = ("arguments", "estimators", "options")
"""The places whose names are no attributes of anything in fastdl."""

NEVER_SET = ("trainable", "stop_training", "learning_rate")
"""Words for attributes that somebody sets, and would wonder why nothing happens."""

_CLOSED = ("Tensor", "Module", "Trainer", "Optimizer", "Scheduler", "History", *LOCAL)
"""The places where only their own words make sense, and which make none elsewhere."""


def key(word: str) -> str:
    """Return what two ways to write a word have in common: "he_normal", "HeNormal"."""
    return word.replace("_", "").replace("-", "").lower()


def meanings(word: str, place: str = "") -> Iterator[Word]:
    """Yield the lines of the table for a word, those of a place first.

    Between packages a word may be in the wrong place: ``nn.cat``. Without a place, all
    are looked into.
    """
    rows = _index().get(word) or _index().get(key(word), [])
    yield from (row for home, row in rows if home == place)
    if place not in _CLOSED:
        skipped = (place, *_CLOSED) if place else ()
        yield from (row for home, row in rows if home not in skipped)


def spellings(place: str) -> Iterator[str]:
    """Yield all words of a place."""
    for row in TABLE.get(place, ()):
        yield from row.theirs.split()


@cache
def _index() -> dict[str, list[tuple[str, Word]]]:
    index: dict[str, list[tuple[str, Word]]] = {}
    for place, rows in TABLE.items():
        for row in rows:
            for word in row.theirs.split():
                # In place, as "zeros_", is another function than "zeros".
                for spelling in {word, word if word[-1] == "_" else key(word)}:
                    index.setdefault(spelling, []).append((place, row))
    return index
