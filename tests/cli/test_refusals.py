"""What the command ``fastdl`` cannot do is an error in one line."""

import json
import re
import shutil

import pytest
from PIL import Image


def assert_one_line(result, message):
    code, _, err = result
    *before, last = err.splitlines()
    assert code == 2
    assert all(line.startswith("epoch") for line in before)
    assert last.startswith("fastdl: error: ")
    assert re.search(message, last), last


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, with --lr 1e30
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("", "COMMAND.*--help"),
        ("trian digits", "invalid choice: 'trian'"),
        ("train", r"required: DATASET \(see fastdl train --help\)"),
        ("train digitz", "'digitz' is neither .* folder.*did you mean 'digits'"),
        ("train no/such/folder", "neither a data set nor a folder"),
        ("train digits --model convnt", "'convnt'; did you mean 'convnet'"),
        ("train digits --optimizer adm", "'adm'; did you mean 'adam'"),
        ("train digits --lr fast", "--lr: expected a number above 0, got 'fast'"),
        ("train digits --allow-changes lr", "--allow-changes is for --resume"),
        ("train digits --threads 2000", "expected an integer from 1 to 1024, got 2000"),
        ("train digits --augment crop=8", "Augment: crop must be less than .* 8 x 8"),
        ("train digits --lr 0", "--lr: expected a number above 0, got '0'"),
        ("train digits --lr -1", "--lr"),
        ("train digits --lr nan", "--lr"),
        ("train digits --lr inf", "--lr"),
        ("train digits --epochs 0", "--epochs: expected an integer from 1, got '0'"),
        ("train digits --epochs 1.5", "--epochs"),
        ("train digits --batch-size 0", "--batch-size"),
        ("train digits --seed -1", "--seed"),
        ("train digits --threads 0", "--threads"),
        ("train digits --size 8,8,3", "--size: expected height and width"),
        ("train digits --size 8x8", "or one number for both, got '8x8'"),
        ("train digits --epoch", "--epoch"),
        ("train digits more", "unrecognized arguments: more"),
        ("train digits --lr 1e30 --model mlp --epochs 2", "loss is|is not finite"),
        ("train digits --model s41", r"layer '4' \(Conv2d\): .*kernel"),
        ("models ResNet50", "did you mean 'resnet50'"),
        ("models --svg x.svg", "--svg is for one network; say by NAME which one"),
        ("models --input 8,8,1", "--input is for one network"),
        ("models --classes 3", "--classes is for one network"),
        ("summary convnt --input 8,8,1", "did you mean 'convnet'"),
        ("summary convnet --input 8,x", "--input: expected the shape"),
        ("summary convnet --input 1,1,1", r"layer '2' \(MaxPool2d\)"),
        ("summary convnet --input 8,8,1 --classes 0", "--classes"),
        ("evaluate none digits", "there is no file and no run folder none"),
        ("predict none picture.png", "there is no file and no run folder none"),
        ("predict none", "required: IMAGE"),
    ],
)
def test_wrong_arguments(fastdl_command, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    assert_one_line(fastdl_command(*argv.split()), message)


@pytest.mark.parametrize(
    "argv",
    [
        ("train", ""),
        ("train", "digits", "--out", ""),
        ("train", "digits", "--from", ""),
        ("train", "digits", "--config", ""),
        ("tune", ""),
        ("evaluate", "", "digits"),
        ("predict", "", "7.png"),
        ("predict", "run", ""),
        ("gradcheck", ""),
        ("labels", ""),
        ("report", ""),
        ("summary", "mlp", "--svg", ""),
    ],
    ids=" ".join,
)
def test_an_empty_path_is_not_the_folder_where_the_user_is(fastdl_command, argv):
    assert_one_line(fastdl_command(*argv), r"expected a name or a path, got ''")


def test_files_of_a_data_set_are_missing(fastdl_command, tmp_path):
    result = fastdl_command("train", "signs", "--data-dir", tmp_path)
    assert_one_line(result, rf"signs\.npz is missing.*{tmp_path}/signs")


def test_out_is_a_file(fastdl_command, tmp_path):
    (tmp_path / "file").touch()
    result = fastdl_command("train", "digits", "--out", tmp_path / "file")
    assert_one_line(result, "file")


def test_pictures_of_different_sizes(fastdl_command, pictures, tmp_path):
    result = fastdl_command("train", pictures, "--out", tmp_path)
    assert_one_line(result, r"pixels, others have .*\(--size 64\)")


def test_one_number_is_height_and_width(fastdl_command, pictures, tmp_path):
    """The message above, followed."""
    code, out, _ = fastdl_command(
        *("train", pictures, "--size", 64, "--model", "logistic", "--epochs", 1),
        *("--out", tmp_path),
    )
    assert code == 0
    assert "examples of 64x64x3" in out


def test_file_that_is_no_run(fastdl_command, digits_run):
    file = digits_run / "model.safetensors"
    result = fastdl_command("report", file)
    assert_one_line(result, f"no run folder {file}: it is a file")


def test_folder_that_is_no_run(fastdl_command, tmp_path):
    result = fastdl_command("evaluate", tmp_path, "digits")
    assert_one_line(result, "is no run folder: it has no config.json")


@pytest.fixture
def copy_of_run(digits_run, tmp_path):
    return shutil.copytree(digits_run, tmp_path / "copy")


def test_config_without_classes(fastdl_command, copy_of_run):
    (copy_of_run / "config.json").write_text('{"dataset": "digits"}')
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, r"config\.json has no classes and input_shape")


