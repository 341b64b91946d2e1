from math import sqrt

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from legatee.data.load import load_data
from legatee.data.sources.digits import read_digits
from legatee.errors import DataError, UnknownNameError

REAL = load_digits()
SHOWN = {image.tobytes(): digit for image, digit in zip(REAL.images, REAL.target, strict=True)}


def real_images(data) -> list[bytes]:
    """Undo the scaling to 0..1: sixteenths are exact in binary."""
    return [image.tobytes() for image in data.inputs.squeeze(1).double().numpy() * 16]


def test_the_plain_digits_are_the_real_ones_with_their_labels():
    data = load_data("digits")
    assert data.shape == (1, 8, 8)
    assert sorted(real_images(data)) == sorted(SHOWN)
    assert [SHOWN[image] for image in real_images(data)] == data.targets.tolist()
    assert data.class_names == tuple("0123456789")


def test_the_parts_are_disjoint_and_together_all():
    train, test = load_data("digits:part=train,seed=1"), load_data("digits:part=test,seed=2")
    assert not set(real_images(train)) & set(real_images(test))
    assert set(real_images(train)) | set(real_images(test)) == set(SHOWN)
    share = torch.bincount(train.targets) / torch.from_numpy(np.bincount(REAL.target))
    assert torch.allclose(share, torch.tensor(0.6), atol=0.5 / 174)  # 174: the rarest digit


def test_labels_are_renumbered_in_the_order_asked_for():
    data = load_data("digits:classes=7+0-2")
    assert data.class_names == ("7", "0", "1", "2")
    shown = [SHOWN[image] for image in real_images(data)]
    assert [int(data.class_names[label]) for label in data.targets] == shown


@pytest.mark.parametrize("n", [10, 23, 1000, 1780, 1796])
def test_a_sample_is_balanced_and_uses_no_image_twice(n):
    data = load_data(f"digits:n={n}")
    assert len(data) == n
    assert len(set(real_images(data))) == n
    counts = torch.bincount(data.targets)
    available = torch.from_numpy(np.bincount(REAL.target))
    short = counts < counts.max() - 1
    assert torch.equal(counts[short], available[short])  # less only where there are no more


def test_more_examples_than_images_use_each_equally_often():
    data = load_data("digits:classes=3+8,part=test,n=1000")
    assert torch.bincount(data.targets).tolist() == [500, 500]
    for label in (0, 1):
        images = [i for i, y in zip(real_images(data), data.targets, strict=True) if y == label]
        times = {images.count(image) for image in set(images)}
        assert max(times) - min(times) <= 1


