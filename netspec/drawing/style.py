"""How a drawing looks, on a light page and on a dark one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Rules = Mapping[str, Mapping[str, str]]

FORM: Rules = {
    "text": {"font-family": "Helvetica, Arial, 'Liberation Sans', sans-serif"},
    ".bold": {"font-weight": "bold"},
    ".regular": {"font-weight": "normal"},
    ".middle": {"text-anchor": "middle"},
    ".end": {"text-anchor": "end"},
    ".wire": {"fill": "none", "stroke-width": "1.2"},
}

LIGHT: Rules = {
    ".page, .even > .frame, .even > .halo": {"fill": "#ffffff"},
    ".odd > .frame, .odd > .halo": {"fill": "#f3f4f6"},
    ".frame": {"stroke": "#b6bcc6"},
    "text": {"fill": "#1c2128"},
    ".muted": {"fill": "#545d68"},
    ".badge": {"fill": "#9a3412"},
    ".shape": {"fill": "#1d4f91"},
    ".wire": {"stroke": "#6b7480"},
    ".tip": {"fill": "#6b7480"},
    ".leaf": {"fill": "#ffffff", "stroke": "#8b95a3"},
    ".terminal > .leaf": {"fill": "#e6e8ec"},
    ".weights > .leaf": {"fill": "#dbe9fb", "stroke": "#6b9bd8"},
    ".sequence > .leaf": {"fill": "#e8e0fa", "stroke": "#9d83d9"},
    ".normalisation > .leaf": {"fill": "#dcf3e6", "stroke": "#6fb88f"},
    ".activation > .leaf": {"fill": "#fdeed3", "stroke": "#d9a94f"},
    ".resolution > .leaf": {"fill": "#fbe0e0", "stroke": "#d98888"},
    ".joining > .leaf": {"fill": "#d9f1f3", "stroke": "#62b2ba"},
}

DARK: Rules = {
    ".page, .even > .frame, .even > .halo": {"fill": "#14171c"},
    ".odd > .frame, .odd > .halo": {"fill": "#1d2128"},
    ".frame": {"stroke": "#4a525e"},
    "text": {"fill": "#e8ebef"},
    ".muted": {"fill": "#a9b2be"},
    ".badge": {"fill": "#f3a46b"},
    ".shape": {"fill": "#9cc4f5"},
    ".wire": {"stroke": "#8b95a3"},
    ".tip": {"fill": "#8b95a3"},
    ".leaf": {"fill": "#262b33", "stroke": "#6b7480"},
    ".terminal > .leaf": {"fill": "#343a44"},
    ".weights > .leaf": {"fill": "#1b3250", "stroke": "#4f7fb8"},
    ".sequence > .leaf": {"fill": "#322852", "stroke": "#8468c4"},
    ".normalisation > .leaf": {"fill": "#173a29", "stroke": "#4a9169"},
    ".activation > .leaf": {"fill": "#42330f", "stroke": "#a87f31"},
    ".resolution > .leaf": {"fill": "#472222", "stroke": "#ab5f5f"},
    ".joining > .leaf": {"fill": "#123a3e", "stroke": "#3f8c94"},
}


def css() -> str:
    """The style sheet; what does not know media queries leaves out the dark half and draws the light one."""
    lines = [*_rules(FORM), *_rules(LIGHT), "@media (prefers-color-scheme: dark) {", *_rules(DARK), "}"]
    return "\n" + "\n".join(lines) + "\n"


def _rules(rules: Rules) -> Iterator[str]:
    """Rules as text; the class keeps them off the page that a drawing is part of."""
    for selector, rule in rules.items():
        selectors = ", ".join(f".netspec {part}" for part in selector.split(", "))
        yield f"{selectors} {{ {'; '.join(f'{name}: {value}' for name, value in rule.items())} }}"
