"""Layers paired by their role in small networks: kind, kernel, stage, width and place."""

import torch
from torch import nn

from legatee.surgery.network.catalog import read
from legatee.surgery.planning.match_roles import by_role

IMAGE = torch.zeros(1, 3, 16, 16)


class Row(nn.Module):
    """Named layers one after the other, and a head behind a pool."""

    def __init__(self, width=8, **layers):
        super().__init__()
        self.layers = list(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        for name in self.layers:
            x = self.get_submodule(name)(x)
        return self.head(x.mean((2, 3)))


def conv(into=8, kernel=3, out=8, stride=1, groups=1):
    return nn.Conv2d(into, out, kernel, stride, kernel // 2, groups=groups, bias=False)


def paired(source, target, inputs=IMAGE):
    """Module of the target -> module of the source, and the notes."""
    matches, notes = by_role(read(source, inputs), read(target, inputs))
    modules = {t.rpartition(".")[0]: s.rpartition(".")[0] for t, s in matches.items()}
    return modules, list(notes)


def test_equal_names_come_first_and_all_others_in_order():
    source = Row(stem=conv(3), a=conv(), b=conv(), c=conv())
    target = Row(stem=conv(3), x=conv(), b=conv(), y=conv())
    found, notes = paired(source, target)
    assert found == {"stem": "stem", "x": "a", "b": "b", "y": "c", "head": "head"}
    assert notes == []


def test_where_there_are_more_than_needed_the_first_are_taken():
    found, notes = paired(Row(s=conv(3), a=conv(), b=conv()), Row(t=conv(3), x=conv()))
    assert found == {"t": "s", "x": "a", "head": "head"}
    assert notes == []


def test_too_few_layers_are_spread_evenly_and_it_is_said():
    source = Row(s=conv(3), a=conv(), b=conv())
    target = Row(t=conv(3), **{f"x{i}": conv() for i in range(5)})
    found, notes = paired(source, target)
    assert [found[f"x{i}"] for i in range(5)] == ["a", "a", "a", "b", "b"]  # 2 i // 5
    assert notes == [
        "2 source layers fill 5 target layers: 3x3 convolutions at 1/1 of the image's resolution"
    ]


def test_kernels_of_another_size_and_depthwise_ones_have_roles_of_their_own():
    source = Row(s=conv(3), a=conv(kernel=5), d=conv(groups=8), b=conv())
    target = Row(t=conv(3), x=conv(), e=conv(groups=8), y=conv(kernel=5))
    found, _ = paired(source, target)
    assert found == {"t": "s", "x": "b", "e": "d", "y": "a", "head": "head"}


def test_pointwise_layers_are_told_apart_by_whether_they_widen():
    def bottleneck(one, two, three):
        return {
            one: conv(8, 1, 4),
            two: conv(4, 1, 4),
            three: conv(4, 1, 8),
        }

    source = Row(s=conv(3), **bottleneck("narrow", "keep", "widen"))
    swapped = {"a": conv(8, 1, 16), "b": conv(16, 1, 16), "c": conv(16, 1, 8)}
    found, _ = paired(source, Row(t=conv(3), **swapped))
    assert found == {"t": "s", "a": "widen", "b": "keep", "c": "narrow", "head": "head"}


class Mixer(nn.Module):
    """Linear layers of given widths over the positions of an image."""

    def __init__(self, **widths):
        super().__init__()
        self.stem, self.names = nn.Conv2d(3, 8, 4, 4), list(widths)
        into = 8
        for name, out in widths.items():
            self.add_module(name, nn.Linear(into, out))
            into = out
        self.head = nn.Linear(into, 2)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2).contiguous()
        for name in self.names:
            x = self.get_submodule(name)(x).relu()
        return self.head(x.mean(1))


def test_linear_layers_are_told_apart_by_how_far_they_widen():
    """Queries, keys and values triple a width, the first layer of a block quadruples it."""
    source = Mixer(twofold=16, back=8, threefold=24, down=8)
    found, _ = paired(source, Mixer(x=24, y=8, z=16, w=8))
    assert (found["x"], found["z"]) == ("threefold", "twofold")
    assert (found["y"], found["w"]) == ("back", "down")
    found, _ = paired(Mixer(fourfold=32, back=8), Mixer(x=24, y=8))  # three times or more
    assert found["x"] == "fourfold"
    found, _ = paired(Mixer(twofold=16, back=8), Mixer(x=24, y=8))
    assert "x" not in found


def test_layers_of_the_same_stage_are_paired_and_else_those_of_the_nearest():
    source = Row(s=conv(3), one=conv(stride=2), two=conv(), three=conv(stride=2), four=conv())
    target = Row(t=conv(3), a=conv(stride=2), b=conv(stride=2), c=conv())
    found, notes = paired(source, target)
    assert found == {"t": "s", "a": "one", "b": "three", "c": "four", "head": "head"}
    assert notes == []


def test_a_stage_that_the_source_lacks_takes_from_the_nearest_and_it_is_said():
    source = Row(s=conv(3), a=conv())
    target = Row(t=conv(3), x=conv(stride=2), y=conv(stride=2))
    found, notes = paired(source, target)
    assert found == {"t": "s", "x": "a", "y": "a", "head": "head"}
    assert [note for note in notes if "convolutions" in note] == [
        "the source has no such layers: 3x3 convolutions at 1/2 of the image's resolution inherit "
        "from 1/1",
        "the source has no such layers: 3x3 convolutions at 1/4 of the image's resolution inherit "
        "from 1/1",
    ]


def test_of_two_stages_that_are_equally_near_the_finer_is_taken():
    source = Row(s=conv(3), fine=conv(), pool=nn.AvgPool2d(4), coarse=conv())
    found, notes = paired(source, Row(t=conv(3), x=conv(stride=2)))
    assert found["x"] == "fine"
    assert [note for note in notes if "convolutions" in note] == [
        "the source has no such layers: 3x3 convolutions at 1/2 of the image's resolution inherit "
        "from 1/1"
    ]


def test_depthwise_convolutions_are_called_so():
    source = Row(s=conv(3), a=conv(groups=8))
    _, notes = paired(source, Row(t=conv(3), x=conv(groups=8), y=conv(groups=8)))
    assert notes == [
        "1 source layers fill 2 target layers: depthwise 3x3 convolutions at 1/1 of the image's "
        "resolution"
    ]


def test_norms_follow_the_layer_that_they_stand_behind():
    source = Row(s=conv(3), sn=nn.BatchNorm2d(8), a=conv(), an=nn.BatchNorm2d(8), b=conv())
    target = Row(t=conv(3), x=conv(), xn=nn.BatchNorm2d(8), y=conv(), yn=nn.BatchNorm2d(8))
    matches, _ = by_role(read(source, IMAGE), read(target, IMAGE))
    leaves = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    assert {f"xn.{leaf}": f"an.{leaf}" for leaf in leaves}.items() <= matches.items()
    assert not any(name.startswith("yn.") for name in matches)  # none stands behind b


def test_norms_that_stand_before_their_layer_are_found_too():
    source = Row(sn=nn.BatchNorm2d(3), s=conv(3), a=conv())
    target = Row(tn=nn.BatchNorm2d(3), t=conv(3), x=conv())
    found, _ = paired(source, target)
    assert found == {"tn": "sn", "t": "s", "x": "a", "head": "head"}


def test_a_head_fills_a_head_or_a_layer_of_its_name():
    class Behind(nn.Module):
        def __init__(self, name):
            super().__init__()
            self.stem, self.name = conv(3), name
            self.add_module(name, nn.Linear(8, 2))
            self.last = nn.Linear(2, 2)

        def forward(self, x):
            return self.last(self.get_submodule(self.name)(self.stem(x).mean((2, 3))))

    source = Row(stem=conv(3))
    assert paired(source, Behind("head"))[0]["head"] == "head"
    assert "other" not in paired(source, Behind("other"))[0]


def test_the_tensors_of_a_layer_are_matched_by_what_the_operation_calls_them():
    source, target = Row(s=nn.Conv2d(3, 8, 3)), Row(t=conv(3))
    matches, _ = by_role(read(source, IMAGE), read(target, IMAGE))
    assert matches == {
        "t.weight": "s.weight",
        "head.weight": "head.weight",
        "head.bias": "head.bias",
    }
    matches, _ = by_role(read(target, IMAGE), read(source, IMAGE))
    assert "s.bias" not in matches
