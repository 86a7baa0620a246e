"""What went wrong, as data: a code, facts, a place; the prose is a template that the facts fill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform

from netspec.diagnostics.span import Span

SPELLED_LIMIT = 80  # characters of a user's value that a message quotes


class Severity(StrEnum):
    """How a diagnostic counts: an error fails the command, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Note(NamedTuple):
    """A second place that explains a diagnostic, such as where the other shape came from."""

    text: str
    span: Span | None = None


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=True)
class Facts:
    """A frozen dataclass without the decorator: annotations are fields, given by keyword.

    The decorator takes a millisecond a class, and a check loads a hundred classes of diagnostics.
    """

    facts: ClassVar[tuple[str, ...]] = ()
    """Names of the fields, those of the base first."""

    def __init_subclass__(cls) -> None:
        own = cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - importing inspect takes 6 ms
        fields = [name for name, kind in own.items() if not str(kind).startswith("ClassVar")]
        cls.facts = (*cls.facts, *(name for name in fields if name not in cls.facts))

    def __init__(self, **facts: Any) -> None:
        missing = [name for name in self.facts if name not in facts and not hasattr(type(self), name)]
        unknown = facts.keys() - set(self.facts)
        if missing or unknown:
            raise TypeError(f"{type(self).__name__}: missing {missing}, unknown {sorted(unknown)}")
        self.__dict__.update(facts)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a diagnostic is frozen; {name} cannot be set")

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.facts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and type(other) is type(self) and other._values() == self._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.facts)
        return f"{type(self).__name__}({given})"

    def but(self, **facts: Any) -> Self:
        """The same with some facts changed."""
        return type(self)(**{**self.__dict__, **facts})


class Diagnostic(Facts):
    """The base of everything netspec says about a spec, a model or a file.

    A subclass adds facts as annotated fields and sets `code`, `message` and, where they help, `label`
    (beside the carets) and `help` (the cure). The three texts are `str.format` templates over the facts and
    properties, in which a tuple of strings stands with commas. `help` and `label` may be properties where
    they depend on the facts, but hold only the templates' names for them: the braces
    of what a user wrote would be taken for the template's own. An empty text is left out.
    """

    code: ClassVar[str]
    message: ClassVar[str]
    severity: ClassVar[Severity] = Severity.ERROR

    span: Span | None = None
    notes: tuple[Note, ...] = ()
    times: int = 1

    @property
    def label(self) -> str:
        """The template of the words beside the carets; empty where the message says it all."""
        return ""

    @property
    def help(self) -> str:
        """The template of the cure; empty where none is known."""
        return ""

    def fill(self, template: str) -> str:
        """`template` with this diagnostic's facts in their places."""
        return template.format_map(_Facts(self))

    @property
    def text(self) -> str:
        """The message, filled."""
        return self.fill(self.message)

    def at(self, span: Span | None, *notes: Note) -> Self:
        """The same facts at a place; raised deep inside, placed by the caller that knows the text."""
        return self.but(span=span, notes=self.notes + notes)


class Advised(Diagnostic):
    """A diagnostic whose cure only the code that raises it knows: `advice`, plain text, empty without one."""

    advice: str = ""

    @property
    def help(self) -> str:
        return "{advice}" if self.advice else ""


class Suggesting(Diagnostic):
    """A diagnostic of a name that is not there: what was likely meant, or else what there is."""

    suggestion: str | None
    known: tuple[str, ...]

    known_help: ClassVar[str]
    unknown_help: ClassVar[str] = ""

    @property
    def help(self) -> str:
        if self.suggestion:
            return "did you mean {suggestion}?"
        return self.known_help if self.known else self.unknown_help


class _Facts(Mapping[str, Any]):
    """A diagnostic's fields and properties, as `str.format_map` looks them up."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self._diagnostic = diagnostic

    def __getitem__(self, key: str) -> Any:
        fact = getattr(self._diagnostic, key)
        if isinstance(fact, tuple) and fact and all(isinstance(item, str) for item in fact):
            return ", ".join(fact)
        return fact

    def __iter__(self) -> Any:  # pragma: no cover - required by Mapping, format_map only looks up
        return iter(())

    def __len__(self) -> int:  # pragma: no cover - as above
        return 0


class DiagnosticError(Exception):
    """Carries diagnostics to the caller that can place, collect or print them."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(d.text for d in diagnostics))
        self.diagnostics: tuple[Diagnostic, ...] = diagnostics


def spell(value: object, limit: int = SPELLED_LIMIT) -> str:
    """A spec's value as a user would write it in YAML: on one line, printable, cut to `limit` characters."""
    text = _spelled(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _spelled(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"  # str() of a huge integer is refused by Python
    if isinstance(value, str):
        return printable(value[: SPELLED_LIMIT * 2]) or "''"
    if isinstance(value, Mapping):
        items = list(value.items())[:SPELLED_LIMIT]
        return "{" + ", ".join(f"{_spelled(k)}: {_inner(v)}" for k, v in items) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_inner(v) for v in value[:SPELLED_LIMIT]) + "]"
    return str(value)


def _inner(value: object) -> str:
    """An item: text keeps its quotes where it would not be text without them, as in [3, '3']."""
    if isinstance(value, str) and (not value[:1].isalpha() or value in ("true", "false", "null")):
        return f"'{_spelled(value)}'" if value else "''"
    return _spelled(value)


def printable(text: str) -> str:
    """`text` with control characters, escapes and lone surrogates spelled out: safe on any terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that a user who wrote `name` most likely meant, or None if none is near."""
    import difflib  # here, since only mistakes need it

    candidates = list(known)
    if len(name) > 100:
        return None
    folded = {candidate.lower(): candidate for candidate in candidates}
    if name.lower() in folded and folded[name.lower()] != name:
        return folded[name.lower()]
    found = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None
