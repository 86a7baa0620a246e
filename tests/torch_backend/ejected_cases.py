"""Networks with what the specs do not have: odd structures, shared and computed weights, hostile names."""

from __future__ import annotations

import re

from netspec.ir.graph import Graph
from netspec.pipeline import check_text

CASES = {
    "a block and a layer share weights": """
        inputs: {a: [batch, 4], b: [batch, 4]}
        blocks:
          Tower:
            params: {width: int}
            layers: [{Linear: {out_features: $width}}, {Dropout: {p: 0.5}}, Tanh]
        layers:
          - {Tower: {width: 5}, from: a, name: left}
          - {Tower: {width: 5}, from: b, share: left, name: right}
          - {Linear: {out_features: 5}, name: lin}
          - ReLU
          - {Linear: {out_features: 5}, share: lin}
          - {Add: {}, from: [prev, left, right]}
    """,
    "weights are computed": """
        inputs: {a: [batch, 3, 8, 8]}
        layers:
          - {Conv2d: {out_channels: 4, kernel_size: 3}, parametrize: {weight_norm: {dim: 0}}}
          - Conv2d: {out_channels: 4, kernel_size: 3}
            parametrize: {spectral_norm: {n_power_iterations: 2}}
            repeat: 2
    """,
    "names hide nothing": """
        name: nn
        inputs: {torch: [batch, 4], F: [batch, 4], x: [range, 4]}
        blocks:
          Nn:
            inputs: [nn, input, torch]
            layers:
              - {Linear: {out_features: 4}, from: nn, name: append}
              - {Linear: {out_features: 4}, from: input, name: y}
              - {Add: {}, from: [append, y, torch], name: self_}
          Tensor:
            layers: [{Linear: {out_features: 4}, name: super}, {ReLU: {}, name: range}]
          OrderedDict:
            layers: [Tensor]
          Layers:
            layers: [OrderedDict]
        layers:
          - {Nn: {}, from: [torch, F, F], name: z}
          - {Layers: {}, name: print}
          - branches:
              update: [{Linear: {out_features: 4}, name: pop}, {ReLU: {}, name: keys}]
              items: [{Linear: {out_features: 4}, name: _}, {Linear: {out_features: 4}, name: self}]
              values: [{Linear: {out_features: 4}, name: nn}]
            merge: Add
          - {Linear: {out_features: 4}, from: x, name: functional}
          - {Linear: {out_features: 4}, from: x, name: zip}
        outputs: {a: add_1, b: zip, c: functional}
    """,
    "iterations are read from outside": """
        inputs: {image: [batch, 3, 8, 8]}
        layers:
          - Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}
          - for: {n: [1, 2, 3]}
            name: layer
            do:
              - branches:
                  update: [{Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}, name: skip}, ReLU]
                  keep: []
                merge: Add
          - {Concat: {}, from: [prev, layer.*.update.skip]}
    """,
    "loops in loops take a second input": """
        inputs: {tokens: {shape: [batch, length], dtype: int64}, scale: [batch, length, 1]}
        blocks:
          Layer:
            inputs: [x, scale]
            params: {p: float}
            layers:
              - {Linear: {out_features: 8}, from: x}
              - {Mul: {}, from: [prev, scale]}
              - Mul: {other: $p}
        layers:
          - {Embedding: {num_embeddings: 10, embedding_dim: 8}, from: tokens}
          - for: {n: [1, 1, 1]}
            name: stage
            do:
              - {Layer: {p: 0.5 * $n}, from: [prev, scale], repeat: 2}
              - Tanh
              - {Mul: {}, from: [prev, scale]}
    """,
    "iterations without modules": """
        inputs: {x: [batch, 4]}
        layers:
          - for: {n: [0, 1, 2, 3]}
            name: it
            do:
              - {Linear: {out_features: 4}, if: $n % 2 == 1}
              - {Mul: {other: 2.0}, if: $n % 2 == 0}
          - {Mul: {other: 2.0}, repeat: 3}
          - for: {n: [0, 1]}
            name: sparse
            do: [{Linear: {out_features: 4}, if: $n == 1}]
    """,
    "operations, numbers and sizes are parameters": """
        inputs: {x: [batch, 4]}
        blocks:
          Block:
            params: {act: op, width: int, k: 1.0}
            layers:
              - Linear: {out_features: $width}
              - $act
              - Mul: {other: $k}
              - Reshape: {shape: [batch, 2, $width // 2]}
              - Flatten
        layers:
          - Block: {act: ReLU, width: 4}
          - Block: {act: {LeakyReLU: {negative_slope: 0.1}}, width: 6}
          - Block: {act: Tanh, width: 8, k: 0.5}
          - {Block: {act: Tanh, width: 8, k: 0.5}, repeat: 3}
    """,
    "constants": """
        inputs: {x: [batch, 3]}
        layers:
          - {Constant: {value: [0.1, 0.2, 0.3]}, name: c}
          - {Constant: {value: [1.1, 2, 3], dtype: float16}, name: d}
          - Cast: {dtype: float32}
          - {Mul: {}, from: [x, c]}
          - {Mul: {}, from: [prev, cast_1]}
    """,
    "blocks contain each other": """
        inputs: {x: [batch, 4]}
        blocks:
          A:
            params: {n: int}
            layers: [{Linear: {out_features: 4 + $n}}, {B: {n: $n - 1}, if: $n > 0}]
          B:
            params: {n: int}
            layers: [ReLU, {A: {n: $n - 1}, if: $n > 0}]
        layers: [{A: {n: 6}}, {A: {n: 3}}]
    """,
    "blocks pass on what they get": """
        inputs: {x: [batch, 4], y: [batch, 4]}
        blocks:
          P:
            inputs: [a, b]
            outputs: {same: a, new: lin}
            layers: [{Linear: {out_features: 4}, from: b, name: lin}]
          Q:
            params: {on: true}
            layers: [{Linear: {out_features: 4}, if: $on}]
          R:
            inputs: [a]
            outputs: [a]
            layers: [{BatchNorm1d: {}, from: a}]
        layers:
          - {P: {}, from: [x, y], name: p}
          - {Q: {on: false}, from: p.same}
          - Q
          - R
          - {Add: {}, from: [prev, p.new]}
        outputs: {a: prev, b: p.same}
    """,
    "steps that some instances leave out": """
        inputs: {x: [batch, 4]}
        blocks:
          Block:
            params: {on: true, norm: false}
            layers:
              - Linear: {out_features: 4}
              - {BatchNorm1d: {}, if: $norm}
              - {Dropout: {}, if: $on}
              - ReLU
        layers:
          - Block: {on: true}
          - Block: {on: false}
          - Block: {on: true, norm: true}
          - Block: {on: false, norm: true}
    """,
    "several states": """
        inputs: {x: [length, batch, 4], k: [1, batch, 6]}
        layers:
          - {LSTM: {hidden_size: 6}, from: {input: x, c_0: k}, name: one}
          - {LSTM: {hidden_size: 6}, from: {input: prev, h_0: one.h_n, c_0: one.c_n}, name: two}
          - {GRU: {hidden_size: 6}, name: three}
        outputs: {a: prev, b: two.c_n, c: three.h_n}
    """,
    "names with dots in any order": """
        inputs: {x: [batch, 4]}
        layers:
          - {Linear: {out_features: 4}, name: a.0.one}
          - {Linear: {out_features: 4}, name: b.two}
          - {Linear: {out_features: 4}, name: a.0.three}
          - {Linear: {out_features: 4}, name: a.1.one}
          - {Linear: {out_features: 4}, name: c.5.x}
          - {Linear: {out_features: 4}, name: c.2.x}
          - {Linear: {out_features: 4}, name: d.0}
          - {Linear: {out_features: 4}, name: d.e}
          - {Linear: {out_features: 4}, name: f.100000.x}
          - {Linear: {out_features: 4}, name: h.1.x}
        outputs: {y: prev}
    """,
    "sizes in blocks": """
        inputs: {image: [batch, 3, H, W]}
        dims: {H: {multiple_of: 4}, W: {multiple_of: 4}}
        blocks:
          Rows:
            inputs: [image]
            layers:
              - {Conv2d: {out_channels: 4, kernel_size: 2, stride: 2}, from: image}
              - Flatten: {start_dim: 2}
              - Unflatten: {dim: 2, unflattened_size: ['$image.shape[2] // 2', -1]}
          Down:
            outputs: {y: pool, where: pool.indices}
            layers: [{MaxPool2d: {kernel_size: 2, return_indices: true}, name: pool}]
          Up:
            inputs: [y, where]
            layers: [{MaxUnpool2d: {kernel_size: 2}, from: [y, where]}]
        layers:
          - {Down: {}, name: first}
          - {Down: {}, name: second}
          - {Up: {}, from: [prev, second.where]}
          - {Up: {}, from: [prev, first.where]}
          - Rows
    """,
    "several pieces": """
        inputs: {x: [batch, 6]}
        layers:
          - {Chunk: {chunks: 3, dim: 1}, name: parts}
          - {Linear: {out_features: 2}, from: parts.1}
          - {Add: {}, from: [parts.0, prev]}
          - {Concat: {dim: 1}, from: [prev, parts.2]}
          - {Max: {dim: 1}, name: m}
        outputs: {a: m, b: m.indices}
    """,
    "a layer that nothing reads": """
        inputs: {x: [batch, 6]}
        layers:
          - {BatchNorm1d: {}, name: unread}
          - {Linear: {out_features: 2}, from: x}
        outputs: {y: prev}
    """,
    "numbers of a forward whose names mean something else": """
        name: none
        inputs: {x: [batch, 4]}
        blocks:
          B:
            params: {d: str, act: op, by: 1.0}
            layers:
              - Cast: {dtype: $d}
              - {$act: {}, name: super}
              - Mul: {other: $by}
              - Cast: {dtype: float32}
              - {Linear: {out_features: 4}, name: other}
        layers:
          - B: {d: float64, act: ReLU, by: 0.3}
          - B: {d: float64, act: Tanh}
          - B: {d: float32, act: {Threshold: {threshold: 0.0, value: 1.0}}}
    """,
    "many pieces": """
        inputs: {x: [batch, 40]}
        layers:
          - {Chunk: {chunks: 20, dim: 1}, name: pieces_of_the_input}
          - Concat: {dim: 1}
            from: [pieces_of_the_input.3, pieces_of_the_input.1, pieces_of_the_input.9, pieces_of_the_input.2]
          - Tanh
        outputs: {y: prev, a: pieces_of_the_input.0, b: pieces_of_the_input.7, c: pieces_of_the_input.19}
    """,
    "one merge in another": """
        inputs: {x: [batch, 6], a_quite_long_name_for_an_input_of_a_network: [batch, 6]}
        layers:
          - Add: {}
            from: [x, a_quite_long_name_for_an_input_of_a_network]
            name: a_sum_that_is_not_to_be_seen_on_one_line
          - Add: {}
            from: [x, a_sum_that_is_not_to_be_seen_on_one_line, a_quite_long_name_for_an_input_of_a_network]
          - {Mul: {}, from: [prev, a_sum_that_is_not_to_be_seen_on_one_line]}
          - {Sub: {}, from: [prev, add_2]}
    """,
}

TEXTS = {case: f"netspec: 1\n{re.sub('^        ', '', text, flags=re.M)}" for case, text in CASES.items()}


def graph_of(text: str) -> Graph:
    """The graph of a spec given as text."""
    return check_text(text, "made.yaml", format="yaml").graph
