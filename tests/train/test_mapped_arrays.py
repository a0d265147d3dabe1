"""Arrays in memory-mapped files train without being read whole."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import fastdl
from fastdl import nn
from fastdl.data import Subset
from fastdl.errors import NonFiniteError
from fastdl.train import checks

CODE = """
    import sys
    import numpy as np
    from fastdl import data, nn
    from fastdl.errors import FastdlError
    from fastdl.train import Callback, Trainer, checks

    def peak():
        with open("/proc/self/status") as lines:
            return next(int(l.split()[1]) for l in lines if l.startswith("VmHWM"))

    class Stop(Callback):
        def on_batch_end(self, trainer, step):
            if step.batch == 2:
                raise KeyboardInterrupt

    checks._NUMBERS_OF_FILE = 1 << 18  # a system may read megabytes for each page
    m = 250_000
    x = np.lib.format.open_memmap(sys.argv[1], "w+", sys.argv[2], (m, 32, 32, 3))
    del x  # a file of holes: it takes no room
    x = np.load(sys.argv[1], mmap_mode="r")
    y = np.arange(m) % 2
    before = peak()
    train, dev = data.split((x, y), (-1, 100), stratify=True)
    trainer = Trainer(nn.Sequential(nn.Flatten(), nn.Linear(None, 2)))
    for source in ((x, y), data.DataLoader(train, shuffle=True, workers=2)):
        try:
            trainer.fit(
                source, epochs=1, validation=dev, callbacks=[Stop()], progress=False,
                checkpoint=sys.argv[1] + ".checkpoint",
            )
        except KeyboardInterrupt:
            pass
    trainer.evaluate(data.Subset(train, slice(0, 64)))
    print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize(
    ("dtype", "size"),
    [("|u1", 0.75e9), pytest.param("<f4", 3e9, marks=pytest.mark.soak)],
)
def test_gigabytes_are_not_read(dtype, size, tmp_path):
    """Fit, with a checkpoint, reads some pages; mapped ones count as memory here."""
    argv = [sys.executable, "-c", textwrap.dedent(CODE), str(tmp_path / "x.npy"), dtype]
    result = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert 1024 * int(result.stdout) < size / 8


@pytest.mark.parametrize("rows", [1, 3, 10, 10_000])
def test_nan_in_a_file_is_looked_for_at_equal_distances(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "_NUMBERS_OF_FILE", 4 * rows)
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "<f4", (10, 4))
    looked_at = []
    for row in range(10):
        x[:] = 0
        x[row, 2] = np.nan
        x.flush()
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        trainer = fastdl.Trainer(nn.Linear(None, 2))
        data = Subset((mapped, np.arange(10) % 2), slice(None))
        found = ""
        try:
            checks.check_finite(data, "training")
        except NonFiniteError as error:
            found = str(error)
            looked_at.append(row)
        assert found == "" or f"x[{row}, 2] of the training data is nan" in found
        with pytest.raises(NonFiniteError):  # in any case before the first update
            trainer.fit(data, epochs=1, progress=False)
    assert looked_at == {1: [0], 3: [0, 3, 6]}.get(rows, list(range(10)))