@pytest.mark.parametrize(
    "text",
    [
        '{"classes": ["a"], "input_shape": [1e999, 8, 1]}',
        '{"classes": ["a"], "input_shape": [8, 8, NaN]}',
        '{"classes": ["a"], "input_shape": "881"}',
        '{"classes": ["a"], "input_shape": [8, 8]}',
        '{"classes": "abc", "input_shape": [8, 8, 1]}',
        '{"classes": [1, 2], "input_shape": [8, 8, 1]}',
        '{"classes": null, "input_shape": null}',
    ],
)
def test_config_of_other_types(fastdl_command, copy_of_run, text):
    (copy_of_run / "config.json").write_text(text)
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, r"config\.json has no classes and input_shape")


def test_config_nested_beyond_the_stack(fastdl_command, copy_of_run):
    (copy_of_run / "config.json").write_text("[" * 100_000)
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, r"config\.json is damaged")


@pytest.mark.parametrize("change", ["too few classes", "too large a picture"])
def test_config_that_does_not_fit_the_model(change, fastdl_command, copy_of_run):
    config = json.loads((copy_of_run / "config.json").read_text())
    if change == "too few classes":
        config["classes"].pop()
    else:
        config["input_shape"] = [10**6, 10**6, 1]
    (copy_of_run / "config.json").write_text(json.dumps(config))
    picture = copy_of_run / "curves.png"
    Image.new("L", (8, 8)).save(picture)
    result = fastdl_command("predict", copy_of_run, picture)
    assert_one_line(result, "numbers for an example|1000000 x 1000000 are too large")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "cut off"),
        (lambda data: b"not a model", "as a safetensors file"),
        (lambda data: b"", "safetensors"),
        (lambda data: data.replace(b"Flatten", b"Flutten"), "another checksum"),
    ],
    ids=["cut off", "foreign", "empty", "changed"],
)
def test_damaged_model(fastdl_command, copy_of_run, damage, message):
    model = copy_of_run / "model.safetensors"
    model.write_bytes(damage(model.read_bytes()))
    assert_one_line(fastdl_command("evaluate", copy_of_run, "digits"), message)


def test_missing_model(fastdl_command, copy_of_run):
    (copy_of_run / "model.safetensors").unlink()
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, r"model\.safetensors")


def test_other_classes_and_other_shapes(fastdl_command, copy_of_run, pictures):
    result = fastdl_command("evaluate", copy_of_run, pictures)
    assert_one_line(result, "has pictures of 8x8x3, but the network takes 8x8x1")
    config = json.loads((copy_of_run / "config.json").read_text())
    config["classes"][0] = "zero"
    (copy_of_run / "config.json").write_text(json.dumps(config))
    result = fastdl_command("evaluate", copy_of_run, "digits")
    assert_one_line(result, "has the classes 0, 1, .* but the network knows zero, 1,")


def test_pictures_that_cannot_be_read(fastdl_command, digits_run, tmp_path):
    result = fastdl_command("predict", digits_run, tmp_path / "none.png")
    assert_one_line(result, r"none\.png")
    (tmp_path / "text.png").write_text("no picture")
    result = fastdl_command("predict", digits_run, tmp_path / "text.png")
    assert_one_line(result, r"text\.png cannot be read as a picture")


def test_a_bug_is_one_line_too(fastdl_command, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("fastdl.models.create", broken)
    argv = ("summary", "convnet", "--input", "8,8,1")
    assert_one_line(
        fastdl_command(*argv), r"ZeroDivisionError: division by zero \(FASTDL_DEBUG=1"
    )
    monkeypatch.setenv("FASTDL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        fastdl_command(*argv)
