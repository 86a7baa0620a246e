"""The same spec, weights and versions give the same bytes, wherever and whenever they are built."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SPECS = Path(__file__).parents[1] / "specs"
ROOT = Path(__file__).parents[1]

ELSEWHERE = """
import getpass, locale, platform, random, socket, sys, time

clock = time.time
time.time = lambda: clock() + 400 * 86_400
time.time_ns = lambda: int(time.time() * 1e9)
socket.gethostname = platform.node = lambda: "elsewhere"
getpass.getuser = lambda: "somebody"
random.seed(int(sys.argv[3]))
for name in ("tr_TR.UTF-8", "de_DE.UTF-8", "C"):
    try:
        locale.setlocale(locale.LC_ALL, name)
        break
    except locale.Error:
        pass
"""

BUILD = """
from pathlib import Path
from netspec.pipeline import build

build(Path(sys.argv[1]), out=Path(sys.argv[2]), settings={"classes": "7"})
"""


def built(script: str, folder: Path, environment: Mapping[str, str], seed: int) -> dict[str, bytes]:
    """Every file that a build in another process writes, by name."""
    out = folder / "written"
    out.mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-c", script, str(SPECS / "lenet_bn.yaml"), "written", str(seed)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=True,
    )
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_the_same_bytes_elsewhere_and_on_another_day(tmp_path: Path) -> None:
    here = built(
        f"import sys{BUILD}", tmp_path / "here", {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"}, 1
    )
    there = {
        "PYTHONHASHSEED": "2",
        "LC_ALL": "tr_TR.UTF-8",
        "TZ": "Pacific/Kiritimati",
        "USER": "somebody",
        "LOGNAME": "somebody",
        "HOSTNAME": "elsewhere",
        "HOME": str(tmp_path),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", ""),
    }
    there = {name: value for name, value in there.items() if value}
    away = built(ELSEWHERE + BUILD, tmp_path / "far" / "away in Ünïcode", there, 2)
    assert list(here) == ["lenet_bn.cert.json", "lenet_bn.onnx"]
    assert away == here
    for content in here.values():
        for trace in b"somebody", b"elsewhere", b"far/away", str(tmp_path).encode():
            assert trace not in content
