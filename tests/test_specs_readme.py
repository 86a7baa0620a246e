"""The language reference, specs/README.md: its examples run, its tables say what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft7Validator
from pydantic_core import PydanticUndefined

from netspec.diagnostics import collector
from netspec.diagnostics.diagnostic import DiagnosticError
from netspec.ir.dim import arithmetic
from netspec.language import (
    calls,
    distributions,
    initialisation,
    instances,
    library,
    names,
    parametrization,
    scalars,
    sections,
    source,
    step_sections,
    tree,
    walk,
)
from netspec.language.blocks import TYPE_WORDS
from netspec.language.expressions import lexer, parser, tensors, values
from netspec.language.expressions.functions import FUNCTIONS
from netspec.language.schema import schema
from netspec.language.schema_forms import short
from netspec.language.training.choice import Choice
from netspec.language.training.kinds import DATA_SETS, KINDS, LOSSES, OPTIMIZERS, SCHEDULES, Kind
from netspec.language.training.section import TrainSection
from netspec.ops import arguments
from netspec.ops.base import Op
from netspec.ops.catalogue import catalogue
from netspec.pipeline import check
from netspec.verify import inputs
from tests.pages import ROOT, Block, blocks, compare, hold, session

PAGE = ROOT / "specs" / "README.md"
BLOCKS = blocks(PAGE)
FILES = {block.marker.removeprefix("file: "): block for block in BLOCKS if block.marker.startswith("file: ")}
EXAMPLES = [block for block in BLOCKS if block.language in ("yaml", "json") and block not in FILES.values()]
SESSIONS = [block for block in BLOCKS if block.language == "console"]
VALIDATOR = Draft7Validator(schema())


def name_of(block: Block) -> str:
    return f"line-{block.line}"


def save(example: Block, folder: Path) -> Path:
    """A file of an example, beside those that the page shows for examples to use."""
    path = folder / f"spec.{example.language}"
    for name, block in {path.name: example, **FILES}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(block.text, encoding="utf-8")
    return path


def test_every_block_is_an_example_or_a_session() -> None:
    assert EXAMPLES
    assert SESSIONS
    assert set(BLOCKS) == {*EXAMPLES, *SESSIONS, *FILES.values()}


@pytest.mark.parametrize("name", FILES)
def test_files_that_examples_use_are_valid(name: str) -> None:
    shown = source.parse(FILES[name].text, name, "yaml").value
    assert [fault.message for fault in VALIDATOR.iter_errors(shown)] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_examples_are_what_they_are_said_to_be(example: Block, tmp_path: Path) -> None:
    path = save(example, tmp_path)
    _, is_wrong, code = example.marker.partition("error: ")
    if is_wrong:
        with pytest.raises(DiagnosticError) as caught:
            check(path)
        assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {code}
        return
    assert check(path).warnings == ()
    spec = source.read(path).value
    assert [fault.message for fault in VALIDATOR.iter_errors(spec)] == []


@pytest.mark.parametrize("block", SESSIONS, ids=name_of)
def test_sessions_print_what_is_shown(block: Block, tmp_path: Path) -> None:
    example = max((example for example in EXAMPLES if example.line < block.line), key=lambda e: e.line)
    save(example, tmp_path)
    assert list(session(block))
    compare(PAGE, block, tmp_path)


def test_the_table_of_operations_is_current() -> None:
    rows = [
        "| operation | does | arguments |",
        "| --- | --- | --- |",
        *map(operation_row, catalogue().values()),
    ]
    hold(PAGE, "<!-- operations -->\n", "<!-- /operations -->", "\n".join(rows) + "\n")


def operation_row(operation: type[Op]) -> str:
    """An operation's row: its first line, its arguments with their defaults."""
    words = []
    for name, field in operation.model_fields.items():
        if name in arguments.INFERRED:
            words.append(f"*{name}*")
        elif field.default is PydanticUndefined:
            words.append(f"**{name}**")
        else:
            words.append(f"{name} {json.dumps(short(field.default))}".replace('"', ""))
    first, *_ = (operation.__doc__ or "").strip().splitlines()
    summary = re.sub(r"`[^`]*`|[*_|]", lambda mark: mark[0] if mark[0][0] == "`" else f"\\{mark[0]}", first)
    return f"| `{operation.__name__}` | {summary} | {', '.join(words) or 'none'} |"


def test_the_distributions_are_all() -> None:
    lines = ["  " + ", ".join(f"`{name}`" for name in distributions.DISTRIBUTIONS), ""]
    hold(PAGE, "<!-- distributions -->\n", "- a number, which fills", "\n".join(lines))


def arguments_row(model: type[Choice], common: str = "") -> str:
    """Arguments with their defaults, but for one that all of its kind have."""
    words = []
    for name, field in model.model_fields.items():
        default = field.default
        shown = f"**{name}**" if default is PydanticUndefined else f"{name} {json.dumps(short(default))}"
        words += [] if name == common else [shown]
    return ", ".join(words) or "none"


def test_the_table_of_optimizers_is_current() -> None:
    rows = ["| optimizer | arguments |", "| --- | --- |"]
    rows += [f"| `{name}` | {arguments_row(OPTIMIZERS.model(name))} |" for name in OPTIMIZERS.homes]
    hold(PAGE, "<!-- optimizers -->\n", "<!-- /optimizers -->", "\n".join(rows) + "\n")


