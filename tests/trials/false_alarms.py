"""Verify right files, of every spec, at many seeds: no gate may fail one.

    python -m tests.trials.false_alarms [NAME …] [--seeds 20] [--full]

Each seed draws other weights and other inputs. Specs that cost minutes are made smaller, as the table says,
unless --full is given. Exit code 1 where a gate did not pass.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from netspec.onnx_backend.export import export
from netspec.pipeline import check
from netspec.verify.certificate import Certificate, Verdict
from netspec.verify.gates import verify
from tests.benchmarks.measuring.tables import show
from tests.verify.mutants.networks import drawn

SPECS = Path(__file__).parents[2] / "specs"
COLUMNS = ("spec", "made smaller by", "seeds", "alarms", "semantic", "share of the rounding bound", "seconds")

SMALLER: dict[str, dict[str, str]] = {
    "convnext": {"depths": "[1, 1, 1, 1]", "widths": "[8, 16, 24, 32]"},
    "resnet": {"depths": "[1, 1, 1, 1]"},
    "vit": {"width": "48", "depth": "2", "heads": "4"},
    "vgg": {"divide": "8"},
    "segnet": {"width": "8"},
    "unet": {"width": "8"},
    "efficientnet": {"classes": "10"},
    "gru": {"width": "16"},
    "lstm": {"width": "16"},
}
SAMPLE = ("edge_detector", "lenet", "lenet_bn", "simple_convnet", "two_views")


@dataclass(frozen=True)
class Row:
    """What a spec's files were found to be, over all seeds."""

    spec: str
    settings: Mapping[str, str]
    certificates: Sequence[Certificate]
    seconds: float

    @property
    def alarms(self) -> list[str]:
        """What the gates complained of, one a seed that did not pass."""
        return [
            f"{self.spec}, seed {one.seed}: {'; '.join(p.text for p in one.problems) or one.verdict}"
            for one in self.certificates
            if one.verdict is not Verdict.PASSED
        ]

    def cells(self) -> tuple[str, ...]:
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        worst = {"semantic": 0.0, "rounding": 0.0}
        for gate in (gate for one in self.certificates for gate in one.gates):
            if gate.worst is not None:
                value = gate.worst.error if gate.name == "semantic" else gate.worst.share
                worst[gate.name] = max(worst[gate.name], value)
        return (
            self.spec,
            settings,
            str(len(self.certificates)),
            str(len(self.alarms)),
            f"{worst['semantic']:.1e}",
            f"{worst['rounding']:.2f}",
            f"{self.seconds:.0f}",
        )


def tried(spec: str, seeds: Sequence[int], settings: Mapping[str, str]) -> Row:
    """One spec's file, verified by itself at every seed."""
    start = perf_counter()
    graph = check(SPECS / f"{spec}.yaml", settings=settings).graph
    certificates = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{spec}.onnx"
        for seed in seeds:
            export(graph, drawn(graph, seed), path)
            certificates.append(verify(path, graph, None, seed=seed))
    return Row(spec, settings, certificates, perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help="specs; all unless given")
    parser.add_argument("--seeds", type=int, default=20, help="weights and inputs drawn (default: 20)")
    parser.add_argument("--full", action="store_true", help="no spec is made smaller; takes hours")
    arguments = parser.parse_args()
    rows = []
    for spec in arguments.names or sorted(path.stem for path in SPECS.glob("*.yaml")):
        settings = {} if arguments.full else SMALLER.get(spec, {})
        row = tried(spec, range(arguments.seeds), settings)
        print(*row.cells(), *row.alarms, sep="\t", file=sys.stderr, flush=True)
        rows.append(row)
    show(COLUMNS, [row.cells() for row in rows])
    alarms = [alarm for row in rows for alarm in row.alarms]
    print("\n".join(alarms) or f"0 false alarms in {sum(len(row.certificates) for row in rows)} right files")
    sys.exit(1 if alarms else 0)


if __name__ == "__main__":
    main()
