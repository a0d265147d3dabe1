"""S23: what TensorBoard shows, read back with its own reader."""

import json
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from fastdl import nn, optim, train
from fastdl.errors import ArgumentError, FastdlError, ShapeError

pytest.importorskip("tensorboardX")
pytest.importorskip("tensorboard")

DATA = np.eye(2, dtype=np.float32), np.arange(2)


@pytest.fixture
def read():
    """Return a function that reads a folder as TensorBoard does."""
    from tensorboard.backend.event_processing import event_accumulator

    def reader(folder):
        everything = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)
        return event_accumulator.EventAccumulator(str(folder), everything).Reload()

    return reader


def fit(folder, epochs=3, **options):
    one = train.Trainer(nn.Linear(2, 2), optimizer=partial(optim.SGD, lr=0.1))
    one.fit(DATA, epochs=epochs, callbacks=[train.TensorBoardLog(folder, **options)])
    return one


def test_every_column_is_a_curve(tmp_path, read):
    """S23: losses, metrics, speed."""
    one = fit(tmp_path / "new", epochs=150)
    seen = read(tmp_path / "new")
    assert seen.Tags()["scalars"] == one.history.columns[1:]
    for name in one.history.columns[1:]:
        events = seen.Scalars(name)
        assert [event.step for event in events] == one.history["epoch"]
        values = [event.value for event in events]
        np.testing.assert_array_equal(values, np.float32(one.history[name]))
    (path,) = (tmp_path / "new").iterdir()
    assert events[-1].wall_time == pytest.approx(path.stat().st_mtime, abs=60)


def test_weights_are_histograms(tmp_path, read):
    """S23: those of the last epoch are the weights that the model has now."""
    one = fit(tmp_path)
    seen = read(tmp_path)
    assert sorted(seen.Tags()["histograms"]) == ["bias", "weight"]
    events = seen.Histograms("weight")
    assert [event.step for event in events] == [1, 2, 3]
    last, weight = events[-1].histogram_value, one.model.weight.numpy()
    assert last.num == 4
    assert (last.min, last.max) == (weight.min(), weight.max())
    assert last.sum == pytest.approx(weight.sum(dtype=np.float64))
    assert sum(last.bucket) == 4
    assert fit(tmp_path / "off", histograms=False)
    assert read(tmp_path / "off").Tags()["histograms"] == []


def test_weights_that_are_not_finite(tmp_path, read):
    one = train.Trainer(nn.Linear(2, 2))
    log = train.TensorBoardLog(tmp_path)
    log.on_train_begin(one, 1, 1)
    one.model.weight.data[0, 0] = np.nan
    one.model.bias.data[:] = np.inf
    log.on_epoch_end(one, {"epoch": 1, "loss": np.nan})
    log.on_train_end(one)
    seen = read(tmp_path)
    assert seen.Histograms("weight")[0].histogram_value.num == 3
    assert seen.Tags()["histograms"] == ["weight"]
    assert np.isnan(seen.Scalars("loss")[0].value)


def text(seen, name):
    (event,) = seen.Tensors(f"{name}/text_summary")
    return event.tensor_proto.string_val[0].decode()


def test_the_configuration_is_a_table(tmp_path, read):
    fit(tmp_path, configuration={"data": "digits", "augment": "a|b"})
    seen = read(tmp_path)
    table = text(seen, "configuration")
    assert table.startswith("| setting | value |\n|---|---|\n")
    for row in (
        *("| network | Linear |", "| parameters | 6 |", "| epochs | 3 |"),
        *("| data | digits |", "| augment | a\\|b |", "| batches | 1 |"),
    ):
        assert row in table.splitlines()
    assert "SGD" in table
    assert "CrossEntropyLoss" in table
    assert "Linear(2, 2" in text(seen, "network")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pictures(channels, dtype, tmp_path, read):
    """A grid of eight in a row."""
    image = pytest.importorskip("PIL.Image")
    import io

    x = np.random.default_rng(0).integers(0, 256, (10, 5, 6, channels), np.uint8)
    pixels = x if dtype is np.uint8 else x / np.float32(255)
    fit(tmp_path, pictures=pixels)
    (event,) = read(tmp_path).Images("pictures")
    shown = np.asarray(image.open(io.BytesIO(event.encoded_image_string)))
    assert shown.shape == (2 * 5, 8 * 6, 3)
    np.testing.assert_allclose(shown[:5, 6:12], x[1] + np.zeros(3), atol=1)
    np.testing.assert_allclose(shown[5:, 6:12], x[9] + np.zeros(3), atol=1)


def test_again_makes_another_file(tmp_path, read):
    """Within a second, too; the second goes on where the first one ended."""
    one = train.Trainer(nn.Linear(2, 2))
    for _ in range(2):
        one.fit(DATA, epochs=2, callbacks=[train.TensorBoardLog(tmp_path)])
    assert len(list(tmp_path.iterdir())) == 2
    # As a folder of several files is read.
    from tensorboard.backend.event_processing import event_multiplexer

    seen = event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    assert [event.step for event in seen.Reload().Scalars(".", "loss")] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pictures": np.zeros((4, 5, 6))}, ShapeError, r"expected pictures \(n, h,"),
        ({"pictures": np.zeros((0, 5, 6, 1))}, ShapeError, "expected pictures"),
        ({"pictures": np.zeros((1, 5, 6, 2))}, ShapeError, "expected pictures"),
        ({"histograms": 10}, ArgumentError, "TensorBoardLog: histograms must be True"),
    ],
)
def test_wrong_arguments(options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        train.TensorBoardLog(tmp_path, **options)


def test_a_copy_decides_the_same(tmp_path):
    """Callbacks can be pickled."""
    log = train.TensorBoardLog(tmp_path, {"data": "digits"}, np.zeros((1, 2, 2, 3)))
    copy = pickle.loads(pickle.dumps(log))
    assert copy.decides() is None
    assert (copy.folder, copy.configuration) == (log.folder, log.configuration)


def test_without_tensorboardx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(FastdlError, match=r'pip install "fastdl-cpu\[tensorboard\]"'):
        train.TensorBoardLog(tmp_path)


FULL = """
import json, resource, sys
from fastdl import nn, train
log = train.TensorBoardLog(sys.argv[1])
one = train.Trainer(nn.Linear(2, 2))
log.on_train_begin(one, 1, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # as a disk of one page
try:
    for epoch in range(1, 100):
        log.on_epoch_end(one, {"epoch": epoch, "loss": 0.5})
except OSError as error:
    print(json.dumps([type(error).__name__, error.filename, epoch < 50]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the length of files")
def test_a_full_disk_is_an_oserror_with_the_path(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FULL, tmp_path / "run"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["OSError", str(tmp_path / "run"), True]
