"""What reads models and trainings, and mutants of them."""

import json
from functools import partial

import numpy as np
import onnx
from safetensors.numpy import save

import fastdl
from fastdl import data, interop, nn, optim, strategy, train
from fastdl.files import previous, read_tensors
from fastdl.files.tensors import _checksum
from tests.files.hostile import mutate

X = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
Y = np.arange(12) % 2


def small_model():
    return nn.Sequential(
        nn.Standardize(2),
        nn.Conv2d(2, 3, (3, 2), padding=((1, 0), (2, 1)), dilation=2),
        nn.BatchNorm2d(3),
        nn.LeakyReLU(0.2),
        nn.MaxPool2d(2, stride=1),
        nn.Dropout(0.3),
        nn.GroupNorm(1, 3),
        nn.GlobalAvgPool2d(),
        nn.Linear(3, 4, weight_init="orthogonal"),
        nn.LayerNorm(4),
    )


def trainer_of(model=None):
    return fastdl.Trainer(
        model or nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)),
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
        optimizer=partial(optim.Adam, lr=0.02),
        metrics=["accuracy", fastdl.metrics.F1()],
        regularization=nn.L2(0.01),
    )


def with_checksum(arrays, texts):
    """Return a safetensors file whose checksum is right, whatever it says."""
    texts = {**texts, "fastdl.format": "2"}
    return save(arrays, {**texts, "fastdl.sha256": _checksum(arrays, texts)})