@pytest.mark.parametrize(
    ("heading", "kind", "common"), [("Schedules", SCHEDULES, "warmup"), ("Losses", LOSSES, "reduction")]
)
def test_schedules_and_losses_are_all(heading: str, kind: Kind, common: str) -> None:
    text = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", text.partition("\n### ")[0], re.MULTILINE)
    assert dict(rows) == {name: arguments_row(kind.model(name), common) for name in kind.homes}


def test_the_keys_of_train_are_all() -> None:
    table = section("## Training").partition("\n### ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    shown = {name.strip("`"): left_out for name, _, left_out in rows}
    assert set(shown) == set(TrainSection.model_fields)
    for name, field in TrainSection.model_fields.items():
        if field.is_required():
            assert shown[name] == "required"
        elif field.default is not None:
            said = field.default if isinstance(field.default, str) else json.dumps(field.default)
            assert shown[name].strip("`") == said
    assert all(f"`{kind.default}`" in (shown[key], "`None`") for key, kind in KINDS.items())


def test_the_data_sets_are_all() -> None:
    shown = " ".join(rows_under("## Training"))
    assert all(re.search(rf"[`{{]{name}[`:]", shown) for name in DATA_SETS.homes)


LIMITS: dict[str, Any] = {
    "bytes of a spec file": source.MAX_BYTES,
    "lists and mappings inside one another": tree.MAX_DEPTH,
    "characters of a number": scalars.MAX_DIGITS,
    "characters of a name": names.NAME_LIMIT,
    "dimensions of an input": next(
        limit.max_length
        for limit in sections.InputSection.model_fields["shape"].metadata
        if hasattr(limit, "max_length")
    ),
    "a size, or any other integer argument": arguments.SIZE_LIMIT,
    "labels of an output": sections.LABEL_LIMIT,
    "numbers of a literal in `init`": initialisation.LITERAL_LIMIT,
    "layers, repetitions counted": calls.NODE_LIMIT,
    "blocks inside one another": instances.DEPTH_LIMIT,
    "steps that add no layer, beyond two for each that does": walk.IDLE_LIMIT,
    "files that a spec brings together": library.FILE_LIMIT,
    "characters of an expression": lexer.TEXT_LIMIT,
    "brackets inside brackets of an expression": parser.NESTING_LIMIT,
    "an integer in an expression, below": values.INT_LIMIT,
    "items of a list in an expression": values.LIST_LIMIT,
    "lists inside lists in an expression": values.LIST_DEPTH_LIMIT,
    "characters of a string in an expression": values.STRING_LIMIT,
    "steps of one evaluation": values.STEP_LIMIT,
    "terms of the arithmetic of one dimension": arithmetic.COMPLEXITY_LIMIT,
    "elements of one tensor, to build and verify": inputs.TENSOR_LIMIT,
    "errors that a file is read for": collector.ERROR_LIMIT,
}


def section(heading: str) -> str:
    """The text of a section of the page."""
    return PAGE.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n## ")[0]


def rows_under(heading: str) -> dict[str, list[str]]:
    """The rows of the tables in a section of the page, by their first cell."""
    rows = [line.strip("| ").split(" | ") for line in section(heading).splitlines() if line.startswith("| ")]
    return {first: rest for first, *rest in rows if not first.startswith("---")}


def test_the_limits_are_those_of_the_code() -> None:
    shown = {what: cells[0] for what, cells in rows_under("## Limits").items() if what != "what"}
    assert shown == {what: f"{limit:,}" for what, limit in LIMITS.items()}


def test_the_keys_of_a_file_are_all() -> None:
    keys = {name.strip("`") for name in rows_under("## A first spec")} - {"key"}
    fields = sections.FileSection.model_fields
    assert keys == {field.alias or name for name, field in fields.items()}


def test_the_keys_of_a_step_are_all() -> None:
    keys = {name.strip("`") for name in rows_under("## Steps")} - {"key"}
    assert keys == set(step_sections.CALL_KEYS)


def test_the_types_of_parameters_are_all() -> None:
    shown = " ".join(rows_under("## Blocks"))
    assert set(re.findall(r"\w+: (\w+)(?=[`,])", shown)) >= set(TYPE_WORDS)


def test_the_rules_of_computed_weights_are_all() -> None:
    rows = {
        name.strip("`"): cells for name, cells in rows_under("## Computed weights").items() if name != "rule"
    }
    for name, model in parametrization.RULES.items():
        shown = dict(re.findall(r"`(\w+)` ([^,]+)", rows[name][1]))
        assert shown == {
            argument: json.dumps(field.default) for argument, field in model.model_fields.items()
        }
    assert rows.keys() == parametrization.RULES.keys()


def test_the_keys_of_preprocess_are_all() -> None:
    keys = {name.strip("`") for name in rows_under("## Inputs")} - {"key"}
    assert keys == set(sections.PreprocessSection.model_fields)


def test_every_dtype_is_named() -> None:
    dtypes = get_args(sections.InputSection.model_fields["dtype"].annotation)
    assert all(f"`{dtype}`" in section("## Inputs") for dtype in dtypes)
    assert dtypes


def test_every_function_and_attribute_is_named() -> None:
    text = section("## Expressions")
    assert set(re.findall(r"`(\w+)\([^`]*\)`", text)) == set(FUNCTIONS)
    assert all(f"`.{attribute}`" in text for attribute in tensors.ATTRIBUTES)


def test_links_lead_to_headings() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
