"""The command line as a process: its streams, its signals, what it imports, how it looks on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command_line import LENET, ROOT, SPECS, files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")

ALEXNET = SPECS / "alexnet.yaml"


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **changes}


def start(*arguments: object, code: str | None = None, **options) -> subprocess.Popen[str]:
    """`python -m netspec ARGUMENTS…`, or the code given, which stands in its place."""
    begin = ["-c", code] if code else ["-m", "netspec"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), **options}
    return subprocess.Popen(
        [sys.executable, *begin, *map(str, arguments)], text=True, encoding="utf-8", **options
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str | None, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def run(*arguments: object, **options):
    return finish(start(*arguments, **options))


# --- what is imported ----------------------------------------------------------------------------------

HEAVY = ("torch", "onnx", "onnxruntime", "numpy", "safetensors")

IMPORTS = f"""
import sys
from netspec.cli import app
from netspec.process import exit_code
for line in sys.stdin.read().splitlines():
    code = exit_code(lambda: app(args=line.split(), prog_name="netspec"))
    loaded = [name for name in {HEAVY} if name in sys.modules]
    print("REPORT", code, *loaded)
"""


def test_the_language_s_commands_import_no_engine():
    lines = [
        f"check {LENET}",
        f"check {LENET} {ROOT / 'tests' / 'errors' / 'wrong_types.yaml'} --format json",
        f"check {ROOT / 'tests' / 'errors' / 'wrong_types.yaml'} --format github",
        *(f"show {ALEXNET} --format {form}" for form in ("text", "json", "csv")),
        "ops",
        "ops Conv2d",
        "ops --format json",
        "ops MaxPool2d --format json",
        "schema",
        "--help",
        "--version",
    ]
    process = start(code=IMPORTS, stdin=subprocess.PIPE)
    out, err = process.communicate("\n".join(lines), timeout=60)
    reports = [line for line in out.splitlines() if line.startswith("REPORT")]
    assert reports == ["REPORT 0", "REPORT 1", "REPORT 1", *["REPORT 0"] * (len(lines) - 3)], err


# --- streams -------------------------------------------------------------------------------------------


def test_python_m_netspec_is_the_command():
    assert run("check", LENET) == (0, f"{LENET}: ok, 12 layers, (batch, 1, 28, 28) -> (batch, 10)\n", "")


@pytest.mark.parametrize("arguments", ["schema", f"show {ALEXNET}", f"check {LENET}"])
def test_a_reader_that_leaves_early_causes_no_noise(arguments):
    read, write = os.pipe()
    os.close(read)
    process = start(*arguments.split(), stdout=write)
    os.close(write)
    assert finish(process) == (141, None, "")


def test_the_first_line_reaches_a_reader_that_leaves_early(tmp_path):
    command = f'"{sys.executable}" -m netspec show "{ALEXNET}" 2>"{tmp_path}/err" | head -1'
    done = subprocess.run(command, shell=True, env=environment(), capture_output=True, text=True)
    assert done.stdout == "alexnet: image (batch, 1, 224, 224)\n"
    assert (tmp_path / "err").read_text() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_a_stream():
    with open("/dev/full", "w") as full:
        code, _, err = run("schema", stdout=full)
        assert code == 1
        assert err.startswith("error[NS581]: cannot write to standard output: no space left on device\n")
        assert run("check", "absent.yaml", stderr=full)[0] == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed, tmp_path):
    command = f'"{sys.executable}" -m netspec check "{LENET}" absent.yaml {closed}'
    done = subprocess.run(
        command, shell=True, env=environment(), capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_every_character_is_written_in_every_locale(tmp_path):
    path = tmp_path / "☃ 模型.yaml"
    shutil.copy(LENET, path)
    plain = environment(LC_ALL="C", PYTHONIOENCODING="ascii")
    code, out, err = run("check", path.name, "absent ☃.yaml", cwd=tmp_path, env=plain)
    assert code == 1
    assert out.startswith("☃ 模型.yaml: ok")
    assert "absent ☃.yaml" in err


def test_warnings_of_libraries_are_not_shown(tmp_path):
    path = tmp_path / "same.yaml"  # torch warns of a pad that it must add
    path.write_text(
        "{netspec: 1, name: same, inputs: {x: [batch, 1, 8, 8]},"
        " layers: [{Conv2d: {out_channels: 2, kernel_size: 2, padding: same}}]}"
    )
    code, _, err = run("build", path, cwd=tmp_path)
    assert code == 0
    assert "Warning" not in err


def test_completion():
    for shell in ("bash", "zsh", "fish"):
        env = environment(
            _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1", _NETSPEC_COMPLETE=f"source_{shell}"
        )
        code, out, _ = run(env=env)
        assert code == 0
        assert "_NETSPEC_COMPLETE=complete_" in out
    env = environment(_NETSPEC_COMPLETE="complete_bash", COMP_WORDS="netspec bui", COMP_CWORD="1")
    assert run(env=env)[1].split() == ["build"]
    env = environment(_NETSPEC_COMPLETE="complete_bash", COMP_WORDS="netspec check --for", COMP_CWORD="2")
    assert run(env=env)[1].split() == ["--format"]


# --- signals -------------------------------------------------------------------------------------------

STALLED = """
import sys, time
import netspec.verify.gates as gates
def verify(*_, **__):
    print("verifying", flush=True)
    time.sleep(60)
