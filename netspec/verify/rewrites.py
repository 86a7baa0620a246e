"""Which of onnxruntime's rewrites of a graph makes a right file go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from onnxruntime import GraphOptimizationLevel

from netspec.verify.runtime import Lane

LEVELS = (
    ("basic", GraphOptimizationLevel.ORT_ENABLE_BASIC),
    ("extended", GraphOptimizationLevel.ORT_ENABLE_EXTENDED),
    ("layout", GraphOptimizationLevel.ORT_ENABLE_LAYOUT),
    ("all", GraphOptimizationLevel.ORT_ENABLE_ALL),
)

REWRITES: tuple[str, ...] = (
    "AttentionFusion", "BiasDropoutFusion", "BiasGeluFusion", "BiasSkipLayerNormFusion", "BiasSoftmaxFusion",
    "CastChainElimination", "CastElimination", "CastFloat16Transformer", "CommonSubexpressionElimination",
    "ConstantFolding", "ConstantSharing", "ConvActivationFusion", "ConvAddActivationFusion", "ConvAddFusion",
    "ConvBNFusion", "ConvMulFusion", "DivMulFusion", "DoubleQDQPairsRemover", "EliminateDropout",
    "EliminateIdentity", "EliminateSlice", "EmbedLayerNormFusion", "ExpandElimination", "FastGeluFusion",
    "FuseReluClip", "GatherSliceToSplitFusion", "GatherToSliceFusion", "GeluFusionL1", "GeluFusionL2",
    "GemmActivationFusion", "GemmSumFusion", "GemmTransposeFusion", "GroupQueryAttentionFusion",
    "IsInfReduceSumFusion", "LabelEncoderFusion", "LayerNormFusionL1", "LayerNormFusionL2",
    "MatMulActivationFusion", "MatMulAddFusion", "MatMulScaleFusion", "MatMul_BatchNormalization_Fusion",
    "MatmulTransposeFusion", "NchwcTransformer", "NhwcTransformer", "NoopElimination", "NotWhereFusion",
    "Pad_Fusion", "PreShapeNodeElimination", "PropagateCastOps", "QuickGeluFusion",
    "RemoveDuplicateCastTransformer", "ReshapeFusion", "ShapeInputMerge", "SimplifiedLayerNormFusion",
    "SkipLayerNormFusion", "SliceConcatToSpaceToDepthFusion", "TransposeOptimizer", "UnsqueezeElimination",
)  # fmt: skip
"""Names that onnxruntime's `disabled_optimizers` takes; a version ignores those that it lacks."""


class Culprit(NamedTuple):
    """The first level of optimisation that goes wrong, and the rewrites without which it does not.

    `rewrites` is empty where leaving all of them out helps nothing: kernels for fused operators differ too.
    """

    level: str
    rewrites: tuple[str, ...]


def culprit(lane: Lane, fails: Callable[[Lane], bool]) -> Culprit | None:
    """What of its rewrites makes a lane fail that is known to; None where it fails without any.

    `fails` runs the file as a lane says. Halving finds one name among sixty in some six runs.
    """
    if fails(lane.but(optimisation=GraphOptimizationLevel.ORT_DISABLE_ALL)):
        return None
    level = next((name for name, level in LEVELS[:-1] if fails(lane.but(optimisation=level))), "all")
    optimisation = dict(LEVELS)[level]

    def fails_without(rewrites: tuple[str, ...]) -> bool:
        return fails(lane.but(optimisation=optimisation, disabled=rewrites))

    suspects = REWRITES
    if fails_without(suspects):
        return Culprit(level, ())
    while len(suspects) > 1:
        middle = len(suspects) // 2
        halves = (suspects[:middle], suspects[middle:])
        half = next((half for half in halves if not fails_without(half)), None)
        if half is None:  # one of each half must be left out
            break
        suspects = half
    return Culprit(level, _needed(suspects, fails_without))


def _needed(suspects: tuple[str, ...], fails_without: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """The suspects without those that need not be left out."""
    for name in suspects:
        fewer = tuple(other for other in suspects if other != name)
        if fewer and not fails_without(fewer):
            suspects = fewer
    return suspects