def windows(canvas: np.ndarray, side: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(canvas, (side, side))


def test_a_shifted_digit_lies_whole_and_anywhere_on_its_canvas():
    data = load_data("digits:canvas=16,shift=1,n=400")
    places = set()
    for canvas, label in zip(
        data.inputs.squeeze(1).double().numpy() * 16, data.targets, strict=True
    ):
        found = [
            (r, c)
            for r in range(9)
            for c in range(9)
            if SHOWN.get(np.ascontiguousarray(windows(canvas, 8)[r, c]).tobytes()) == label
        ]
        assert len(found) == 1
        assert canvas.sum() == windows(canvas, 8)[found[0]].sum()  # and nothing else is there
        places.add(found[0])
    # 81 places, 400 draws: each is missed with chance (80/81)^400 = 0.7 %, 0.6 of them on average
    assert len(places) > 76


def test_an_unshifted_digit_lies_in_the_centre():
    data = load_data("digits:canvas=12")
    inner = data.inputs[:, :, 2:10, 2:10]
    assert inner.sum() == data.inputs.sum()
    assert set(n.tobytes() for n in inner.squeeze(1).double().numpy() * 16) == set(SHOWN)


def scraps_of(part: str) -> set[bytes]:
    images = [np.frombuffer(i).reshape(8, 8) for i in real_images(load_data(f"digits:part={part}"))]
    return {w.tobytes() for image in images for w in windows(image, 3).reshape(-1, 3, 3)}


def test_clutter_is_scraps_of_real_images_of_the_same_part():
    spec = "digits:part=test,canvas=64,n=300"  # so wide that most scraps miss the digit
    plain, data = load_data(spec), load_data(spec + ",clutter=1")
    assert torch.equal(plain.targets, data.targets)
    train, test = scraps_of("train"), scraps_of("test")
    seen = only_test = own = 0
    added = (data.inputs - plain.inputs).squeeze(1).double().numpy() * 16
    digits = plain.inputs[:, 0, 28:36, 28:36].double().numpy() * 16
    for canvas, digit in zip(added, digits, strict=True):
        assert (canvas >= 0).all()
        rows, columns = np.nonzero(canvas)
        if len(rows) == 0 or canvas[26:38, 26:38].any():  # the digit lies in 28:36
            continue
        assert max(np.ptp(rows), np.ptp(columns)) < 3
        near = np.pad(canvas, 2)[rows.max() : rows.min() + 5, columns.max() : columns.min() + 5]
        found = {np.ascontiguousarray(w).tobytes() for w in windows(near, 3).reshape(-1, 3, 3)}
        assert found & test
        seen += 1
        only_test += not found & train
        own += bool(found & {w.tobytes() for w in windows(digit, 3).reshape(-1, 3, 3)})
    assert seen > 200
    assert only_test > 100  # the check could have failed
    assert own < 0.2 * seen  # by coincidence: scraps of one pixel are common


def test_as_many_scraps_as_asked_for():
    spec = "digits:canvas=64,n=300"
    plain = load_data(spec).inputs
    inked = [((load_data(f"{spec},clutter={k}").inputs > plain).sum().item()) for k in (1, 4)]
    assert inked[1] / inked[0] == pytest.approx(4, rel=0.1)  # about 1,500 pixels: 3 % of error


def test_noise_has_the_standard_deviation_asked_for_and_moves_nothing_else():
    plain = load_data("digits:canvas=16,shift=1,clutter=2,n=500")
    noise = load_data("digits:canvas=16,shift=1,clutter=2,n=500,noise=0.3").inputs - plain.inputs
    # N = 500 * 256 pixels: standard errors 0.3 / sqrt(N) of the mean, 0.3 / sqrt(2 N) of the sd
    assert abs(noise.mean().item()) < 4 * 0.3 / sqrt(128_000)
    assert abs(noise.std().item() - 0.3) < 4 * 0.3 / sqrt(256_000)


def test_parts_share_no_noise():
    train, test = (load_data(f"digits:part={p},noise=1,n=100").inputs for p in ("train", "test"))
    both = torch.stack([train.flatten(), test.flatten()])
    plain = (load_data(f"digits:part={p},n=100").inputs for p in ("train", "test"))
    both -= torch.stack([inputs.flatten() for inputs in plain])
    assert abs(torch.corrcoef(both)[0, 1].item()) < 4 / sqrt(6400)


def test_invert_exchanges_black_and_white():
    spec = "digits:canvas=10,n=50"
    assert torch.equal(load_data(spec + ",invert=1").inputs, 1 - load_data(spec).inputs)


def test_permute_is_one_fixed_permutation_of_the_pixels_in_every_part():
    found = []
    for part in ("train", "test"):
        spec = f"digits:part={part},noise=1,n=100"  # noise makes every pixel's history unique
        plain = load_data(spec).inputs.flatten(1)
        moved = load_data(spec + ",permute=7").inputs.flatten(1)
        same = (plain[:, :, None] == moved[:, None, :]).all(0)
        assert (same.sum(0) == 1).all()
        assert (same.sum(1) == 1).all()
        found.append(same)
    assert torch.equal(found[0], found[1])
    assert not found[0].diagonal().all()
    assert not torch.equal(
        load_data("digits:n=10,permute=7").inputs, load_data("digits:n=10,permute=8").inputs
    )


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_label_noise_redraws_its_share_of_the_labels(share):
    plain, noisy = load_data("digits:n=5000"), load_data(f"digits:n=5000,label_noise={share}")
    assert torch.equal(plain.inputs, noisy.inputs)
    changed = (plain.targets != noisy.targets).float().mean().item()
    # share * n labels redrawn, each changed with chance 0.9: standard error of the share changed
    error = sqrt(0.9 * 0.1 * share / 5000)
    assert abs(changed - 0.9 * share) < 4 * error
    counts = torch.bincount(noisy.targets[plain.targets != noisy.targets], minlength=10)
    expected = 0.09 * share * 5000
    assert ((counts - expected).abs() < 5 * sqrt(expected)).all()


def test_resized_digits_are_interpolated_linearly():
    plain, large = load_data("digits:n=100"), load_data("digits:n=100,size=16")
    assert torch.equal(plain.targets, large.targets)
    # doubling by hand: each pixel's centre lies a quarter from its own, the border repeated
    double = torch.zeros(16, 8)
    for i in range(8):
        double[2 * i, i] += 0.75
        double[2 * i, max(i - 1, 0)] += 0.25
        double[2 * i + 1, i] += 0.75
        double[2 * i + 1, min(i + 1, 7)] += 0.25
    torch.testing.assert_close(large.inputs, double @ plain.inputs @ double.T)
    assert load_data("digits:n=100,size=5").shape == (1, 8, 8)


def test_the_same_spec_gives_the_same_bits_whatever_was_drawn_before():
    spec = "digits:classes=0-4,n=500,canvas=16,shift=1,clutter=2,noise=0.3,label_noise=0.1,seed=3"
    first = load_data(spec)
    np.random.seed(1)  # noqa: NPY002 - the global state that must not matter
    torch.manual_seed(1)
    again = load_data(spec)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.inputs, load_data(spec.replace("seed=3", "seed=4")).inputs)
    assert first.name == spec


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("canvas=7", "cannot use canvas=7; give a whole number in 8..256"),
        ("size=3", "cannot use size=3; give a whole number in 4..256"),
        ("size=20,canvas=16", "cannot use size=20; give at most the canvas, 16"),
        ("n=0", "cannot use n=0; give a whole number in 1..1000000"),
        ("n=many", "cannot use n=many; give a whole number in 1..1000000"),
        ("shift=2", "cannot use shift=2; give a whole number in 0..1"),
        ("invert=yes", "cannot use invert=yes; give a whole number in 0..1"),
        ("clutter=-1", "cannot use clutter=-1; give a whole number in 0..100"),
        ("noise=-0.1", "cannot use noise=-0.1; give a number in 0..100"),
        ("noise=nan", "cannot use noise=nan; give a number in 0..100"),
        ("label_noise=1.5", "cannot use label_noise=1.5; give a number in 0..1"),
        ("part=val", "cannot use part=val; give all or train or test"),
        ("n=5,n=6", "cannot read 'n=6'; give each option once, as key=value"),
        ("n", "cannot read 'n'; give each option once, as key=value"),
    ],
)
def test_a_bad_value_is_named_with_its_range(options, sentence):
    with pytest.raises(DataError) as refused:
        load_data(f"digits:{options}")
    assert str(refused.value) == f"digits: {sentence}"