gates.verify = verify
from netspec.cli import main
main()
"""


READY = """
from netspec.cli import main
print("ready", flush=True)
main()
"""

NOTHING = """
import signal
from netspec.process import run
run(lambda: (signal.raise_signal(signal.SIGHUP), print("still there")))
"""


LOST = """
import signal
from netspec.process import heed_signals, run
def command():
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException as error:
        {lost}
    heed_signals()
    print("still there")
run(command)
"""


@pytest.mark.parametrize("lost", ["pass", "raise ImportError('initialization failed') from error"])
def test_a_signal_is_heeded_though_a_library_loses_its_exception(lost):
    code, out, err = run(code=LOST.format(lost=lost))
    assert (code, out, err) == (130, "", "interrupted; nothing was left half written\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_in_the_midst_of_a_build_leaves_nothing(name, tmp_path):
    process = start("build", LENET, "--out", tmp_path / "out", "--format", "json", code=STALLED)
    assert process.stdout is not None
    assert process.stdout.readline() == "verifying\n"
    assert any(path.endswith("lenet.onnx") for path in files(tmp_path / "out"))
    process.send_signal(getattr(signal, name))
    code, out, err = finish(process)
    assert (code, out) == (128 + getattr(signal, name), "")
    assert err.splitlines()[-1] == "interrupted; nothing was left half written"
    assert "Traceback" not in err
    assert files(tmp_path / "out") == []


def test_a_signal_while_libraries_load_leaves_nothing(tmp_path):
    process = start("build", LENET, "--out", tmp_path / "out", code=READY)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert (code, err.splitlines()[-1:]) == (130, ["interrupted; nothing was left half written"])
    assert files(tmp_path) in ([], ["out"])


def test_a_signal_waits_for_what_is_being_loaded(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import signal, time\n"
        "signal.raise_signal(signal.SIGINT)\n"
        "time.sleep(0.2)\n"
        "print('loaded', flush=True)\n"
    )
    code = f"""
import sys, time
sys.path.insert(0, {str(tmp_path)!r})
from netspec.process import run
def command():
    import slow
    time.sleep(10)
    print("never")
run(command)
"""
    assert run(code=code) == (130, "loaded\n", "interrupted; nothing was left half written\n")


def test_nohup_is_honoured():
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + NOTHING
    assert run(code=code) == (0, "still there\n", "")
    assert run(code=NOTHING)[0] == 128 + signal.SIGHUP


# --- terminals -----------------------------------------------------------------------------------------

SLOW = """
import time
import netspec.display.progress as progress
progress.PATIENCE = 0.05
with progress.ProgressDisplay("spec.yaml") as display:
    display("first", 0.0)
    time.sleep(0.3)
    display("second", 0.25)
    display("second", 0.75)
    time.sleep(0.3)
print("done")
"""
QUICK = SLOW.replace("0.05", "60")

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(*arguments: object, code: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a terminal of 80 columns is sent on stdout and stderr."""
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = start(
        *arguments, code=code, stdin=theirs, stdout=theirs, stderr=theirs, env=env or environment()
    )
    os.close(theirs)
    sent = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        sent += part
    os.close(ours)
    process.wait(timeout=60)
    return sent.decode().replace("\r\n", "\n")


def seen(sent: str) -> list[str]:
    """The lines that stay on the screen, of a terminal that moves the cursor up and erases lines."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|.|\n", sent, flags=re.DOTALL):
        if token == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif token.endswith("A") and token.startswith("\x1b"):
            row -= int(token[2:-1] or 1)
        elif token == "\x1b[2K":
            lines[row] = ""
        elif not token.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines if line.strip()]


def test_a_bar_comes_and_goes_on_a_terminal():
    sent = on_terminal(code=SLOW)
    assert "spec.yaml: first" in sent
    assert "spec.yaml: second" in sent
    assert "━" in sent
    assert seen(sent) == ["done"]


def test_elsewhere_progress_is_a_line_a_stage():
    assert run(code=SLOW) == (0, "done\n", "spec.yaml: first\nspec.yaml: second\n")
    sent = on_terminal(code=SLOW, env=environment(TERM="dumb"))
    assert sent == "spec.yaml: first\nspec.yaml: second\ndone\n"


def test_quick_work_shows_no_progress():
    assert run(code=QUICK) == (0, "done\n", "")
    assert on_terminal(code=QUICK) == "done\n"


def test_colour_is_for_terminals_whose_users_want_it():
    bad = ROOT / "tests" / "errors" / "unknown_operation.yaml"
    assert "\x1b[" in on_terminal("check", bad)
    for declined in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert "\x1b" not in on_terminal("check", bad, env=environment(**declined))
    assert "\x1b" not in run("check", bad)[2]
    assert "\x1b[" in run("check", bad, env=environment(FORCE_COLOR="1"))[2]


def test_the_layer_table_on_a_terminal():
    sent = on_terminal("show", ALEXNET)
    assert "\x1b[1m" in sent  # the head is bold
    lines = [line.rstrip() for line in CONTROL.sub("", sent).splitlines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) == 27
    plain = on_terminal("show", ALEXNET, env=environment(NO_COLOR="1"))
    assert plain.splitlines() == lines


def test_too_little_memory_is_a_message():
    code = """
from netspec.process import run

def command():
    raise MemoryError("Unable to allocate 8.00 EiB")

run(command)
"""
    status, _, err = run("build", code=code)
    assert status == 1
    assert err.splitlines()[0] == "error[NS582]: there is not enough memory: Unable to allocate 8.00 EiB"
