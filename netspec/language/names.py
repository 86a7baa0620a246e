"""Names: what they may be, and how a step without one is called."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from netspec.diagnostics import Collector, Diagnostic, spell
from netspec.language.tree import Tree

NAME_LIMIT = 100  # characters; file systems allow 255 bytes for a file's name
PATTERN = r"[A-Za-z_][A-Za-z0-9_]*"

RESERVED = frozenset({"prev", "in"})
"""What `from` says of the flow itself."""

MODULE_ATTRIBUTES = frozenset(
    [
        "T_destination",
        "_apply",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_boxed_call",
        "_buffers",
        "_call_impl",
        "_code",
        "_compiled_call_impl",
        "_create_node_hooks",
        "_deepcopy_hooks",
        "_deepcopy_init",
        "_erase_node_hooks",
        "_forward_hooks",
        "_forward_hooks_always_called",
        "_forward_hooks_with_kwargs",
        "_forward_pre_hooks",
        "_forward_pre_hooks_with_kwargs",
        "_get_abs_string_index",
        "_get_backward_hooks",
        "_get_backward_pre_hooks",
        "_get_name",
        "_graph",
        "_is_full_backward_hook",
        "_lineno_map",
        "_load_from_state_dict",
        "_load_state_dict_post_hooks",
        "_load_state_dict_pre_hooks",
        "_maybe_warn_non_full_backward_hook",
        "_modules",
        "_named_members",
        "_non_persistent_buffers_set",
        "_parameters",
        "_prologue_start",
        "_recompile_submodules",
        "_register_create_node_hook",
        "_register_deepcopy_hook",
        "_register_erase_node_hook",
        "_register_load_state_dict_pre_hook",
        "_register_replace_node_hook",
        "_register_state_dict_hook",
        "_replace_hooks",
        "_replicate_for_data_parallel",
        "_save_to_state_dict",
        "_set_replace_hook",
        "_slow_forward",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_tracer_cls",
        "_tracer_extras",
        "_unregister_create_node_hook",
        "_unregister_deepcopy_hook",
        "_unregister_erase_node_hook",
        "_unregister_replace_node_hook",
        "_version",
        "_wrapped_call",
        "_wrapped_call_impl",
        "add_module",
        "add_submodule",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "code",
        "compile",
        "cpu",
        "cuda",
        "delete_all_unused_submodules",
        "delete_submodule",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "graph",
        "half",
        "ipu",
        "load_state_dict",
        "meta",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "print_readable",
        "recompile",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "shape_env",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "to_folder",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
    ]
)
"""Attributes of torch.nn.Module and torch.fx.GraphModule, which a layer of the name would hide.

A literal, because this side of netspec does not import torch; a test holds it against torch.
"""

_NAME = re.compile(PATTERN)
_PATH = re.compile(rf"{PATTERN}(?:\.(?:{PATTERN}|[0-9]+))*")
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z]{2})(?=[A-Z][a-z])")


class BadName(Diagnostic):
    """A name that could not stand in a module tree, a state dict and an ONNX file alike."""

    code = "NS201"
    message = "{name} cannot be the name of {kind}: {reason}"

    kind: str
    name: str
    reason: str
    instead: str | None

    @property
    def help(self) -> str:
        return "write for example {instead}" if self.instead else ""


def reason_against(name: str) -> str | None:
    """Why `name` is not allowed, or None if it is."""
    if not _NAME.fullmatch(name):
        return "names are letters, digits and underscores, with no digit first"
    if len(name) > NAME_LIMIT:
        return f"it has {len(name)} characters, and {NAME_LIMIT} are allowed"
    if name in RESERVED:
        return "netspec uses this word in `from`"
    if keyword.iskeyword(name):
        return "it is a keyword of Python"
    if name.startswith("__"):
        return "names do not begin with two underscores"
    if name in MODULE_ATTRIBUTES:
        return "it is an attribute of PyTorch's modules"
    return None


def check_name(name: str, kind: str) -> BadName | None:
    """The diagnostic against `name` as the name of `kind` (`a layer`), or None if it is allowed."""
    reason = reason_against(name)
    if reason is None:
        return None
    return BadName(kind=kind, name=spell(name), reason=reason, instead=_similar(name))


def check_path(name: str, kind: str) -> BadName | None:
    """As `check_name`, of a name that may stand in scopes, as in a spec that was expanded: `stage.0.conv`."""
    if "." not in name or not _PATH.fullmatch(name):
        return check_name(name, kind)
    faults = (check_name(part, kind) for part in name.split(".") if not part.isdigit())
    return next((fault for fault in faults if fault is not None), None)


def named_entries(tree: Tree, section: str, kind: str, collector: Collector) -> Iterator[tuple[str, Tree]]:
    """The entries of a section of `tree` whose keys are names of `kind`, each name checked."""
    entry = tree.entries.get(section)
    for name, item in entry.value.entries.items() if entry is not None else ():
        fault = check_name(name, kind)
        if fault is not None:
            assert entry is not None
            collector.add(fault.at(entry.value.key_span(name)))
        yield name, item.value


def _similar(name: str) -> str | None:
    """An allowed name like `name`, to suggest."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", name[:40]).strip("_")
    candidates = (cleaned, f"{cleaned}_1", f"n{cleaned}") if cleaned else ()
    return next((candidate for candidate in candidates if reason_against(candidate) is None), None)


def snake_case(operation: str) -> str:
    """The operation in snake case: BatchNorm2d is batch_norm2d, ReLU is relu, LPPool2d is lp_pool2d."""
    return _WORD_STARTS.sub("_", operation).lower()
