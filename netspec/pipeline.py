"""The stages in their order: check a spec to a Graph; build it to a verified ONNX file, or to source."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netspec.diagnostics import Collector, Diagnostic, DiagnosticError
from netspec.ir.graph import Graph
from netspec.ir.tensor import DType
from netspec.language.document import load
from netspec.language.elaborate import elaborate
from netspec.language.source import Format, parse, read
from netspec.language.tree import Tree

if TYPE_CHECKING:
    from netspec.onnx_backend.export import Export
    from netspec.torch_backend.alignment import Taken, Way
    from netspec.train.finishing import Finished
    from netspec.train.loop import Listener
    from netspec.train.training import Run
    from netspec.verify.certificate import Certificate
    from netspec.verify.samples import Samples

DEFAULT_OUT = Path("exports")
DEFAULT_DATA = Path("data")
DEFAULT_RUNS = Path("runs")

Progress = Callable[[str, float], None]


class Checked(NamedTuple):
    """A spec that holds: its graph, and warnings about it."""

    graph: Graph
    warnings: tuple[Diagnostic, ...]


@dataclass(frozen=True)
class Built:
    """What `build` made.

    `path` is the exported file and `certificate_path` its certificate, both None where verification did not
    pass it; `rejected` is then the file that was kept for inspection, if that was asked for. `taken` says
    what became of the file of weights; None where they were drawn.
    """

    checked: Checked
    export: Export
    certificate: Certificate
    path: Path | None
    certificate_path: Path | None
    rejected: Path | None
    taken: Taken | None


class Trained(NamedTuple):
    """What `train` made: the run, and what became of its best weights; nothing if it was stopped."""

    run: Run
    finished: Finished


def check(
    path: Path | str, *, settings: Mapping[str, str] | None = None, variant: str | None = None
) -> Checked:
    """Read a spec file and check all of it; imports no torch.

    `variant` names one of the spec's variants; `settings` gives parameters other values than their defaults
    or the variant's, as text (`{"classes": "47"}`).

    Errors: DiagnosticError with everything that is wrong with the file.
    """
    with _frozen_garbage():
        return _check(read(path), settings or {}, variant)


def check_text(
    text: str, name: str, *, format: Format = "json", settings: Mapping[str, str] | None = None
) -> Checked:
    """As `check`, for a spec that is text already, such as a model's metadata; messages call it `name`."""
    with _frozen_garbage():
        return _check(parse(text, name, format), settings or {})


def _check(tree: Tree, settings: Mapping[str, str], variant: str | None = None) -> Checked:
    collector = Collector()
    document = load(tree, settings, collector, variant)
    graph = elaborate(document, collector) if document is not None else None
    collector.raise_if_failed()
    assert graph is not None, "a spec without a graph has an error that says so"
    return Checked(graph, collector.diagnostics)


@contextmanager
def _frozen_garbage() -> Iterator[None]:
    """No garbage collection while a graph grows: nothing of it is garbage, and looking costs the square."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def build(
    spec: Path | str | Checked,
    *,
    settings: Mapping[str, str] | None = None,
    variant: str | None = None,
    weights: Path | None = None,
    weights_map: Way | None = None,
    save_weights: Path | None = None,
    out: Path = DEFAULT_OUT,
    opset: int | None = None,
    dtype: DType | str = DType.FLOAT32,
    seed: int = 0,
    samples: Path | Samples | None = None,
    keep_rejected: bool = False,
    repro: Path | None = None,
    progress: Progress | None = None,
) -> Built:
    """Check a spec, build it in torch, export it to `out/NAME.onnx`, verify the file and certify it.

    `spec` is a file, or what `check` gave for one. The exported file appears only if verification passes;
    then `NAME.cert.json` lies beside it. Without `weights` (a safetensors file, or a state dict that
    torch.save wrote) they are drawn from `seed`, and BatchNorm's statistics come from one drawn batch.
    `weights_map` says that their names or their order fit, whatever network they were saved from. `settings`
    and `variant` are as for `check`. `samples` are real inputs to verify on, or a file of them. Where
    verification fails, the layer at fault goes to the folder `repro`, alone, if one is given. With a `dtype`
    of float16 or bfloat16 the exported network is of that element type, inputs and outputs included, and its
    weights are rounded to it. `progress` is called with what is being done and the part of it that is done.

    Errors: DiagnosticError for everything that is the spec's, the data's or the disk's fault.
    """
    checked = spec if isinstance(spec, Checked) else check(spec, settings=settings, variant=variant)
    graph = checked.graph
    report = progress or _silent
    report("importing torch", 0.0)
    from netspec.onnx_backend.opset import BFLOAT16_OPSET, DEFAULT_OPSET, supported_opset
    from netspec.onnx_backend.runtimes import need_one_runtime
    from netspec.verify.inputs import need_inputs
    from netspec.verify.publishing import publish, ready

    need_one_runtime()
    exported = _retyped(checked, DType(dtype))
    need_inputs(exported.graph)
    usual = BFLOAT16_OPSET if dtype == DType.BFLOAT16 else DEFAULT_OPSET
    opset = supported_opset(usual if opset is None else opset)
    real = _samples(samples, exported.graph) if samples is not None else None
    report("making the module", 0.0)
    module, taken = ready(graph, weights, weights_map, seed)
    if save_weights is not None:
        from netspec.torch_backend.weights import save_weights as save

        save(module, graph, save_weights)
    return publish(exported, module, out, opset, seed, real, keep_rejected, repro, taken, report)


def train(
    spec: Path | str | Checked,
    *,
    settings: Mapping[str, str] | None = None,
    variant: str | None = None,
    data_dir: Path = DEFAULT_DATA,
    out: Path = DEFAULT_RUNS,
    name: str | None = None,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    weights: Path | None = None,
    weights_map: Way | None = None,
    workers: int = 2,
    compile: str = "auto",
    tensorboard: bool = False,
    download: bool = True,
    export: bool = True,
    opset: int | None = None,
    listener: Listener | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Check a spec, train it as its `train:` says into `out/name`, then build, verify and evaluate its best.

    `spec`, `settings` and `variant` are as for `build`, and `weights` are those to begin from. `data_dir` is
    where data sets lie, or are downloaded to. `device` is auto, cpu or cuda; `compile` auto, on or off. With
    `resume` the run of that name goes on; `overwrite` removes it first. `listener` hears of batches and
    epochs, `progress` of all else.

    Errors: DiagnosticError for everything that is the spec's, the data's, the disk's or the machine's fault.
    """
    checked = spec if isinstance(spec, Checked) else check(spec, settings=settings, variant=variant)
    report = progress or _silent
    report("importing torch", 0.0)
    from netspec.train.assembling import Options
    from netspec.train.finishing import Finished, finish
    from netspec.train.loop import Unheard
    from netspec.train.training import train as train_network

    run = train_network(
        checked,
        data_dir=data_dir,
        out=out,
        name=name,
        device=device,
        resume=resume,
        overwrite=overwrite,
        weights=weights,
        weights_map=weights_map,
        options=Options(workers, compile, tensorboard, download),
        listener=listener or Unheard(),
        progress=report,
    )
    if run.stopped is not None or not run.is_first:
        return Trained(run, Finished())
    return Trained(run, finish(checked, run, export=export, opset=opset, progress=report))


