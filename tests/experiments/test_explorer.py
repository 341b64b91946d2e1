"""The explorer as a reader meets it, held against ``legatee predict``."""

import re
import time
from dataclasses import asdict

import numpy as np
import pytest

from browser import opened, visited
from legatee import Setting, predict
from legatee.cli.settings import setting_of
from legatee.errors import SettingError
from legatee.experiments import explorer
from legatee.theory.consequences import WORDS, best_alpha, crossover, limiting_factor
from legatee.theory.reduced.reduce import outside
from legatee.world.setting import EXAMPLE, fields

NUMBERS = (
    *("scratch", "zero_shot", "inherited", "gain", "error"),
    *("scratch_spread", "zero_shot_spread", "inherited_spread"),
)
FOUR_DIGITS = 5e-5
SLIDERS = ("|u|", "|v₁|", "|v₂|", "N₁", "N₂", "σ₁", "σ₂", " d", "\N{GREEK SMALL LETTER ALPHA}")

HIRE = """() => {
  const part = (name) => document.querySelector(`[data-part="${name}"]`).textContent;
  const source = new Blob([part('model')], {type: 'text/javascript'});
  const worker = new Worker(URL.createObjectURL(source));
  const bytes = Uint8Array.from(atob(part('normals').trim()), (c) => c.charCodeAt(0)).buffer;
  worker.postMessage({bytes, shapes: JSON.parse(part('data')).shapes});
  let number = 0;
  window.ask = (request, isLast) => new Promise((resolve, reject) => {
    const found = {};
    worker.onerror = (error) => reject(new Error(error.message));
    worker.onmessage = ({data}) => {
      if (data.number !== number) return;
      Object.assign(found, data);
      if (isLast(data)) resolve(found);
    };
    worker.postMessage({number: ++number, ...request});
  });
}"""
PREDICT = """async (settings) => {
  const found = [];
  for (const setting of settings) {
    found.push((await ask({question: 'prediction', setting}, ({done}) => done)).prediction);
  }
  return found;
}"""
FOLLOW = """async (settings) => {
  const found = [];
  for (const setting of settings) {
    const {prediction} = await ask({question: 'prediction', setting}, ({done}) => done);
    const last = ({best_alpha}) => best_alpha !== undefined;
    found.push(await ask({question: 'consequences', prediction}, last));
  }
  return found;
}"""
ANSWER_TIME = """([name, places]) => new Promise((resolve) => {
  const slider = document.getElementsByName(name)[0];
  const sentence = document.querySelector('[data-part="sentence"]');
  const times = [];
  const move = () => {
    if (times.length === places.length) { observer.disconnect(); resolve(times); return; }
    slider.value = places[times.length];
    begin = performance.now();
    slider.dispatchEvent(new Event('input'));
  };
  let begin;
  const observer = new MutationObserver(() => {
    if (begin === undefined) return;
    times.push(performance.now() - begin);
    begin = undefined;
    setTimeout(move, 300);  // what follows, and the map, have begun to be computed by then
  });
  observer.observe(sentence, {childList: true});
  move();
})"""
SET = """(slider, value) => {
  slider.value = JSON.parse(slider.dataset.stops).indexOf(value);
  slider.dispatchEvent(new Event('input'));
}"""


