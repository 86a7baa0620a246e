"""Specs that hold, and specs whose faults a schema can tell, by what they show."""

from __future__ import annotations

from typing import Any

CONV = {"out_channels": 8, "kernel_size": 3}


def spec(*layers: Any, **sections: Any) -> dict[str, Any]:
    """A spec with these steps; `sections` replaces others of its keys, or with None takes them out."""
    whole = {
        "netspec": 1,
        "inputs": {"image": ["batch", 1, 28, 28]},
        "layers": list(layers) or ["ReLU"],
        **sections,
    }
    return {key: value for key, value in whole.items() if value is not ...}


def trained(**keys: Any) -> dict[str, Any]:
    """A spec with these keys in its `train`."""
    training = {"data": "fashion-mnist", "optimizer": "SGD", **keys}
    return spec("Flatten", {"Linear": {"out_features": 10}}, train=training)


GOOD = {
    "bare word": spec("ReLU"),
    "operation without arguments": spec({"ReLU": None}, {"Flatten": {}}),
    "expressions": spec(
        {"Conv2d": {"out_channels": "$c", "kernel_size": ["$k", 3], "bias": "$c > 3"}},
        {"ReLU": None, "repeat": "$k - 1"},
        params={"c": 8, "k": 3},
    ),
    "list parameter": spec({"Conv2d": {"out_channels": 4, "kernel_size": "$k"}}, params={"k": [3, 5]}),
    "siblings": spec({"Conv2d": CONV, "name": "c", "from": "image", "init": "zeros", "repeat": 1}),
    "several inputs": spec(
        {"Add": None, "from": ["a", "b"], "name": "sum"},
        inputs={"a": ["n", 3], "b": {"shape": ["n", 3], "dtype": "float32"}},
        outputs=["sum"],
    ),
    "from by argument": spec({"Conv2d": CONV, "from": {"input": "image"}}),
    "port": spec(
        {"MaxPool2d": {"kernel_size": 2, "return_indices": True}, "name": "p"}, outputs={"i": "p.indices"}
    ),
    "labels": spec(
        "Flatten",
        {"Linear": {"out_features": 2}, "name": "y"},
        outputs={"y": {"from": "y", "labels": ["cat", "costs $$"]}},
    ),
    "dims": spec(inputs={"x": ["n", "h"]}, dims={"h": {"min": 2, "max": 8, "multiple_of": 2}}),
    "preprocess": spec(
        inputs={
            "x": {
                "shape": ["n", 3, 8, 8],
                "preprocess": {"mean": [0.4, 0.5, 0.6], "std": 0.2, "resize": [8, 8]},
            }
        }
    ),
    "init by operation": spec(
        {"Conv2d": CONV}, init={"Conv2d": {"weight": {"kaiming_normal": {"mode": "fan_out"}}, "bias": 0.5}}
    ),
    "literal init": spec(
        {
            "Conv2d": {"out_channels": 1, "kernel_size": [1, 2], "bias": False},
            "init": {"weight": [[[[1, -1]]]]},
        }
    ),
    "block": spec(
        {"Tall": {"channels": 8}, "name": "t"},
        {"Tall": {"channels": "$prev.channels", "stride": 2, "act": {"LeakyReLU": {"negative_slope": 0.1}}}},
        blocks={
            "Tall": {
                "params": {"channels": "int", "stride": 1, "act": "ReLU", "kernel": [3, 1], "wide": "bool"}
                | {"wide": True},
                "layers": [
                    {"Conv2d": {"out_channels": "$channels", "kernel_size": "$kernel", "stride": "$stride"}},
                    "$act",
                ],
            }
        },
    ),
    "parameters of every type": spec(
        {
            "Every": {"a": 1, "b": 0.5, "c": True, "d": "word", "e": [1], "f": "ReLU", "g": [1, {"h": None}]},
            "if": True,
        },
        blocks={
            "Every": {
                "params": {
                    "a": "int",
                    "b": "float",
                    "c": "bool",
                    "d": "str",
                    "e": "list",
                    "f": "op",
                    "g": None,
                },
                "inputs": None,
                "outputs": None,
                "layers": [{"$f": None}],
            }
        },
    ),
    "block of several inputs and outputs": spec(
        {"Two": None, "from": {"left": "image", "right": "image"}, "name": "t"},
        {"Add": None, "from": ["t.sum", "t.difference"]},
        {"Ends": {}, "from": ["prev"]},
        blocks={
            "Two": {
                "inputs": ["left", "right"],
                "outputs": {"sum": "s", "difference": "d"},
                "layers": [
                    {"Add": None, "from": ["left", "right"], "name": "s"},
                    {"Sub": None, "from": ["left", "right"], "name": "d"},
                ],
            },
            "Ends": {"layers": [], "outputs": None},
        },
    ),
    "branches": spec(
        {
            "branches": {
                "main": [{"Conv2d": CONV}],
                "other": [{"Conv2d": CONV}, "ReLU"],
                "third": [{"Conv2d": CONV}],
            },
            "merge": {"Concat": {"dim": -1}, "name": "joined"},
            "name": "both",
            "from": "in",
            "if": True,
            "repeat": 1,
        },
        {"branches": {"keep": None, "also": []}, "merge": "Add"},
        {"branches": {"keep": [], "also": []}, "merge": "Fuse"},
        blocks={"Fuse": {"inputs": ["a", "b"], "layers": [{"Mul": None, "from": ["a", "b"]}]}},
    ),
    "choices": spec(
        {"if": "$n > 3", "then": ["ReLU"], "else": [{"if": False, "then": []}], "name": "c", "repeat": 2},
        {"if": True, "then": [], "from": "image"},
        {"Conv2d": CONV, "if": "$n > 3"},
        params={"n": 5},
    ),
    "loops": spec(
        {
            "for": {"width": [8, "$n"], "act": ["ReLU", {"LeakyReLU": None}]},
            "do": ["$act"],
            "between": ["Tanh"],
        },
        {
            "for": {"width": "$several", "number": "range($n - 3)"},
            "do": [{"Softmax": {"dim": "$number"}}],
        },
        {"for": [{"a": 1, "b": None}, {"a": 2, "b": "x"}], "do": [], "name": "rows", "from": "prev"},
        {"for": [], "do": ["ReLU"], "repeat": 3},
        {"for": {}, "do": ["ReLU"]},
        params={"n": 5, "several": [1, 2]},
    ),
    "repeated paths": spec(
        {"for": {"i": [1, 2]}, "name": "stage", "do": [{"Conv2d": {**CONV, "padding": 1}, "name": "conv"}]},
        {"Concat": None, "from": ["stage.*.conv", "stage.0.conv"]},
        {"Chunk": {"chunks": 2}, "name": "halves"},
        {"Concat": None, "from": ["halves.0", "halves.1"]},
        {"Concat": None, "from": "stage.*"},
    ),
    "names in scopes": spec({"ReLU": None, "name": "stage.0.conv_1"}, outputs=["stage.0.conv_1"])
    | {"outputs": {"y": "stage.0.conv_1"}},
    "shared and computed weights": spec(
        {"Linear": {"out_features": 28}, "name": "first", "parametrize": "spectral_norm"},
        {"Linear": {"out_features": 28}, "share": "first"},
        {"Linear": {"out_features": 28}, "parametrize": {"weight_norm": {"dim": "$axis"}}},
        {"Linear": {"out_features": 28}, "parametrize": {"weight_norm": None}},
        {"Linear": {"out_features": 28}, "parametrize": None, "share": None},
        params={"axis": 1},
    ),
    "variants": spec(
        {"Linear": {"out_features": "$n"}},
        params={"n": 3, "act": "ReLU"},
        variants={"small": {"n": 1}, "same": {}, "other": {"act": "Tanh"}},
    ),
    "words in shapes": spec(
        {"Reshape": {"shape": ["batch", 28, -1]}},
        {"Reshape": {"shape": "$shape"}},
        {"Expand": {"size": ["batch", "$n", -1]}},
        params={"shape": ["batch", 1, -1], "n": 3},
    ),
    "layers without inputs": spec(
        {"Parameter": {"shape": [1, 1, 28]}, "init": "zeros", "name": "p"},
        {"Add": None, "from": ["image", "p"]},
        {"Constant": {"value": [[1, 2], [3, 4]]}},
        outputs=["add_1", "constant_1"],
    ),
    "inputs by name": spec(
        {
            "MultiheadAttention": {"num_heads": 2, "batch_first": True},
            "from": {"query": "x", "key": "y", "value": "y"},
        },
        inputs={"x": ["batch", "n", 8], "y": ["batch", "m", 8]},
    ),
    "init by operation in a step": spec(
        {"Conv2d": CONV, "init": {"Conv2d": {"weight": "zeros"}}},
        {"Conv2d": CONV, "init": {"weight": {"normal": None}, "bias": 0}},
    ),
    "training": spec(
        "Flatten",
        {"Linear": {"out_features": 10}},
        params={"lr": 0.1, "n": 5, "where": "flowers"},
        train={
            "data": {"folder": "$where"},
            "epochs": "$n * 2",
            "batch_size": 64,
            "optimizer": {"AdamW": {"lr": "$lr", "betas": [0.9, "$lr"]}},
            "schedule": {"multistep": {"milestones": ["$n", 8], "warmup": 0.5}},
            "loss": {"cross_entropy": {"weight": [1, 2, 1, 1, 1, 1, 1, 1, 1, 1], "label_smoothing": 0.1}},
            "metrics": ["accuracy", "top5"],
            "precision": "bf16",
            "augment": {"flip": True, "crop": "$n"},
            "clip": 1,
            "accumulate": 2,
            "ema": 0.99,
            "seed": 7,
            "validate_on": 0.1,
            "sync_batch_norm": True,
            "output": "linear_1",
        },
    ),
    "training in few words": spec(
        "Flatten",
        {"Linear": {"out_features": 10}},
        train={"data": "fashion-mnist", "optimizer": "Adam", "schedule": "cosine", "loss": "huber"},
    ),
    "training with null for what may be left out": spec(
        "Flatten",
        {"Linear": {"out_features": 10}},
        train={
            "data": {"mnist": None},
            "optimizer": {"SGD": None},
            "metrics": None,
            "augment": None,
            "clip": None,
            "ema": None,
            "output": None,
            "validate_on": "test",
            "schedule": {"one_cycle": {"max_lr": None}},
        },
    ),
    "training on the data of a package": spec(
        "Flatten",
        {"Linear": {"out_features": 10}},
        train={"data": {"own_set": {"side": 28, "parts": ["a", {"b": None}]}}, "optimizer": {"Rprop": {}}},
    ),
    "null for what may be left out": spec(
        {"MaxPool2d": {"kernel_size": 2, "stride": None}, "name": None, "init": None},
        name=None,
        outputs=None,
        init=None,
    ),
}


