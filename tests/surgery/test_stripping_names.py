"""Names of two networks side by side: prefixes that are stripped, and mappings by hand."""

import pytest

from legatee.errors import TransferError
from legatee.surgery.network.catalog import Catalog, TensorInfo
from legatee.surgery.planning.match import Match, chosen_only, match_tensors
from legatee.surgery.planning.match_names import stripped


def catalog(*names, ties=()):
    """A network of which only the names are known; ties are further names of the first tensor."""
    tensors = {
        name: TensorInfo(
            name=name,
            shape=(3,),
            dtype="float32",
            trainable=True,
            axis_roles=("unknown",),
            ties=tuple(ties) if number == 0 else (),
        )
        for number, name in enumerate(names)
    }
    return Catalog(tensors=tensors, groups=())


def common(source, target):
    """Name of the target -> name of the source, where both are equal without their prefixes."""
    source_names, target_names = stripped(catalog(*source), catalog(*target))
    return {full: source_names[bare] for bare, full in target_names.items() if bare in source_names}


BODY = ["a.weight", "b.weight", "c.weight"]


def under(prefix, names=BODY):
    return [f"{prefix}{name}" for name in names]


@pytest.mark.parametrize(
    "prefix", ["backbone.", "model.", "model.backbone.", "backbone.model.", "model.model."]
)
def test_known_prefixes_of_one_network_are_stripped(prefix):
    expected = dict(zip(under(prefix), BODY, strict=True))
    assert common(BODY, under(prefix)) == expected
    assert common(under(prefix), BODY) == {bare: full for full, bare in expected.items()}


def test_prefixes_of_both_networks_are_stripped():
    assert common(under("model."), under("backbone.")) == dict(
        zip(under("backbone."), under("model."), strict=True)
    )


def test_names_that_agree_by_half_stay_as_they_are():
    source = [*BODY, *under("model.", ["a.weight", "d.weight", "e.weight"])]
    target = ["a.weight", "d.weight", "e.weight", "f.weight"]
    assert common([*BODY, "f.weight", *under("model.", ["d.weight"])], target) == {
        "a.weight": "a.weight",
        "f.weight": "f.weight",
    }
    assert common(source, target)["a.weight"] == "a.weight"


def test_names_that_agree_by_less_are_stripped_where_more_agree_then():
    target = ["a.weight", "d.weight", "e.weight"]
    assert common(["a.weight", *under("model.", ["d.weight", "e.weight", "x.weight"])], target) == {
        "a.weight": "a.weight",
        "d.weight": "model.d.weight",
        "e.weight": "model.e.weight",
    }


def test_a_prefix_is_not_stripped_where_two_names_would_become_one():
    target = ["d.weight", "e.weight", "g.weight"]
    source = ["d.weight", *under("model.", ["d.weight", "e.weight", "g.weight"])]
    assert common(source, target) == {"d.weight": "d.weight"}


def test_a_network_within_a_module_of_any_name_is_found():
    whole = [*under("encoder.", [*BODY, "d.weight"]), "head.weight"]
    assert common([*BODY, "z.weight"], whole) == {f"encoder.{name}": name for name in BODY}
    assert common(whole, [*BODY, "z.weight"]) == {name: f"encoder.{name}" for name in BODY}


def test_a_module_that_holds_no_more_than_half_is_not_the_network():
    half = [*under("encoder."), "x.weight", "y.weight", "z.weight"]
    assert common(BODY, half) == {}
    assert common(BODY, half[:-1]) != {}


def test_a_module_in_which_no_more_than_half_is_found_is_not_the_network():
    whole = [*under("encoder.", ["a.weight", "b.weight", "d.weight", "e.weight"]), "head.weight"]
    assert common(["a.weight", "b.weight", "c.weight", "f.weight"], whole) == {}
    assert common(["a.weight", "b.weight", "c.weight"], whole) != {}


def test_every_name_of_a_tied_tensor_is_known_of_the_source():
    source = catalog("a.weight", "b.weight", ties=["z.weight"])
    target = catalog("b.weight", "z.weight")
    assert match_tensors(source, target, None).tensors == {
        "b.weight": "b.weight",
        "z.weight": "a.weight",
    }


# --- mappings -------------------------------------------------------------------------------------


def mapped(source, target, match):
    return match_tensors(catalog(*source), catalog(*target), match)


def test_a_mapping_renames_modules_and_tensors():
    found = mapped(["x.0.weight", "y"], ["a.0.weight", "b", "c"], {"a": "x", "b": "y"})
    assert found.tensors == {"a.0.weight": "x.0.weight", "b": "y"}
    assert found.reasons == {"c": "not named in match"}
    assert found.consistent