@pytest.fixture(scope="module")
def browser():
    with opened() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    path.write_text(explorer.page(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def visit(browser, address):
    visits = []

    def visit(width=1400, **options):
        size = {"width": width, "height": 900}
        visits.append(visited(browser, address, viewport=size, **options))
        return visits[-1].__enter__()

    yield visit
    for one in visits:
        one.__exit__(None, None, None)


def part(page, name):
    return page.locator(f'[data-part="{name}"]')


def until(test, seconds=60):
    """Wait for something that the page may not be asked for: it forbids evaluated text."""
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def settled(page):
    until(lambda: part(page, "answer").get_attribute("aria-busy") == "false")
    return page


def random_setting(stream):
    """Any setting that the theory may be asked of, at home in it or not."""

    def log(low, high):
        return float(low * (high / low) ** stream.random())

    known = {
        "d": int(log(100, 1e6)),
        "m": int(log(1, 300)),
        "u_norm": stream.choice([0.0, log(0.1, 5)]),
        "alpha": stream.choice([0.0, 1.0, *stream.random(4)]),
        "eta": log(1e-3, 10),
        "sigma_0": log(1e-8, 0.1),
        "steps": int(log(1, 2000)),
    }
    for task in ("upstream", "downstream"):
        known |= {f"{task}.n": int(log(6, 2000)), f"{task}.sigma_p": log(0.1, 3)}
        known[f"{task}.v_norm"] = stream.choice([0.0, *(log(0.1, 5) for _ in range(3))])
        for name, value in (("m", int(log(1, 300))), ("eta", log(1e-3, 10)), ("steps", 50)):
            if stream.random() < 0.2:
                known[f"{task}.{name}"] = value
    return Setting.of(known)


def random_settings(wanted, inside):
    stream, found = np.random.default_rng(4), []
    while len(found) < wanted:
        try:
            setting = random_setting(stream)
        except SettingError:  # more filters inherited than there are
            continue
        if bool(outside(setting)) is not inside:
            found.append(setting)
    return found


# --- the same numbers as legatee predict ----------------------------------------------------------


def test_fifty_random_settings_are_predicted_as_by_python(visit):
    page, settings = visit(), random_settings(50, inside=True)
    page.evaluate(HIRE)
    found = page.evaluate(PREDICT, [asdict(setting) for setting in settings])
    expected = [predict(setting) for setting in settings]
    assert {one.verdict for one in expected} == {"inherit", "scratch", "either"}
    assert [one["verdict"] for one in found] == [one.verdict for one in expected]
    here = np.array([[one[name] for name in NUMBERS] for one in found])
    there = np.array([[getattr(one, name) for name in NUMBERS] for one in expected])
    apart = np.abs(here - there).max(1)
    # Python computes in single precision. About once in 200 settings a filter's response is so
    # near to 0 that rounding decides whether it learns a sample, and some test points follow.
    assert np.sum(apart >= FOUR_DIGITS) <= 1
    assert apart.max() < 1e-3
    assert np.median(apart) < 1e-9


def test_where_the_theory_ends_the_same_reasons_are_given(visit):
    page, settings = visit(), random_settings(50, inside=False)
    strange = ("label_noise", "weight_decay", "l2_sp", "noise_signal_correlation")
    settings += [Setting.of({**asdict(EXAMPLE), name: 0.015}) for name in strange]
    settings += [Setting.of({**asdict(EXAMPLE), "inherit": "active", "sigma_0": 1e30})]
    page.evaluate(HIRE)
    found = page.evaluate(PREDICT, [asdict(setting) for setting in settings])
    assert [one["outside"] for one in found] == [list(predict(one).outside) for one in settings]
    assert {one["verdict"] for one in found} == {"unknown"}


def test_what_follows_is_what_python_says(visit):
    page = visit()
    few = {**asdict(EXAMPLE), "m": 3}  # filters: quick
    noisy = {"d": 600, "u_norm": 1, "upstream.n": 500, "upstream.v_norm": 0, "downstream.n": 20}
    noisy |= {"upstream.sigma_p": 0.2, "downstream.sigma_p": 2, "downstream.v_norm": 0}
    changes = ({"alpha": 0.3}, {"u_norm": 0}, noisy, {"downstream.n": 1000})
    settings = [Setting.of({**few, **one}) for one in changes]
    assert len({limiting_factor(one) for one in settings}) == 4
    assert [crossover(one) is None for one in settings] == [False, False, True, False]
    page.evaluate(HIRE)
    found = page.evaluate(FOLLOW, [asdict(setting) for setting in settings])
    for one, setting in zip(found, settings, strict=True):
        assert one["best_alpha"] == best_alpha(setting)
        assert one["crossover"] == crossover(setting)
        assert one["limiting_factor"] == WORDS[limiting_factor(setting)]


# --- the page -------------------------------------------------------------------------------------


def test_the_page_opens_with_the_example_in_words(visit):
    page, expected = settled(visit()), predict(EXAMPLE)
    assert part(page, "sentence").inner_text() == (
        "Inherit: starting from 50% of the upstream network's filters should get "
        f"{expected.inherited:.1%} of new samples right, {100 * expected.gain:.1f} points more "
        "than training from scratch."
    )
    for name in ("scratch", "zero_shot", "inherited"):
        row = part(page, name).inner_text()
        assert f"{getattr(expected, name):.1%}" in row
        assert f"± {100 * getattr(expected, name + '_spread'):.1f}" in row
    until(lambda: "…" not in part(page, "best_alpha").inner_text())
    assert f"+{100 * expected.gain:.1f} points" in part(page, "gain").inner_text()
    words = part(page, "limiting_factor").inner_text()
    assert words.lower() == f"{WORDS[limiting_factor(EXAMPLE)]}."
    assert f"With {crossover(EXAMPLE)} downstream" in part(page, "crossover").inner_text()
    assert f"{100 * best_alpha(EXAMPLE):g}%" in part(page, "best_alpha").inner_text()


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"u_norm": 0}, "scratch", "Train from scratch: .* negative transfer"),
        ({"alpha": 0}, "either", "Either: .* no difference"),
        ({"d": 1000}, "unknown", "No prediction: .* d is 1000; with this N₁ the theory is for 162"),
        ({"upstream.m": 5}, "unknown", "No prediction: .* upstream network's 5"),
    ],
)
def test_sliders_change_the_verdict(visit, changes, verdict, words):
    page = settled(visit())
    page.locator("summary").click()
    for name, value in changes.items():
        page.locator(f'[name="{name}"]').evaluate(SET, value)
    settled(page)
    assert part(page, "answer").get_attribute("class") == verdict
    assert re.match(words, part(page, "sentence").inner_text())