def eject(
    spec: Path | str | Checked, *, settings: Mapping[str, str] | None = None, variant: str | None = None
) -> str:
    """A spec's network as one Python file of plain PyTorch, free of netspec.

    It has the same state dict and computes the same. `spec`, `settings` and `variant` are as for `build`.

    Errors: DiagnosticError where the spec does not hold, or an operation's module needs more than torch.
    """
    checked = spec if isinstance(spec, Checked) else check(spec, settings=settings, variant=variant)
    from netspec.torch_backend.eject import eject as ejected

    return ejected(checked.graph)


def _retyped(checked: Checked, dtype: DType) -> Checked:
    """The network with every float32 in it of another type; the layers keep their places in the spec."""
    if dtype is DType.FLOAT32:
        return checked
    import json

    from netspec.onnx_backend.retyped import retyped_spec, with_places_of

    graph = checked.graph
    text = json.dumps(retyped_spec(graph.resolved, dtype), indent=2)
    again = check_text(text, f"{graph.name} in {dtype}")
    return checked._replace(graph=with_places_of(again.graph, graph))


def _silent(stage: str, done: float) -> None:
    """The progress of a caller that asked for none."""


def _samples(given: Path | Samples, graph: Graph) -> Samples:
    """Real inputs, read and held against the graph before anything expensive begins."""
    from netspec.verify.fitting import prepare
    from netspec.verify.samples import read_samples

    samples = read_samples(given) if isinstance(given, Path) else given
    prepare(samples, graph)
    return samples


def verify_file(
    path: Path,
    *,
    samples: Path | None = None,
    seed: int = 0,
    per_layer: bool = False,
    against_torch: bool = False,
    repro: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Graph, Certificate]:
    """Put an exported file through the gates again, from what it carries itself.

    Its spec comes from its metadata and its weights from its initializers, so that nothing else is needed.
    Where a gate fails, the certificate says whose fault it is, and the folder `repro`, if one is given, gets
    the layer at fault alone. With `per_layer` every layer is measured alone even where all is well; with
    `against_torch` the network is exported by torch too, and the certificate says which file is right.

    Errors: DiagnosticError where it is no model of netspec, or its spec does not hold.
    """
    from netspec.onnx_backend.metadata import SPEC
    from netspec.onnx_backend.read import read_model
    from netspec.onnx_backend.runtimes import need_one_runtime

    need_one_runtime()
    from netspec.verify.explanation import Explanation
    from netspec.verify.gates import verify

    text = _readable(read_model(path).metadata[SPEC])
    graph = _written(text, path)
    real = _samples(samples, graph) if samples is not None else None
    told = Explanation(per_layer=per_layer, against_torch=against_torch, repro=repro)
    return graph, verify(path, graph, None, samples=real, seed=seed, explanation=told, progress=progress)


def _written(text: str, path: Path) -> Graph:
    """The graph of the spec that netspec wrote into a file, whose operations it must have known."""
    from netspec.language.callables import UnknownOperation

    try:
        return check_text(text, f"the spec in {path}").graph
    except DiagnosticError as error:
        told = (
            found.but(written=True) if isinstance(found, UnknownOperation) else found
            for found in error.diagnostics
        )
        raise DiagnosticError(*told) from error


def _readable(spec: str) -> str:
    """A spec from a file's metadata in lines that messages can show; itself where it is not as written."""
    import json

    from netspec.ir.fingerprint import canonical_json

    try:
        data = json.loads(spec)
        written = canonical_json(data)
    except (ValueError, RecursionError):
        return spec
    return json.dumps(data, indent=2, ensure_ascii=False) if written == spec else spec