@pytest.mark.parametrize("reverse", [False, True])
def test_the_most_specific_name_of_the_target_wins_however_deep_the_source_is(reverse):
    match = {"": "", "a": "p.q.r", "a.0": "s", "a.0.weight": "t.u.v"}
    source = ["a.0.weight", "a.0.bias", "a.1.weight", "b.weight"]
    source += [f"p.q.r.{name}" for name in ("0.weight", "0.bias", "1.weight")]
    source += ["s.weight", "s.bias", "t.u.v"]
    if reverse:
        match = dict(reversed(match.items()))
    found = mapped(source, ["a.0.weight", "a.0.bias", "a.1.weight", "b.weight"], match)
    assert found.tensors == {
        "a.0.weight": "t.u.v",
        "a.0.bias": "s.bias",
        "a.1.weight": "p.q.r.1.weight",
        "b.weight": "b.weight",
    }


def test_the_whole_network_may_be_a_module_and_a_module_the_whole():
    found = mapped(["x.a", "x.b.c", "y"], ["a", "b.c"], {"": "x"})
    assert found.tensors == {"a": "x.a", "b.c": "x.b.c"}
    found = mapped(["a", "b.c"], ["x.a", "x.b.c", "y"], {"x": ""})
    assert found.tensors == {"x.a": "a", "x.b.c": "b.c"}


def test_names_are_whole_words():
    found = mapped(["x.weight", "xx.weight"], ["a.weight", "aa.weight", "a1.weight"], {"a": "x"})
    assert found.tensors == {"a.weight": "x.weight"}


def test_a_mapping_keeps_the_order_of_the_target():
    found = mapped(["x", "y", "z"], ["c", "a", "b"], {"a": "x", "b": "y", "c": "z"})
    assert list(found.tensors) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"nowhere": "x"}, "match names 'nowhere', which is not in the target"),
        ({"a": "nowhere"}, "names 'nowhere', but the source has no tensor there .* target's 'a'"),
    ],
)
def test_a_name_that_is_in_neither_network_is_refused(match, words):
    with pytest.raises(TransferError, match=words):
        mapped(["x.weight"], ["a.weight"], match)


# --- what is included and excluded ----------------------------------------------------------------

TARGET = catalog("stem.weight", "layer1.0.weight", "layer1.1.weight", "layer10.weight", "head")
ALL = Match(
    tensors={name: name for name in TARGET.tensors}, reasons={"other": "why"}, notes=("note",)
)


def kept(include=(), exclude=()):
    return chosen_only(ALL, TARGET, include, exclude)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("stem", ["stem.weight"]),
        ("layer1", ["layer1.0.weight", "layer1.1.weight"]),
        ("layer1.1", ["layer1.1.weight"]),
        ("layer1.?", ["layer1.0.weight", "layer1.1.weight"]),
        ("layer*", ["layer1.0.weight", "layer1.1.weight", "layer10.weight"]),
        ("*.weight", [name for name in TARGET.tensors if name != "head"]),
        ("head", ["head"]),
        ("*", list(TARGET.tensors)),
    ],
)
def test_a_pattern_names_tensors_and_modules_above_them(pattern, names):
    included, excluded = kept(include=[pattern]), kept(exclude=[pattern])
    assert list(included.tensors) == names
    assert list(excluded.tensors) == [name for name in TARGET.tensors if name not in names]
    assert {excluded.reasons[name] for name in names} == {f"excluded by {pattern!r}"}
    rest = [name for name in TARGET.tensors if name not in names]
    assert all(included.reasons[name] == "not included" for name in rest)


def test_what_is_both_included_and_excluded_is_excluded():
    found = kept(include=["layer1"], exclude=["layer1.0"])
    assert list(found.tensors) == ["layer1.1.weight"]
    assert found.reasons["layer1.0.weight"] == "excluded by 'layer1.0'"
    assert found.reasons["stem.weight"] == "not included"
    assert found.reasons["other"] == "why"
    assert found.notes == ("note",)


def test_where_nothing_is_said_everything_is_kept():
    assert kept() == ALL


@pytest.mark.parametrize("option", ["include", "exclude"])
@pytest.mark.parametrize("pattern", ["nowhere", "layer", "stem.weight.x", ""])
def test_a_pattern_that_fits_nothing_is_refused_with_its_option(option, pattern):
    with pytest.raises(
        TransferError, match=rf"{option} pattern '{pattern}' \(--{option}\) fits no"
    ):
        kept(**{option: [pattern]})
