"""Settings in JSON and TOML: what people mistype, and what does damage."""

import json
import math

import pytest

import fastdl
from fastdl import backend, nn, train, tune
from fastdl.errors import ArgumentError, DataError, FastdlError, ShapeError
from fastdl.files import read_settings
from fastdl.files.path import as_path

NUMBERS = ["lr", "epochs", "batch_size", "momentum", "weight_decay", "label_smoothing",
           "dropout", "seed", "examples", "patience"]  # fmt: skip
# Those that a number may be.
TAKEN = {
    "2**63": ["lr", "epochs", "batch_size", "weight_decay", "seed", "examples",
              "patience", "size"]
}  # fmt: skip
HOSTILE = {
    "1e999": ("1e999", "1e999"),
    "infinity": ("Infinity", "inf"),
    "not a number": ("NaN", "nan"),
    "10**400": ("1" + "0" * 400, "1" + "0" * 400),
    "10**5000": ("1" + "0" * 5000, "1" + "0" * 5000),
    "2**63": (str(2**63), str(2**63)),
    "-2**63": (str(-(2**63)), str(-(2**63))),
    "a text": ('"3"', '"3"'),
    "true": ("true", "true"),
    "a list": ("[3]", "[3]"),
    "a table": ('{"a": 3}', "{a = 3}"),
    "a deep list": ("[" * 300 + "]" * 300, "[" * 300 + "]" * 300),
    "a bottomless list": ("[" * 100_000, "[" * 100_000),
    "a deep table": ('{"a":' * 300 + "1" + "}" * 300, "1\n" + "a." * 300 + "b = 1"),
}


def settings(path, name, value):
    """Write settings of which one is this text; return them as they are read."""
    if path.suffix == ".json":
        path.write_text(f'{{"dataset": "digits", "{name}": {value}}}')
    else:
        path.write_text(f'dataset = "digits"\n{name} = {value}\n')
    return read_settings(path)


@pytest.mark.parametrize("suffix", [".json", ".toml"])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_values(case, suffix, tmp_path):
    """Each is refused, unless it is an honest number."""
    path = tmp_path / f"a{suffix}"
    value = HOSTILE[case][suffix == ".toml"]
    taken = []
    for name in [*NUMBERS, "size", "augment", "model_options", "model", "dataset2"]:
        try:
            train.Job.from_dict(settings(path, name, value))
        except FastdlError:
            continue
        taken.append(name)
    assert taken == TAKEN.get(case, [])


@pytest.mark.parametrize("case", sorted(HOSTILE.keys() - {"2**63"}))
def test_hostile_values_in_recipes_and_spaces(case, tmp_path):
    value = HOSTILE[case][1]
    path = tmp_path / "a.toml"
    path.write_text(f"lr = {value}\n")
    with pytest.raises(FastdlError, match=r"a\.toml"):
        train.read_recipe(path)
    for scale in ("log", "linear", "integer", "one_minus_log"):
        if "table" in case:
            continue
        path.write_text(f"lr = {{{scale} = [0.5, {value}]}}\n")
        with pytest.raises(FastdlError, match=r"a\.toml"):
            tune.read_space(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a key twice.json", '{"dataset": "digits", "lr": 1, "lr": 0.1}'),
        ("a key twice.toml", 'dataset = "digits"\nlr = 1\nlr = 0.1'),
        ("half a surrogate.json", '{"dataset": "\\ud800"}'),
        ("half a surrogate.toml", 'dataset = "\\ud800"'),
        ("a null.json", '{"dataset": "mnist", "data_dir": "a\\u0000b"}'),
        ("a null.toml", 'dataset = "mnist"\ndata_dir = "a\\u0000b"'),
        ("latin 1.json", b'{"dataset": "\xe9"}'),
        ("latin 1.toml", b'dataset = "\xe9"'),
        ("two objects.json", '{"dataset": "digits"}{}'),
        ("a list.json", '["digits"]'),
        ("nothing.json", ""),
        ("nothing.toml", ""),
        ("only a mark.json", b"\xef\xbb\xbf"),
        ("nothing", ""),
    ],
)
def test_hostile_files(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FastdlError):
        train.Job.from_dict(read_settings(path)).load()


@pytest.mark.parametrize("name", ["a.json", "a.toml", "a"])
def test_a_byte_order_mark_is_no_damage(name, tmp_path):
    text = 'dataset = "digits"' if name == "a.toml" else '{"dataset": "digits"}'
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_settings(tmp_path / name) == {"dataset": "digits"}


@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_nesting_is_bounded(suffix, tmp_path):
    """Far below what Python's stack allows those who go through the values."""
    path = tmp_path / f"a{suffix}"
    for depth, allowed in ((150, True), (250, False)):
        nest = "[" * depth + "]" * depth
        path.write_text(f'{{"a": {nest}}}' if suffix == ".json" else f"a = {nest}")
        if allowed:
            assert "a" in read_settings(path)
        else:
            with pytest.raises(DataError, match="deep"):
                read_settings(path)


@pytest.mark.parametrize("hidden", [[1000, 10**12], [10**12], [10**400], [2**63]])
def test_networks_of_terabytes_are_refused_before_memory_is_taken(hidden, monkeypatch):
    empty = backend.empty

    def small(shape, dtype):
        assert math.prod(shape) < 10**8
        return empty(shape, dtype)

    monkeypatch.setattr(backend, "empty", small)
    settings = {"dataset": "digits", "model": "mlp"}
    settings["model_options"] = {"hidden": hidden}
    job = train.Job.from_dict(json.loads(json.dumps(settings)))
    with pytest.raises((ArgumentError, ShapeError), match=r"memory|below"):
        job.trainer(job.load())


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_no_file_can_have(name):
    model = nn.Linear(2, 3)
    for call in (
        lambda: as_path(name, "who"),
        lambda: fastdl.save(model, name),
        lambda: fastdl.load(name),
        lambda: train.open_run(name),
        lambda: fastdl.Trainer(model).save(name),
        lambda: train.Job("mnist", data_dir=name).load(),
        lambda: train.read_recipe(name),
        lambda: tune.read_space(name),
    ):
        with pytest.raises(FastdlError):
            call()
