"""Run every spec's export on other runtimes, and write what came of it into exports/README.md.

    python -m tests.portability [NETWORK …] [--runtime NAME …] [--seconds 900] [--anew]

Environments, networks and results are kept in build/portability, so that only what has changed is done
again; `--anew` forgets the results. The first run downloads half a gigabyte and takes an hour or two on two
cores. Where networks or runtimes are named the page stays as it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from netspec.files import published
from tests.portability.judging import Judged, Verdict, sentence
from tests.portability.networks import STAMP, Network, networks, prepare
from tests.portability.running import Outcome, outcome
from tests.portability.runtimes import RUNTIMES, NotInstalledError, Runtime, digest, installed
from tests.portability.table import data, markdown, written

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "portability"
JUDGED_BY = [Path(__file__).with_name(name) for name in ("judging.py", "running.py")]
PAGE = ROOT / "exports" / "README.md"


def say(*words: object) -> None:
    """A line on what is going on."""
    print(*words, file=sys.stderr, flush=True)


def available(runtimes: list[Runtime]) -> tuple[dict[str, Path], dict[str, str]]:
    """The environments of the runtimes, and why there is none of the others."""
    environments: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for runtime in runtimes:
        say("installing", runtime.title)
        try:
            environments[runtime.name] = installed(runtime, FOLDER / "environments")
        except NotInstalledError as error:
            missing[runtime.name] = sentence(str(error))
            say("  it cannot be installed:", error)
    return environments, missing


def results(
    network: Network, runtimes: list[Runtime], environments: dict[str, Path], seconds: float, anew: bool
) -> Iterator[tuple[str, Outcome]]:
    """What each runtime makes of a network, from an earlier run where nothing has changed since."""
    folder = FOLDER / "networks" / network.name
    say("preparing", network.name)
    prepare(network, folder)
    for runtime in runtimes:
        if runtime.name not in environments:
            continue
        kept = FOLDER / "results" / runtime.name / f"{network.name}.json"
        ran = (*runtime.sources, *runtime.pinned)
        key = digest(folder / STAMP, folder / "cases.json", *ran, *JUDGED_BY)
        found = None if anew else _kept(kept, key)
        if found is None:
            found = outcome(runtime, environments[runtime.name], folder, seconds)
            kept.parent.mkdir(parents=True, exist_ok=True)
            with published(kept) as beside:
                beside.write_text(json.dumps({"key": key, **dataclasses.asdict(found)}), encoding="utf-8")
        say(f"  {runtime.title}:", *(told(one) for one in (found.as_is, found.fixed) if one is not None))
        yield runtime.name, found


def told(judged: Judged) -> str:
    """A verdict with its reason, of the file as it is or at fixed sizes."""
    return " ".join(filter(None, (judged.verdict, judged.reason, judged.words)))


def _kept(path: Path, key: str) -> Outcome | None:
    """A result of an earlier run on the same files."""
    if not path.is_file():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    if told["key"] != key:
        return None
    as_is, fixed = (
        None if one is None else Judged(**{**one, "verdict": Verdict(one["verdict"])})
        for one in (told["as_is"], told["fixed"])
    )
    assert as_is is not None
    return Outcome(told["version"], as_is, fixed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    known = {runtime.name: runtime for runtime in RUNTIMES}
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="specs or variants; all unless given")
    parser.add_argument("--runtime", action="append", choices=known, help="all unless given")
    parser.add_argument("--seconds", type=float, default=900, help="limit of one process (default: 900)")
    parser.add_argument("--anew", action="store_true", help="take no result of an earlier run")
    arguments = parser.parse_args()
    runtimes = [known[name] for name in arguments.runtime or known]
    chosen = [network for network in networks() if not arguments.names or network.name in arguments.names]
    environments, missing = available(runtimes)
    outcomes = {}
    for network in chosen:
        for name, found in results(network, runtimes, environments, arguments.seconds, arguments.anew):
            outcomes[name, network.name] = found
    text = markdown(runtimes, [network.name for network in chosen], outcomes, missing)
    print(text)
    with published(FOLDER / "portability.json") as beside:
        beside.write_text(json.dumps(data(outcomes, missing), indent=1), encoding="utf-8")
    if not arguments.names and not arguments.runtime:
        written(PAGE, text)


if __name__ == "__main__":
    main()