def split_header(content):
    """Return the JSON data in the header of a safetensors file, and the rest."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


class Models:
    """For each format a file that is whole, and what reads a mutant of it."""

    guarded = ("model_bytes", "trainer_bytes", "checkpoint_bytes")
    slow = (
        "checkpoint_bytes",
        "checkpoint_description",
        "checkpoint_arrays",
        "model_description",
        "weights_with_a_checksum",
    )
    never_raise = ()

    def __init__(self, folder):
        self.path = folder / "model.safetensors"
        self.model = small_model()
        fastdl.save(self.model, self.path)
        self.model_file = self.path.read_bytes()
        self.config = nn.to_config(self.model)
        self.state = self.model.state_dict()

        trainer = trainer_of()
        trainer.fit((X, Y), epochs=1, progress=False)
        trainer.save(self.path)
        self.trainer_file = self.path.read_bytes()
        self.trainer = read_tensors(self.path, aside=True)

        self.checkpoint = folder / "checkpoint.safetensors"
        self.fit()
        self.checkpoint_file = self.checkpoint.read_bytes()
        self.checkpoint_state = read_tensors(self.checkpoint, aside=True)

        whole = strategy.Split((X, Y), {"train": range(8), "dev": range(8, 12)})
        whole.save(self.path)
        self.split = read_tensors(self.path)

        self.twin = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
        self.twin.build((4, 4, 2))
        self.torch = save(interop.torch_state(self.twin), {"format": "pt"})

        self.onnx = folder / "model.onnx"
        exported = small_model()
        exported.build((6, 6, 2))
        exported.class_names = ("a", "b", "c", "d")
        interop.export_onnx(exported.eval(), self.onnx)
        self.onnx_file = self.onnx.read_bytes()

    def put(self, content):
        self.path.write_bytes(content)

    def fit(self, resume=False):
        """Train for two epochs; to resume from a file of two reads it alone."""
        trainer = trainer_of()
        trainer.fit(
            data.DataLoader((X, Y), 6, shuffle=True),
            epochs=2,
            callbacks=[
                train.Schedule(optim.InverseDecay(0.05)),
                train.EarlyStopping("loss", patience=9),
                train.WeightAverage(0.9),
            ],
            checkpoint=self.checkpoint,
            resume=resume,
            progress=False,
        )

    def resume(self, checkpoint):
        """Resume from this alone, without the one before it."""
        self.checkpoint.write_bytes(checkpoint)
        previous(self.checkpoint).unlink(missing_ok=True)
        self.fit(resume=True)

    # Each method reads one mutant.

    def model_bytes(self, rng):
        self.put(mutate.content(self.model_file, rng))
        fastdl.load(self.path)

    def model_of_another_program(self, rng):
        description = {"fastdl.model": json.dumps(self.config)}
        self.put(mutate.content(save(self.state, description), rng))
        fastdl.load(self.path)

    def model_description(self, rng):
        texts = {
            "fastdl.model": mutate.json_text(self.config, rng).decode(errors="replace"),
            "fastdl.use": json.dumps({"input_shape": [6, 6, 2], "class_names": None}),
        }
        if rng.random() < 0.2:
            texts["fastdl.use"] = mutate.json_text(
                {"input_shape": [6, 6, 2], "class_names": ["a", "b", "c", "d"]}, rng
            ).decode(errors="replace")
        self.put(with_checksum(self.state, texts))
        fastdl.load(self.path)

    def tensors_header(self, rng):
        header, rest = split_header(self.model_file)
        for key in ("fastdl.sha256", "fastdl.format"):
            del header["__metadata__"][key]
        text = mutate.json_text(header, rng)
        self.put(len(text).to_bytes(8, "little") + text + rest)
        read_tensors(self.path)

    def weights(self, rng):
        self.put(mutate.content(save(self.state), rng))
        nn.load_weights(self.model, self.path, strict=rng.random() < 0.5)

    def weights_with_a_checksum(self, rng):
        texts = {"fastdl.model": json.dumps(self.config)}
        self.put(with_checksum(mutate.arrays(self.state, rng), texts))
        fastdl.load(self.path)

    def trainer_bytes(self, rng):
        self.put(mutate.content(self.trainer_file, rng))
        fastdl.Trainer.load(self.path)

    def trainer_description(self, rng):
        arrays, texts = self.trainer
        state = json.loads(texts["fastdl.trainer"])
        text = mutate.json_text(state, rng).decode(errors="replace")
        self.put(with_checksum(arrays, texts | {"fastdl.trainer": text}))
        fastdl.Trainer.load(self.path)

    def checkpoint_bytes(self, rng):
        self.resume(mutate.content(self.checkpoint_file, rng))

    def checkpoint_description(self, rng):
        arrays, texts = self.checkpoint_state
        state = json.loads(texts["fastdl.checkpoint"])
        text = mutate.json_text(state, rng).decode(errors="replace")
        self.resume(with_checksum(arrays, {"fastdl.checkpoint": text}))

    def trainer_arrays(self, rng):
        arrays, texts = self.trainer
        self.put(with_checksum(mutate.arrays(arrays, rng), texts))
        fastdl.Trainer.load(self.path)

    def checkpoint_arrays(self, rng):
        arrays, texts = self.checkpoint_state
        state = json.loads(texts["fastdl.checkpoint"])
        arrays = mutate.arrays(arrays, rng)
        if rng.random() < 0.5:
            state["arrays"] = sorted(arrays)
        texts = {"fastdl.checkpoint": json.dumps(state)}
        self.resume(with_checksum(arrays, texts))

    def split_description(self, rng):
        arrays, texts = self.split
        text = mutate.json_text(json.loads(texts["data"]), rng)
        texts = texts | {"data": text.decode(errors="replace")}
        self.put(with_checksum(arrays, texts))
        strategy.Split.load(self.path, (X, Y))

    def split_indices(self, rng):
        arrays, texts = self.split
        self.put(with_checksum(mutate.arrays(arrays, rng), texts))
        strategy.Split.load(self.path, (X, Y))

    def weights_of_pytorch(self, rng):
        self.put(mutate.content(self.torch, rng))
        interop.load_torch_state(self.twin, self.path, strict=rng.random() < 0.5)

    def pretrained(self, rng):
        self.put(mutate.content(save(self.state), rng))
        source = train.Pretrained(self.path)
        source.input_shape  # noqa: B018

    def onnx_bytes(self, rng):
        self.onnx.write_bytes(mutate.content(self.onnx_file, rng))
        interop.load_onnx(self.onnx, channels_last=rng.random() < 0.5)

    def onnx_fields(self, rng):
        described = onnx.load_model_from_string(self.onnx_file)
        for _ in range(rng.choice((1, 1, 2))):
            mutate.message(described, rng)
        self.onnx.write_bytes(described.SerializeToString())
        interop.load_onnx(self.onnx, channels_last=rng.random() < 0.5)
