"""Out of the library: ONNX with a dynamic batch, DLPack to and from NumPy, TensorBoard."""

import os
import tempfile

import numpy as np

import fastdl
from fastdl import datasets, interop, nn, train

fastdl.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 10)
)
model.eval()
x = np.random.default_rng(0).standard_normal((4, 8, 8, 1)).astype("float32")
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "net.onnx")
    try:
        import onnx  # the extra "onnx"
    except ImportError:
        print("onnx is not installed")
    else:
        model.build((8, 8, 1))
        interop.export_onnx(model, path)
        assert os.path.getsize(path) > 1000
        again = interop.load_onnx(path)
        assert np.allclose(again(x).numpy(), model(x).numpy(), atol=1e-4)
    try:
        import onnxruntime
    except ImportError:
        print("onnxruntime is not installed")
    else:
        session = onnxruntime.InferenceSession(path)
        (got,) = session.run(None, {"input": x})
        assert np.allclose(got, model(x).detach().numpy(), atol=1e-4)

    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    t = fastdl.from_dlpack(a)
    t[0, 0] = 100
    assert a[0, 0] == 100  # shared
    assert t.numpy()[0, 0] == 100 and np.shares_memory(t.numpy(), a)
    assert np.from_dlpack(t)[0, 0] == 100
    assert fastdl.from_dlpack(np.ones(3)).dtype == np.float64

    logs = os.path.join(folder, "runs")
    trainer = fastdl.Trainer(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    trainer.fit(
        datasets.load("digits").train, epochs=2, callbacks=[train.TensorBoardLog(logs)]
    )
    assert any("tfevents" in name for name in os.listdir(logs))
