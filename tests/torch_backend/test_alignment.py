"""The maps from a file's tensors to a network's: nothing is given to a layer that it may not be of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netspec.torch_backend.alignment import (
    Alignment,
    Shape,
    Wanted,
    by_name,
    by_order,
    doubtful,
    out_of_order,
)


def conv(path: str, width: int, channels: int, kernel: int = 3) -> dict[str, Shape]:
    return {f"{path}.weight": (width, channels, kernel, kernel)}


def norm(path: str, width: int) -> dict[str, Shape]:
    names = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{path}.{name}": (width,) for name in names}, f"{path}.num_batches_tracked": ()}


def linear(path: str, features: int, width: int) -> dict[str, Shape]:
    return {f"{path}.weight": (features, width), f"{path}.bias": (features,)}


def joined(*modules: dict[str, Shape]) -> dict[str, Shape]:
    return {name: shape for module in modules for name, shape in module.items()}


def paths(alignment: Alignment) -> list[tuple[str | None, str | None]]:
    return [
        (pair.given and pair.given.path, pair.wanted and pair.wanted.path) for pair in alignment.pairs
    ]  # fmt: skip


NET = joined(conv("c1", 8, 3), norm("n1", 8), conv("c2", 8, 8), norm("n2", 8), linear("out", 10, 8))
FILE = joined(
    conv("f.0", 8, 3), norm("f.1", 8), conv("f.3", 8, 8), norm("f.4", 8), linear("classifier", 10, 8)
)
MATES = [("f.0", "c1"), ("f.1", "n1"), ("f.3", "c2"), ("f.4", "n2"), ("classifier", "out")]


def test_modules_in_turn():
    alignment = by_order(FILE, Wanted(NET))
    assert alignment.fits
    assert paths(alignment) == MATES
    assert out_of_order(alignment, FILE) is None
    rows = [(row.given, row.wanted) for row in alignment.rows()]
    assert rows[:2] == [("f.0.weight", "c1.weight"), ("f.1.weight", "n1.weight")]
    assert all(row.given_shape == row.wanted_shape for row in alignment.rows())


def test_each_kind_has_its_own_turn():
    """Many modules are written with their convolutions first and their normalisations after them."""
    file = joined(
        linear("fc", 10, 8), conv("conv1", 8, 3), conv("conv2", 8, 8), norm("bn1", 8), norm("bn2", 8)
    )
    alignment = by_order(file, Wanted(NET))
    assert alignment.fits
    assert [given for given, _ in paths(alignment)] == ["conv1", "bn1", "conv2", "bn2", "fc"]
    swapped = out_of_order(alignment, file)
    assert swapped is not None
    assert [pair.given and pair.given.path for pair in swapped] == ["bn1", "conv2"]


def test_counters_may_be_missing_on_either_side():
    for there, here in ((True, False), (False, True), (False, False)):
        file = {name: shape for name, shape in FILE.items() if there or "tracked" not in name}
        net = {name: shape for name, shape in NET.items() if here or "tracked" not in name}
        assert by_order(file, Wanted(net)).fits
        assert by_name(file if there else NET, Wanted(net)).fits is not there


def test_a_module_is_whole_though_its_tensors_are_apart():
    weights, biases = {"a.weight": (3, 2), "b.weight": (4, 3)}, {"a.bias": (3,), "b.bias": (4,)}
    alignment = by_order({**weights, **biases}, Wanted(joined(linear("p", 3, 2), linear("q", 4, 3))))
    assert alignment.fits
    assert paths(alignment) == [("a", "p"), ("b", "q")]


def test_a_shape_that_differs():
    file = {**FILE, "f.3.weight": (8, 8, 1, 1)}
    alignment = by_order(file, Wanted(NET))
    (pair,) = (pair for pair in alignment.pairs if not pair.fits)
    assert (pair.given and pair.given.path, pair.wanted and pair.wanted.path) == ("f.3", "c2")


def test_a_shortcut_that_the_file_lists_last_and_the_network_runs_first():
    """The normalisations all have one shape: only the convolutions tell that the order is another."""
    file = joined(
        *(conv("conv1", 8, 4), norm("bn1", 8), conv("conv2", 8, 8), norm("bn2", 8)),
        *(conv("downsample.0", 8, 4, 1), norm("downsample.1", 8)),
    )
    net = joined(
        *(conv("short.c", 8, 4, 1), norm("short.n", 8)),
        *(conv("main.c1", 8, 4), norm("main.n1", 8), conv("main.c2", 8, 8), norm("main.n2", 8)),
    )
    assert not by_order(file, Wanted(net)).fits


def test_modules_too_many_and_too_few():
    more = by_order(joined(FILE, linear("aux", 10, 8)), Wanted(NET))
    assert not more.fits
    assert paths(more) == [*MATES, ("aux", None)]
    fewer = by_order(joined(*({n: s} for n, s in FILE.items() if not n.startswith("f.4"))), Wanted(NET))
    assert not fewer.fits
    assert (None, "n2") in paths(fewer)
    assert paths(by_order({}, Wanted(NET))) == [(None, path) for _, path in MATES]
    assert paths(by_order(FILE, Wanted({}))) == [(path, None) for path, _ in MATES]


def test_what_is_left_on_both_sides_stands_side_by_side():
    """Convolutions with a bias are of another kind than those without."""
    file = joined({"f.0.bias": (8,)}, FILE)
    alignment = by_order(file, Wanted(NET))
    assert not alignment.fits
    assert set(paths(alignment)) == {("f.0", "c2"), ("f.3", "c1"), *MATES} - {("f.0", "c1"), ("f.3", "c2")}


def test_parameters_that_stand_for_themselves():
    """torch lists a module's own parameters before its parts; the network has a layer for each."""
    file = joined(
        {"token": (1, 1, 8)}, linear("proj", 8, 8), {"encoder.pos": (1, 5, 8)}, linear("head", 2, 8)
    )
    net = Wanted(
        joined({"cls.weight": (1, 1, 8)}, linear("p", 8, 8), {"pos.weight": (1, 5, 8)}, linear("h", 2, 8)),
        alone=frozenset({"cls.weight", "pos.weight"}),
    )
    alignment = by_order(file, net)
    assert alignment.fits
    assert [(row.given, row.wanted) for row in alignment.rows()] == [
        ("token", "cls.weight"),
        ("proj.weight", "p.weight"),
        ("proj.bias", "p.bias"),
        ("encoder.pos", "pos.weight"),
        ("head.weight", "h.weight"),
        ("head.bias", "h.bias"),
    ]
    assert by_name(net.shapes, net).fits
    own = {f"mine.{name}": shape for name, shape in net.shapes.items()}
    assert [row.given for row in by_order(own, net).rows()] == list(own)
    late = net._replace(shapes=dict(reversed([*net.shapes.items()])))
    file = dict(reversed([*file.items()][1:])) | {"token": (1, 1, 8)}
    assert out_of_order(by_order(file, late), file) is None