def test_the_command_is_that_of_the_point(visit):
    page = settled(visit(permissions=["clipboard-read", "clipboard-write"]))
    assert part(page, "command").inner_text() == "legatee predict"
    for name, value in {"u_norm": 0.85, "upstream.n": 250, "sigma_0": 1e-5}.items():
        page.locator(f'[name="{name}"]').evaluate(SET, value)
    part(page, "copy").click()
    until(lambda: part(page, "copied").inner_text() == "Copied.")
    typed = page.evaluate("navigator.clipboard.readText()").split()
    assert typed[:2] == ["legatee", "predict"]
    changed = {"u_norm": 0.85, "upstream.n": 250, "sigma_0": 1e-5}
    assert fields(setting_of(typed[2:])) == {**fields(EXAMPLE), **changed}
    part(page, "reset").click()
    assert part(page, "command").inner_text() == "legatee predict"


def test_a_slider_answers_within_a_tenth_of_a_second(visit):
    page = settled(visit())
    moves = {"u_norm": (10, 60), "d": (40, 70), "alpha": (20, 3), "m": (12, 30)}
    moves |= {"upstream.n": (10, 35), "downstream.sigma_p": (3, 20)}
    for name, (one, other) in moves.items():
        times = []
        while len(times) < 24 and min(times, default=100) >= 100:  # others may keep the cores busy
            times += page.evaluate(ANSWER_TIME, [name, [one, other, one]])
        assert min(times) < 100, (name, times)


def test_the_map_shows_gains_and_a_click_moves_the_sliders(visit):
    page = settled(visit())
    page.locator('[name="m"]').evaluate(SET, 1)  # quick
    until(lambda: "Inheriting gains" in part(page, "map-words").inner_text())
    squares = page.locator(".squares rect").evaluate_all("(all) => all.map((s) => s.classList[0])")
    assert len(squares) == 21 * 13
    for column, row in ((0, 5), (8, 5), (20, 8), (3, 1), (19, 12)):
        plot = part(page, "plot").bounding_box()
        part(page, "plot").click(
            position={
                "x": (column + 0.5) * plot["width"] / 21,
                "y": (12.5 - row) * plot["height"] / 13,
            }
        )
        typed = part(page, "command").inner_text().split()[2:]
        setting = setting_of(typed)
        assert setting.u_norm == column / 4
        assert setting.d == pytest.approx(100 * 10 ** (row / 3), rel=0.05)
        assert setting.m == 1
        found = predict(setting)
        signs = {"inherit": "plus", "scratch": "minus", "unknown": "outside"}
        if found.verdict != "either":
            assert squares[row * 21 + column] == signs[found.verdict]
        middle = page.locator(".marker").bounding_box()
        assert middle["x"] + middle["width"] / 2 == pytest.approx(
            plot["x"] + (column + 0.5) * plot["width"] / 21, abs=2
        )
    assert "outside" in squares
    assert page.locator(".zero").get_attribute("d").startswith("M")


def test_the_other_map_is_drawn_too(visit):
    page = settled(visit())
    page.get_by_label("upstream samples and share inherited").check()
    until(lambda: page.locator(".squares rect").count() == 16 * 20)
    until(lambda: page.locator(".squares rect.plus").count() > 100)
    assert "share inherited" in part(page, "y-name").inner_text()


# --- for everybody --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_sticks_out_and_the_answer_stays_in_sight(visit, width, scheme):
    page = settled(visit(width, color_scheme=scheme))
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator('[name="alpha"]').scroll_into_view_if_needed()
    box = part(page, "sentence").bounding_box()
    assert 0 <= box["y"] < 200


def test_every_slider_has_a_name_and_says_its_value(visit):
    page = settled(visit())
    page.locator("summary").click()
    names = [slider.evaluate("(s) => s.labels[0].innerText") for slider in sliders(page)]
    for symbol in SLIDERS:
        assert sum(name.endswith(symbol) for name in names) == 1
    samples = page.get_by_role("slider", name="Downstream training samples")
    assert samples.get_attribute("aria-valuetext") == "40"
    size = page.get_by_role("slider", name="Size of a patch")
    assert size.get_attribute("aria-valuetext") == "2,000 numbers"
    assert page.get_by_role("slider", name="m₁").get_attribute("aria-valuetext") == "as above"


def test_the_keyboard_moves_a_slider(visit):
    page = settled(visit())
    slider = page.get_by_role("slider", name="Share of the filters")
    slider.focus()
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "1"
    page.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "0.95"
    until(lambda: "95% of the upstream" in part(page, "sentence").inner_text())
    assert part(page, "sentence").get_attribute("aria-live") == "polite"


def sliders(page):
    return page.get_by_role("slider").all()