@pytest.mark.parametrize("classes", ["4", "3-3", "0+0", "0-3+2", "5-2", "a-b", "0-12", "1+-3", "-"])
def test_bad_classes_are_refused(classes):
    with pytest.raises(DataError) as refused:
        load_data(f"digits:classes={classes}")
    assert str(refused.value) == (
        f"digits: cannot use classes={classes}; give two or more of the digits 0..9, each once, "
        "as in 0-4 or 5+7+9"
    )


def test_fewer_examples_than_classes_are_refused():
    with pytest.raises(DataError, match="'digits:n=9': 9 examples of 10 classes"):
        load_data("digits:n=9")


def test_an_unknown_option_is_met_with_the_nearest():
    with pytest.raises(UnknownNameError) as refused:
        load_data("digits:clutte=2")
    assert str(refused.value) == "unknown digits option 'clutte'; did you mean clutter?"


def test_more_pixels_than_any_memory_holds_are_refused_at_once():
    with pytest.raises(DataError, match=r"n=1000000 canvases have 65,536,000,000 pixels; expected"):
        load_data("digits:n=1000000,canvas=256")


@pytest.mark.parametrize(
    ("most", "more"),
    [
        ("n=16384,canvas=256", "n=16385,canvas=256"),  # 2^14 canvases of 2^16 pixels
        ("n=16384,size=256", "n=16385,size=256"),
    ],
)
def test_two_to_the_thirtieth_pixels_are_not_too_many(most, more):
    assert read_digits(most).n == 16384
    with pytest.raises(DataError, match="expected at most 1,073,741,824 in all"):
        read_digits(more)


def test_what_is_not_asked_for_is_not_done():
    plain, same = load_data("digits:n=40"), load_data("digits:n=40,noise=0,clutter=0,shift=0")
    assert torch.equal(plain.inputs, same.inputs)
    assert torch.equal(plain.targets, same.targets)
    assert plain.inputs.unique().numel() <= 17  # sixteenths of the real images