def test_a_name_that_is_both_a_tensor_and_a_module():
    file = joined({"a": (1, 8)}, linear("a", 8, 8))
    net = Wanted(joined({"p.weight": (1, 8)}, linear("q", 8, 8)), alone=frozenset({"p.weight"}))
    assert by_order(file, net).fits


SHARED = Wanted(
    joined(linear("a", 3, 3), linear("b", 3, 3), linear("c", 3, 3)),
    shared={"c.weight": "a.weight", "c.bias": "a.bias"},
)


def test_a_shared_layer_is_listed_once_or_as_often_as_it_is_used():
    once = by_order(joined(linear("x", 3, 3), linear("y", 3, 3)), SHARED)
    assert once.fits
    assert paths(once) == [("x", "a"), ("y", "b")]
    twice = by_order(joined(linear("x", 3, 3), linear("y", 3, 3), linear("z", 3, 3)), SHARED)
    assert twice.fits
    assert paths(twice) == [("x", "a"), ("y", "b"), ("z", "c")]
    four = by_order(joined(*(linear(path, 3, 3) for path in "wxyz")), SHARED)
    assert not four.fits
    assert paths(four)[-1] == ("z", None)
    assert by_name(joined(linear("a", 3, 3), linear("b", 3, 3)), SHARED).fits
    assert by_name(SHARED.shapes, SHARED).fits


