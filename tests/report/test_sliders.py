import re
from base64 import b64decode

import numpy as np
import pytest

from legatee.report.explorer import POLICY, alone, explorer
from legatee.report.sliders import GROUPS, MAPS
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import EXAMPLE, fields

SLIDERS = {slider.name: slider for group in GROUPS for slider in group.sliders}
NORMALS = {"span": np.arange(6, dtype=np.float32).reshape(2, 3), "tests": -np.ones((1, 2))}


def made(**start):
    return explorer(NORMALS, {"FILTERS": 20, "ALPHAS": (0, 0.5)}, {**fields(EXAMPLE), **start})


def stops(part, name):
    found = re.search(rf'name="{re.escape(name)}"[^>]*data-stops="\[(.*?)\]"', part)
    return found[1].split(", ")


def test_everything_that_a_prediction_depends_on_has_a_slider():
    beyond_the_theory = {"noise_signal_correlation", "label_noise", "weight_decay", "l2_sp"}
    without_effect = {"active_threshold"}  # unless inherit is active, which is beyond the theory
    assert set(SLIDERS) == set(QUANTITIES) - beyond_the_theory - without_effect


@pytest.mark.parametrize("name", SLIDERS)
def test_a_slider_stops_at_values_that_a_setting_may_have(name):
    given = [stop for stop in SLIDERS[name].stops if stop is not None]
    assert [QUANTITIES[name].check(name, stop) for stop in given] == given
    assert given == sorted(set(given))
    assert len(given) >= 20


@pytest.mark.parametrize("axis", [axis for m in MAPS for axis in (m.x, m.y)], ids=lambda a: a.name)
def test_a_map_spans_its_sliders(axis):
    given = SLIDERS[axis.name].stops
    assert set(axis.values) <= set(given)
    assert set(axis.ticks) <= set(given)
    assert axis.values[-1] == given[-1]
    assert axis.values[0] == next(stop for stop in given if axis.name != "alpha" or stop > 0)


def test_sliders_can_stop_where_they_begin():
    part = made(d=1234, **{"upstream.m": 7})
    assert "1234" in stops(part, "d")
    assert stops(part, "upstream.m")[:8] == ["null", "1", "2", "3", "4", "5", "6", "7"]
    assert "1234" not in stops(made(), "d")


def test_the_table_and_the_constants_are_the_given_ones():
    part = made()
    text = re.search(r'data-part="normals">(.*?)<', part)[1]
    assert np.frombuffer(b64decode(text), "<f4").tolist() == [0, 1, 2, 3, 4, 5, -1, -1]
    assert '"shapes": [["span", [2, 3]], ["tests", [1, 2]]]' in part
    assert part.count("const FILTERS = 20;\nconst ALPHAS = [0, 0.5];\n") == 2  # model and page


def test_what_is_handed_in_cannot_end_a_script():
    part = made(inherit="</script><script>alert(1)</script>")
    assert "alert(1)</script>" not in part


def test_a_page_of_its_own_allows_what_the_part_needs_and_names_no_other_file():
    page = alone(made(), title="a < b")
    assert f'img-src data:; {POLICY}">' in page.replace("&#39;", "'")
    assert "<title>a &lt; b</title>" in page
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