WRONG = {
    "no mapping": ["ReLU"],
    "no version": spec(netspec=...),
    "another version": spec(netspec=2),
    "version as text": spec(netspec="1"),
    "no inputs": spec(inputs=...),
    "empty inputs": spec(inputs={}),
    "no layers": spec(layers=...),
    "empty layers": spec(layers=[]),
    "unknown key": spec(layer=["ReLU"]),
    "bad name of the network": spec(name="a b"),
    "keyword as a name": spec(name="class"),
    "attribute of a module as a name": spec({"ReLU": None, "name": "forward"}),
    "dunder as a name": spec({"ReLU": None, "name": "__init__"}),
    "a name with a quote": spec({"ReLU": None, "name": "a'b"}),
    "a name of the flow": spec({"ReLU": None, "name": "prev"}),
    "a long name": spec({"ReLU": None, "name": "a" * 101}),
    "bad name of an input": spec(inputs={"a-b": [1, 2]}),
    "empty shape": spec(inputs={"x": []}),
    "nine dimensions": spec(inputs={"x": [1] * 9}),
    "size of zero": spec(inputs={"x": ["n", 0]}),
    "bad symbol": spec(inputs={"x": ["a b"]}),
    "unknown key of an input": spec(inputs={"x": {"shape": [1, 2], "size": 3}}),
    "input without a shape": spec(inputs={"x": {"dtype": "float32"}}),
    "unknown dtype": spec(inputs={"x": {"shape": [1, 2], "dtype": "float"}}),
    "unknown preprocessing": spec(inputs={"x": {"shape": [1, 2], "preprocess": {"crop": 3}}}),
    "unknown limit": spec(dims={"batch": {"minimum": 3}}),
    "limit of zero": spec(dims={"batch": {"min": 0}}),
    "parameter without a default": spec(params={"classes": None}),
    "unknown operation": spec("Relu"),
    "unknown operation with arguments": spec({"Conv9d": CONV}),
    "unknown operation in a branch": spec({"branches": {"a": ["Relu"], "b": []}, "merge": "Add"}),
    "unknown operation in a loop": spec({"for": {"a": [1]}, "do": [{"if": True, "then": [{"Relu": None}]}]}),
    "unknown operation in between": spec({"for": {"a": [1, 2]}, "do": [], "between": ["Relu"]}),
    "unknown operation otherwise": spec({"if": False, "then": [], "else": ["Relu"]}),
    "unknown operation as a merge": spec({"branches": {"a": [], "b": []}, "merge": "Ad"}),
    "operation that needs arguments, alone": spec("Conv2d"),
    "operation that needs arguments, without": spec({"Conv2d": None}),
    "missing argument": spec({"Conv2d": {"out_channels": 8}}),
    "unknown argument": spec({"Conv2d": {**CONV, "strides": 2}}),
    "argument of a bare activation": spec({"Sigmoid": {"inplace": True}}),
    "argument without a name": spec({"Linear": 10}),
    "boolean for a number": spec({"Conv2d": {**CONV, "kernel_size": True}}),
    "text for a number": spec({"Conv2d": {**CONV, "kernel_size": "3"}}),
    "literal dollar for a number": spec({"Conv2d": {**CONV, "kernel_size": "$$k"}}),
    "number for a boolean": spec({"Conv2d": {**CONV, "bias": 1}}),
    "zero": spec({"Conv2d": {**CONV, "out_channels": 0}}),
    "negative": spec({"Conv2d": {**CONV, "padding": -1}}),
    "three for a pair": spec({"Conv2d": {**CONV, "stride": [1, 2, 3]}}),
    "unknown mode": spec({"Conv2d": {**CONV, "padding_mode": "zero"}}),
    "probability over one": spec({"Dropout": {"p": 1.5}}),
    "two operations": spec({"ReLU": None, "Sigmoid": None}),
    "no operation": spec({"name": "x"}),
    "unknown sibling": spec({"ReLU": None, "form": "image"}),
    "number as a reference": spec({"ReLU": None, "from": 1}),
    "empty from": spec({"Add": None, "from": []}),
    "negative repeat": spec({"ReLU": None, "repeat": -1}),
    "huge repeat": spec({"ReLU": None, "repeat": 10**9}),
    "unknown distribution": spec(init="xavier"),
    "unknown argument of a distribution": spec(init={"normal": {"sd": 1}}),
    "missing argument of a distribution": spec(init="constant"),
    "init of an unknown operation": spec(init={"Conv9d": "zeros"}),
    "init of an unknown operation in a step": spec({"Conv2d": CONV, "init": {"Conv9d": "zeros"}}),
    "init of a parameter for all": spec(init={"weight": "zeros"}),
    "empty literal": spec({"Conv2d": CONV, "init": []}),
    "empty outputs": spec(outputs=[]),
    "number as an output": spec(outputs=[1]),
    "output twice": spec(outputs=["a", "a"]),
    "unknown key of an output": spec(outputs={"y": {"from": "a", "label": ["b"]}}),
    "output from nowhere": spec(outputs={"y": {"labels": ["b"]}}),
    "block with an operation's name": spec(blocks={"ReLU": {"layers": []}}),
    "block with a small letter": spec(blocks={"relu": {"layers": []}}),
    "block with an odd name": spec(blocks={"A b": {"layers": []}}),
    "block without layers": spec(blocks={"A": {"params": {}}}),
    "labels of a block": spec(
        blocks={"A": {"layers": [], "outputs": {"y": {"from": "in", "labels": ["a"]}}}}
    ),
    "shared weights that are drawn": spec({"Linear": {"out_features": 3}, "share": "a", "init": "zeros"}),
    "shared weights that are computed": spec(
        {"Linear": {"out_features": 3}, "share": "a", "parametrize": "weight_norm"}
    ),
    "block with an empty list of outputs": spec(blocks={"A": {"layers": ["ReLU"], "outputs": []}}),
    "block with an empty mapping of outputs": spec(blocks={"A": {"layers": ["ReLU"], "outputs": {}}}),
    "block that is a list": spec(blocks={"A": ["ReLU"]}),
    "unknown key of a block": spec(blocks={"A": {"layers": [], "name": "a"}}),
    "keyword as a parameter of a block": spec(blocks={"A": {"params": {"class": 1}, "layers": []}}),
    "input of a block that is no name": spec(blocks={"A": {"inputs": ["in"], "layers": []}}),
    "step of a block": spec(blocks={"A": {"layers": [{"name": "x"}]}}),
    "block's arguments without names": spec({"A": 3}, blocks={"A": {"params": {"x": 1}, "layers": []}}),
    "operation and block": spec({"A": None, "ReLU": None}, blocks={"A": {"layers": []}}),
    "operation and parameter": spec({"$a": None, "ReLU": None}, params={"a": "ReLU"}),
    "one branch": spec({"branches": {"a": []}, "merge": "Add"}),
    "branches without a merge": spec({"branches": {"a": [], "b": []}}),
    "merge without branches": spec({"merge": "Add"}),
    "branch that is a word": spec({"branches": {"a": "ReLU", "b": []}, "merge": "Add"}),
    "keyword as a branch": spec({"branches": {"class": [], "b": []}, "merge": "Add"}),
    "merge that reads": spec({"branches": {"a": [], "b": []}, "merge": {"Add": None, "from": "image"}}),
    "merge that needs arguments": spec({"branches": {"a": [], "b": []}, "merge": "Linear"}),
    "list as a merge": spec({"branches": {"a": [], "b": []}, "merge": ["Add"]}),
    "branches with weights": spec({"branches": {"a": [], "b": []}, "merge": "Add", "init": "zeros"}),
    "branches that read several": spec({"branches": {"a": [], "b": []}, "merge": "Add", "from": ["image"]}),
    "branches of an operation": spec({"ReLU": None, "branches": {"a": [], "b": []}, "merge": "Add"}),
    "branches in a loop's step": spec({"for": {"a": [1]}, "do": [], "branches": {"a": [], "b": []}}),
    "choice of nothing": spec({"if": True}),
    "condition missing": spec({"then": ["ReLU"]}),
    "otherwise without a condition": spec({"ReLU": None, "else": []}),
    "condition that is a number": spec({"ReLU": None, "if": 1}),
    "condition without a dollar": spec({"ReLU": None, "if": "n > 1"}),
    "loop over a number": spec({"for": 3, "do": []}),
    "loop without steps": spec({"for": {"a": [1]}}),
    "steps without a loop": spec({"do": []}),
    "loop over a number in a column": spec({"for": {"a": 3}, "do": []}),
    "row that is a number": spec({"for": [3], "do": []}),
    "empty row": spec({"for": [{}], "do": []}),
    "keyword as a variable": spec({"for": {"class": [1]}, "do": []}),
    "word as a loop's steps": spec({"for": {"a": [1]}, "do": "ReLU"}),
    "list as what is shared": spec({"Linear": {"out_features": 3}, "share": ["a"]}),
    "unknown parametrization": spec({"Linear": {"out_features": 3}, "parametrize": "weightnorm"}),
    "unknown argument of a parametrization": spec(
        {"Linear": {"out_features": 3}, "parametrize": {"weight_norm": {"axis": 1}}}
    ),
    "two parametrizations": spec(
        {"Linear": {"out_features": 3}, "parametrize": {"weight_norm": None, "spectral_norm": None}}
    ),
    "variant that is a list": spec(variants={"a": [1]}),
    "variant of a mapping": spec(params={"a": 1}, variants={"b": {"a": {"c": 1}}}),
    "keyword as a variant": spec(variants={"class": {}}),
    "number in use": spec(use=[3]),
    "word as use": spec(use="blocks.yaml"),
    "keyword in a name in scopes": spec({"ReLU": None, "name": "stage.class.a"}),
    "two dots in a name": spec({"ReLU": None, "name": "stage..a"}),
    "path that begins with a star": spec({"ReLU": None, "from": "*.a"}),
    "blocks without a network": {"netspec": 1, "blocks": {"A": {"layers": ["ReLU"]}}, "params": {}},
    "training that is a word": spec(train="fashion-mnist"),
    "training that is null": spec(train=None),
    "training without data": spec(train={"optimizer": "SGD"}),
    "training without an optimizer": spec(train={"data": "mnist"}),
    "unknown key of training": trained(epoch=3),
    "no epochs": trained(epochs=0),
    "unknown optimizer": trained(optimizer="SDG"),
    "unknown optimizer with arguments": trained(optimizer={"SDG": {"lr": 0.1}}),
    "two optimizers": trained(optimizer={"SGD": {}, "Adam": {}}),
    "no optimizer": trained(optimizer={}),
    "unknown argument of an optimizer": trained(optimizer={"SGD": {"rate": 0.1}}),
    "negative learning rate": trained(optimizer={"SGD": {"lr": -0.1}}),
    "argument of an optimizer without a name": trained(optimizer={"SGD": 0.1}),
    "three betas": trained(optimizer={"Adam": {"betas": [0.9, 0.9, 0.9]}}),
    "beta of one": trained(optimizer={"Adam": {"betas": [0.9, 1]}}),
    "unknown schedule": trained(schedule="cosines"),
    "schedule that needs arguments, alone": trained(schedule="step"),
    "schedule that needs arguments, without": trained(schedule={"step": None}),
    "no milestones": trained(schedule={"multistep": {"milestones": []}}),
    "unknown loss": trained(loss="nll"),
    "null as a loss": trained(loss=None),
    "unknown reduction": trained(loss={"mse": {"reduction": "none"}}),
    "unknown metric": trained(metrics=["f1"]),
    "metric without a list": trained(metrics="accuracy"),
    "unknown precision": trained(precision="fp8"),
    "unknown augmentation": trained(augment={"rotate": 10}),
    "huge crop": trained(augment={"crop": 10**6}),
    "no norm": trained(clip=0),
    "average of one": trained(ema=1),
    "share of all": trained(validate_on=1.0),
    "word to validate on": trained(validate_on="train"),
    "number as an output to train": trained(output=1),
    "folder without a path": trained(data={"folder": {}}),
    "arguments of a published set": trained(data={"mnist": {"path": "x"}}),
    "arguments of a package's set without names": trained(data={"own_set": 3}),
    "label that is a number": spec(outputs={"y": {"from": "a", "labels": [1]}}),
}
