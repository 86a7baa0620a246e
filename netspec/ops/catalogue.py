"""The catalogue: every operation by its name; a family's module loads when one of it is first named."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from netspec.ops.base import Op

FAMILIES = {
    "Conv1d": "convolution",
    "Conv2d": "convolution",
    "Conv3d": "convolution",
    "ConvTranspose1d": "transposed_convolution",
    "ConvTranspose2d": "transposed_convolution",
    "ConvTranspose3d": "transposed_convolution",
    "Pad": "padding",
    "ConstantPad1d": "pad_layers",
    "ConstantPad2d": "pad_layers",
    "ConstantPad3d": "pad_layers",
    "ZeroPad1d": "pad_layers",
    "ZeroPad2d": "pad_layers",
    "ZeroPad3d": "pad_layers",
    "ReflectionPad1d": "pad_layers",
    "ReflectionPad2d": "pad_layers",
    "ReflectionPad3d": "pad_layers",
    "ReplicationPad1d": "pad_layers",
    "ReplicationPad2d": "pad_layers",
    "ReplicationPad3d": "pad_layers",
    "CircularPad1d": "pad_layers",
    "CircularPad2d": "pad_layers",
    "CircularPad3d": "pad_layers",
    "Unfold": "patches",
    "Fold": "patches",
    "MaxPool1d": "max_pooling",
    "MaxPool2d": "max_pooling",
    "MaxPool3d": "max_pooling",
    "AvgPool1d": "average_pooling",
    "AvgPool2d": "average_pooling",
    "AvgPool3d": "average_pooling",
    "LPPool1d": "average_pooling",
    "LPPool2d": "average_pooling",
    "LPPool3d": "average_pooling",
    "AdaptiveAvgPool1d": "adaptive_pooling",
    "AdaptiveAvgPool2d": "adaptive_pooling",
    "AdaptiveAvgPool3d": "adaptive_pooling",
    "AdaptiveMaxPool1d": "adaptive_pooling",
    "AdaptiveMaxPool2d": "adaptive_pooling",
    "AdaptiveMaxPool3d": "adaptive_pooling",
    "MaxUnpool1d": "unpooling",
    "MaxUnpool2d": "unpooling",
    "MaxUnpool3d": "unpooling",
    "Upsample": "resizing",
    "Resize": "resizing",
    "UpsamplingNearest2d": "resizing",
    "UpsamplingBilinear2d": "resizing",
    "PixelShuffle": "pixels",
    "PixelUnshuffle": "pixels",
    "ChannelShuffle": "pixels",
    "Linear": "linear",
    "Bilinear": "linear",
    "Parameter": "sources",
    "Constant": "sources",
    "Embedding": "embedding",
    "Identity": "shape",
    "Flatten": "shape",
    "Unflatten": "shape",
    "Reshape": "shape",
    "Squeeze": "dimensions",
    "Unsqueeze": "dimensions",
    "Expand": "dimensions",
    "Permute": "ordering",
    "Transpose": "ordering",
    "Flip": "ordering",
    "Roll": "ordering",
    "Slice": "selection",
    "Narrow": "selection",
    "Select": "selection",
    "IndexSelect": "selection",
    "Split": "splitting",
    "Chunk": "splitting",
    "Concat": "joining",
    "Stack": "joining",
    "Cast": "casting",
    "BatchNorm1d": "channel_normalisation",
    "BatchNorm2d": "channel_normalisation",
    "BatchNorm3d": "channel_normalisation",
    "InstanceNorm1d": "channel_normalisation",
    "InstanceNorm2d": "channel_normalisation",
    "InstanceNorm3d": "channel_normalisation",
    "LayerNorm": "layer_normalisation",
    "RMSNorm": "layer_normalisation",
    "GroupNorm": "group_normalisation",
    "LocalResponseNorm": "response_normalisation",
    "Dropout": "dropout",
    "Dropout1d": "dropout",
    "Dropout2d": "dropout",
    "Dropout3d": "dropout",
    "AlphaDropout": "dropout",
    "FeatureAlphaDropout": "dropout",
    "StochasticDepth": "dropout",
    "Sigmoid": "activation",
    "LogSigmoid": "activation",
    "Tanh": "activation",
    "Tanhshrink": "activation",
    "Softsign": "activation",
    "Softplus": "activation",
    "SiLU": "activation",
    "Mish": "activation",
    "GELU": "activation",
    "GLU": "activation",
    "ReLU": "rectifier",
    "LeakyReLU": "rectifier",
    "PReLU": "rectifier",
    "RReLU": "rectifier",
    "ELU": "rectifier",
    "CELU": "rectifier",
    "SELU": "rectifier",
    "ReLU6": "piecewise",
    "Hardtanh": "piecewise",
    "Hardsigmoid": "piecewise",
    "Hardswish": "piecewise",
    "Hardshrink": "piecewise",
    "Softshrink": "piecewise",
    "Threshold": "piecewise",
    "Softmax": "softmax",
    "Softmin": "softmax",
    "LogSoftmax": "softmax",
    "Softmax2d": "softmax",
    "Add": "arithmetic",
    "Sub": "arithmetic",
    "Mul": "arithmetic",
    "Div": "arithmetic",
    "Pow": "arithmetic",
    "Maximum": "arithmetic",
    "Minimum": "arithmetic",
    "Equal": "comparison",
    "NotEqual": "comparison",
    "Less": "comparison",
    "LessEqual": "comparison",
    "Greater": "comparison",
    "GreaterEqual": "comparison",
    "LogicalAnd": "comparison",
    "LogicalOr": "comparison",
    "LogicalNot": "comparison",
    "LogicalXor": "comparison",
    "Where": "comparison",
    "Neg": "elementwise",
    "Abs": "elementwise",
    "Sign": "elementwise",
    "Square": "elementwise",
    "Sqrt": "elementwise",
    "Rsqrt": "elementwise",
    "Reciprocal": "elementwise",
    "Exp": "elementwise",
    "Log": "elementwise",
    "Sin": "elementwise",
    "Cos": "elementwise",
    "Erf": "elementwise",
    "Floor": "elementwise",
    "Ceil": "elementwise",
    "Round": "elementwise",
    "Clamp": "elementwise",
    "Mean": "reduction",
    "Sum": "reduction",
    "Prod": "reduction",
    "Var": "reduction",
    "Std": "reduction",
    "Norm": "reduction",
    "CumSum": "reduction",
    "Max": "extremum",
    "Min": "extremum",
    "AMax": "extremum",
    "AMin": "extremum",
    "ArgMax": "extremum",
    "ArgMin": "extremum",
    "MatMul": "product",
    "CosineSimilarity": "distance",
    "PairwiseDistance": "distance",
    "MultiheadAttention": "attention",
    "ScaledDotProductAttention": "attention",
    "TransformerEncoderLayer": "transformer",
    "TransformerDecoderLayer": "transformer",
    "RNN": "recurrence",
    "LSTM": "recurrence",
    "GRU": "recurrence",
}
"""The family of every operation. A literal, so that checking a spec imports only what it uses."""


_added: dict[str, type[Op]] = {}


@cache
def find(name: str) -> type[Op] | None:
    """The operation of this name, or None: of the catalogue, of a plugin, of an installed package.

    Installed packages are looked at only for a name that nothing else has.

    Errors: NS395 to NS397 where an installed package offers what is no operation.
    """
    family = FAMILIES.get(name)
    if family is not None:
        operation: type[Op] = getattr(import_module(f"netspec.ops.{family}"), name)
        return operation
    if name in _added:
        return _added[name]
    if not name[:1].isupper() or not name.isidentifier():
        return None
    from netspec.ops.plugins import installed

    return installed(name)


def known(name: str) -> bool:
    """Whether the catalogue or a plugin has an operation of this name."""
    return name in FAMILIES or name in _added


@cache
def offered(name: str) -> bool:
    """Whether an installed package offers an operation of this name; nothing of it is loaded."""
    if not name[:1].isupper() or not name.isidentifier():
        return False
    from netspec.ops.plugins import entries

    return name in entries()


def names() -> tuple[str, ...]:
    """The names of the operations of the catalogue and of plugins."""
    return (*FAMILIES, *_added)


def add(operation: type[Op]) -> None:
    """Make an operation from outside known under the name of its class, for as long as the process runs."""
    _added[operation.__name__] = operation
    find.cache_clear()


def catalogue() -> dict[str, type[Op]]:
    """Every operation by name, in the catalogue's order, then those of plugins; loads all families."""
    operations = {name: find(name) for name in names()}
    return {name: operation for name, operation in operations.items() if operation is not None}
