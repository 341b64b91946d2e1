import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from legatee.data.load import load_data
from legatee.errors import DataError, UnknownNameError


def refusal(spec: str) -> str:
    """Return the sentence that ``spec`` is refused with, less the spec."""
    with pytest.raises(DataError) as refused:
        load_data(spec)
    return str(refused.value).removeprefix(f"{spec!r}: ")


@pytest.mark.parametrize(
    ("spec", "hint"),
    [("digit:n=5", "did you mean digits?"), ("mnist", "known: digits, folder, npz")],
)
def test_an_unknown_kind_is_met_with_the_nearest(spec, hint):
    with pytest.raises(UnknownNameError, match=re.escape(hint)):
        load_data(spec)


@pytest.fixture
def pets(tmp_path):
    """Three cats, wide and red left of the middle; two dogs, high and blue."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    for i, suffix in enumerate(("png", "bmp", "gif")):
        wide = np.zeros((20, 60, 3), dtype=np.uint8)
        wide[:, :30, 0] = 200
        Image.fromarray(wide).save(tmp_path / "cat" / f"{i}.{suffix}")
    Image.new("RGB", (20, 40), (0, 0, 100)).save(tmp_path / "dog" / "a.jpg", quality=100)
    (tmp_path / "dog" / "old").mkdir()
    Image.new("L", (30, 30), 77).save(tmp_path / "dog" / "old" / "grey.png")
    (tmp_path / "dog" / ".DS_Store").write_bytes(b"hidden files are no images")
    return tmp_path


def test_a_folder_of_classes(pets):
    data = load_data(f"folder:{pets},size=10")
    assert data.class_names == ("cat", "dog")
    assert data.targets.tolist() == [0, 0, 0, 1, 1]
    assert data.inputs.dtype == torch.uint8
    assert data.shape == (3, 10, 10)
    # a cat's centre square is 20 of its 60 columns, ten of them red
    cat = torch.zeros(3, 10, 10, dtype=torch.uint8)
    cat[0, :, :5] = 200
    away = (torch.arange(10) - 4.5).abs() > 1  # beside the seam, where pixels blend
    for image in data.inputs[:3]:
        assert torch.equal(image[:, :, away], cat[:, :, away])
    dog = torch.tensor([0, 0, 100]).view(3, 1, 1)
    assert (data.inputs[3].int() - dog).abs().max() <= 2  # jpeg
    assert (data.inputs[4] == 77).all()


def test_images_are_64_pixels_wide_by_default_and_stand_upright(pets):
    image = Image.new("RGB", (64, 64))
    image.paste((255, 255, 255), (0, 0, 64, 16))
    lying = Image.Exif()
    lying[0x0112] = 3  # the camera was held upside down
    image.save(pets / "dog" / "turned.png", exif=lying)
    data = load_data(f"folder:{pets}")
    assert data.shape == (3, 64, 64)
    assert data.inputs[-1, 0, :, 0].tolist() == [0] * 48 + [255] * 16


def test_a_folder_with_a_comma_in_its_name(pets):
    odd = pets.rename(pets.parent / "cats, dogs")
    assert len(load_data(f"folder:{odd}")) == len(load_data(f"folder:{odd},size=64")) == 5


def test_a_missing_folder_is_refused(tmp_path):
    where = str(tmp_path / "nowhere")
    assert refusal(f"folder:{where}") == f"there is no folder {where!r}"
    assert refusal("folder:") == "there is no folder ''"


def test_a_folder_without_classes_is_refused(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "loose.png")
    sentence = "there are no classes; expected a subfolder of images for each"
    assert refusal(f"folder:{tmp_path}") == sentence


def test_an_empty_class_is_refused(pets):
    (pets / "emu").mkdir()
    assert refusal(f"folder:{pets}") == "class 'emu' has no images"


def test_every_unreadable_image_is_named(pets):
    broken, text = pets / "cat" / "broken.png", pets / "dog" / "z.txt"
    whole = (pets / "cat" / "0.png").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    text.write_text("not an image")
    assert refusal(f"folder:{pets}") == (
        f"2 files cannot be read as images: {broken}, {text}; remove or replace them"
    )


def test_bad_options_of_a_folder_are_refused(pets):
    assert refusal(f"folder:{pets},size=7") == (
        "folder: cannot use size=7; give a whole number in 8..1024"
    )
    with pytest.raises(UnknownNameError, match="unknown folder option 'sise'; did you mean size"):
        load_data(f"folder:{pets},sise=7")


@pytest.mark.parametrize("names", [("inputs", "labels"), ("x", "y")])
def test_a_file_of_arrays(tmp_path, names):
    values = np.random.default_rng(0).normal(size=(5, 3, 2))
    file = tmp_path / "data.npz"
    np.savez(file, **dict(zip(names, (values, np.array([0, 1, 2, 1, 0], ">i4")), strict=True)))
    data = load_data(f"npz:{file}")
    assert torch.equal(data.inputs, torch.tensor(values.tolist()))  # rounded to float32
    assert data.targets.tolist() == [0, 1, 2, 1, 0]
    assert data.class_names == ("0", "1", "2")


def test_a_file_of_images_with_class_names(tmp_path):
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 1, 3, 4)
    np.savez_compressed(tmp_path / "a.npz", x=images, y=[1, 0], classes=["cat", "dog"])
    data = load_data(f"npz:{tmp_path / 'a.npz'}")
    assert data.inputs.dtype == torch.uint8
    assert data.inputs.tolist() == images.tolist()
    assert data.class_names == ("cat", "dog")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_a_file_that_would_execute_code_is_refused_and_executes_none(tmp_path):
    mark, file, bare = tmp_path / "executed", tmp_path / "trap.npz", tmp_path / "bare.npz"
    np.savez(file, x=np.array([Trap(mark)], dtype=object), y=np.array([0]))
    bare.write_bytes(pickle.dumps(Trap(mark)))
    for trap in (file, bare):
        assert refusal(f"npz:{trap}").startswith("this is no readable file of plain arrays: ")
    assert not mark.exists()
    pickle.loads(bare.read_bytes())
    assert mark.exists()  # the trap was armed


def truncated(file: Path) -> None:
    np.savez(file, x=np.zeros((4, 2)), y=[0, 1, 0, 1])
    file.write_bytes(file.read_bytes()[:200])


def flipped(file: Path) -> None:
    np.savez(file, x=np.zeros((4, 2)), y=[0, 1, 0, 1])
    with zipfile.ZipFile(file) as held:
        start = held.getinfo("x.npy").header_offset + 180
    content = bytearray(file.read_bytes())
    content[start] ^= 1
    file.write_bytes(content)


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as held:
        held.writestr("x", "text")
    assert refusal(f"npz:{tmp_path / 'a.npz'}").startswith("the file holds no arrays; expected ")


def single(file: Path) -> None:
    with file.open("wb") as out:
        np.save(out, np.zeros(3))


@pytest.mark.parametrize(
    "spoil", [truncated, flipped, single, lambda f: f.write_bytes(b""), lambda f: f.write_text("x")]
)
def test_a_damaged_file_is_refused(tmp_path, spoil):
    spoil(tmp_path / "a.npz")
    assert refusal(f"npz:{tmp_path / 'a.npz'}").startswith(
        "this is no readable file of plain arrays: "
    )


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": [[0.0]], "z": [0]}, "the file holds 'x', 'z'; expected 'inputs' (or 'x') and"),
        ({}, "the file holds no arrays; expected 'inputs' (or 'x')"),
        (
            {"x": [[0.0], [1.0]], "y": ["cat", "dog"]},
            "inputs are float64, labels are <U3 of shape (2,); expected real inputs, and whole "
            "numbers or real numbers as labels",
        ),
        (
            {"x": [["a"], ["b"]], "y": [0, 1]},
            "inputs are <U1, labels are int64 of shape (2,); expected real inputs, and whole",
        ),
        (
            {"x": [[0.0], [1e300]], "y": [0, 1]},
            "1 examples hold NaN or infinite inputs, the first is example 1",
        ),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0, int)}, "there are no examples"),
        (
            {"x": [[0.0], [1.0]], "y": [0, -1]},
            "1 class; expected at least two, or there is",
        ),
        (
            {"x": [[0.0], [1.0]], "y": [0, 2], "classes": ["cat", "dog"]},
            "label 2 of example 1 is outside 0..1",
        ),
    ],
)
def test_arrays_that_cannot_be_learned_from_are_refused(tmp_path, arrays, sentence):
    np.savez(tmp_path / "a.npz", **arrays)
    assert refusal(f"npz:{tmp_path / 'a.npz'}").startswith(sentence)


def test_a_missing_file_is_refused(tmp_path):
    where = str(tmp_path / "nothing.npz")
    assert refusal(f"npz:{where}") == f"there is no file {where!r}"


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i8"])
def test_labels_of_every_whole_type_are_classes(tmp_path, kind):
    images, labels = np.zeros((6, 1, 8, 8), np.uint8), (np.arange(6) % 2).astype(kind)
    np.savez(tmp_path / "r.npz", inputs=images, labels=labels)
    data = load_data(f"npz:{tmp_path / 'r.npz'}")
    assert data.targets.tolist() == [0, 1, 0, 1, 0, 1]
    assert data.class_names == ("0", "1")


def test_real_labels_are_numbers_to_predict(tmp_path):
    np.savez(tmp_path / "r.npz", x=np.zeros((3, 2)), y=[0.5, 1.5, 2.5])
    data = load_data(f"npz:{tmp_path / 'r.npz'}")
    assert (data.task, data.class_names) == ("regression", None)
    assert data.targets.tolist() == [0.5, 1.5, 2.5]
    np.savez(tmp_path / "n.npz", x=np.zeros((3, 2)), y=[0.5, np.nan, 2.5])
    assert refusal(f"npz:{tmp_path / 'n.npz'}") == (
        "1 targets are NaN or infinite, the first is example 1"
    )


def test_images_of_16_bits_in_arrays_are_scaled(tmp_path):
    images = np.array([0, 257, 65535, 32896], np.uint16).reshape(4, 1, 1, 1)
    np.savez(tmp_path / "a.npz", x=images, y=[0, 1, 0, 1])
    assert load_data(f"npz:{tmp_path / 'a.npz'}").inputs.flatten().tolist() == [0, 1, 255, 128]


def test_a_label_that_would_make_a_million_classes_is_refused_at_once(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 1)), y=[0, 10**12])
    assert refusal(f"npz:{tmp_path / 'a.npz'}") == (
        "the largest label is 1,000,000,000,000; expected classes numbered from 0, "
        "at most 100,000 of them"
    )


def test_class_names_that_are_no_list_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 1)), y=[0, 1], classes="cat")
    assert refusal(f"npz:{tmp_path / 'a.npz'}") == "classes has shape (); expected a list of names"


def test_a_file_that_would_unpack_beyond_reason_is_refused(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as held,
        held.open("x.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(1100):
            member.write(bytes(2**20))
    assert (tmp_path / "a.npz").stat().st_size < 2**22
    assert "would unpack to 1,153,433,600; expected at most" in refusal(f"npz:{tmp_path / 'a.npz'}")


RAMP = np.arange(256, dtype=np.float64).reshape(16, 16)


@pytest.mark.parametrize(
    ("pixels", "suffix"),
    [
        ((RAMP * 257).astype(np.uint16), "png"),
        ((RAMP * 257).astype(np.uint16), "tif"),
        ((RAMP * (2**31 - 1) / 255).astype(np.int32), "tif"),
        ((RAMP / 255).astype(np.float32), "tif"),
        (RAMP.astype(np.uint8), "png"),
    ],
    ids=["16-bit png", "16-bit tiff", "32-bit tiff", "float tiff", "8 bits"],
)
def test_pixels_of_every_depth_are_scaled_and_not_clipped(tmp_path, pixels, suffix):
    for name in ("a", "b"):
        (tmp_path / "d" / name).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "d" / name / f"x.{suffix}")
    data = load_data(f"folder:{tmp_path / 'd'},size=16")
    assert (data.inputs[0].int() - torch.from_numpy(RAMP).int()).abs().max() <= 1


def test_floats_outside_0_to_1_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "d" / name).mkdir(parents=True)
        Image.fromarray(RAMP.astype(np.float32)).save(tmp_path / "d" / name / "x.tif")
    assert "its pixels are numbers from 0 to 255; expected 0..1" in refusal(
        f"folder:{tmp_path / 'd'}"
    )


def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path, pets):
    Image.new("1", (10_000, 6_000)).save(pets / "cat" / "huge.png")
    assert "it has 10000 x 6000 pixels; expected at most 50,000,000" in refusal(f"folder:{pets}")


@pytest.mark.parametrize("part", ["train", "val", "Test"])
def test_parts_of_a_data_set_are_not_taken_for_classes(pets, part):
    (pets / "cat").rename(pets / part)
    message = refusal(f"folder:{pets}")
    assert "which are parts of a data set and not classes" in message
    assert message.endswith(f"name one of them, such as folder:{pets / part}")


def test_what_file_managers_leave_behind_is_no_image(pets):
    count = len(load_data(f"folder:{pets}"))
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (pets / "cat" / name).write_bytes(b"x")
    (pets / "__MACOSX").mkdir()
    assert len(load_data(f"folder:{pets}")) == count


def test_folders_may_be_as_deep_as_the_system_allows(pets):
    made = [pets / "cat"]
    try:
        for _ in range(1200):
            made.append(made[-1] / "d")
            try:
                made[-1].mkdir()
            except OSError:
                made.pop()
                break
        assert len(made) > 1000
        assert len(load_data(f"folder:{pets}")) == 5
    finally:
        for folder in reversed(made[1:]):  # pytest would clean up by recursion
            folder.rmdir()


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_a_path_that_is_too_long_is_refused_in_a_sentence(kind):
    with pytest.raises(DataError, match="File name too long"):
        load_data(f"{kind}:{'a' * 300}")


def test_a_message_names_only_some_of_many_files(pets):
    for n in range(200):
        (pets / "cat" / f"bad{n}.png").write_text("x")
    message = refusal(f"folder:{pets}")
    assert message.startswith("200 files cannot be read as images: ")
    assert message.endswith(" more; remove or replace them")
    assert message.count("bad") < 20