def test_by_name():
    assert by_name(NET, Wanted(NET)).fits
    file = {**{n: s for n, s in NET.items() if not n.startswith("n2")}, "stranger.weight": (1,)}
    alignment = by_name(file, Wanted(NET))
    assert [pair for pair in paths(alignment) if None in pair] == [(None, "n2"), ("stranger", None)]


# --- a file that is sorted by name ---------------------------------------------------------------------


def test_numbers_in_names_count_as_numbers():
    net = joined(*(conv(f"c{number}", 8, 8) for number in range(12)))
    file = dict(sorted(joined(*(conv(f"f.{number}", 8, 8) for number in range(12))).items()))
    alignment = by_order(file, Wanted(net), is_sorted=True)
    assert alignment.fits
    assert paths(alignment) == [(f"f.{number}", f"c{number}") for number in range(12)]
    assert doubtful(alignment) is None


def test_modules_that_only_words_put_in_order_are_doubtful():
    """In DenseNet norm0 comes before denseblock1; in the alphabet it does not."""
    net = joined(conv("c1", 8, 3), norm("n1", 8), conv("c2", 8, 8), norm("n2", 8))
    for first, second in (("bn1", "layer1.0.bn1"), ("f.block1.norm1", "f.norm0"), ("f", "f.0"), ("a", "b")):
        file = dict(
            sorted(joined(norm(first, 8), norm(second, 8), conv("k1", 8, 3), conv("k2", 8, 8)).items())
        )
        alignment = by_order(file, Wanted(net), is_sorted=True)
        assert alignment.fits
        doubt = doubtful(alignment)
        assert doubt is not None
        assert [pair.given and pair.given.path for pair in doubt] == [first, second]


def test_shapes_alone_may_tell_all():
    net = joined(linear("first", 120, 400), linear("second", 84, 120), linear("third", 10, 84))
    file = dict(sorted(joined(linear("a", 84, 120), linear("z", 10, 84), linear("m", 120, 400)).items()))
    alignment = by_order(file, Wanted(net), is_sorted=True)
    assert alignment.fits
    assert [given for given, _ in paths(alignment)] == ["m", "a", "z"]
    assert doubtful(alignment) is None


# --- properties ----------------------------------------------------------------------------------------

MODULES = st.lists(
    st.one_of(
        st.tuples(st.just(conv), st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.just(norm), st.integers(1, 3)),
        st.tuples(st.just(linear), st.integers(1, 3), st.integers(1, 3)),
    ),
    max_size=8,
)


def named(modules: list[tuple], prefix: str) -> dict[str, Shape]:
    return joined(*(make(f"{prefix}{number}", *sizes) for number, (make, *sizes) in enumerate(modules)))


@given(MODULES)
def test_the_same_modules_in_the_same_order_fit(modules):
    alignment = by_order(named(modules, "f."), Wanted(named(modules, "n")))
    assert alignment.fits
    assert paths(alignment) == [(f"f.{number}", f"n{number}") for number in range(len(modules))]


@given(MODULES, MODULES)
def test_every_module_of_both_sides_stands_once(given_modules, wanted_modules):
    file, net = named(given_modules, "f."), named(wanted_modules, "n")
    for is_sorted in (False, True):
        alignment = by_order(file, Wanted(net), is_sorted=is_sorted)
        givens, wanteds = zip(*paths(alignment), strict=True) if alignment.pairs else ((), ())
        assert [path for path in wanteds if path] == [f"n{number}" for number in range(len(wanted_modules))]
        assert sorted(path for path in givens if path) == sorted(
            f"f.{number}" for number in range(len(given_modules))
        )
        fits = all(
            [m for m in given_modules if m[0] is kind] == [m for m in wanted_modules if m[0] is kind]
            for kind in (conv, norm, linear)
        )
        assert alignment.fits == (
            fits if not is_sorted else sorted(map(str, given_modules)) == sorted(map(str, wanted_modules))
        )
