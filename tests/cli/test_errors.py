"""``fastdl errors`` (S29): what it prints, how it ends, what it refuses."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from fastdl import train
from fastdl.cli import main
from fastdl.strategy import ErrorAnalysis, LabelReview, Suspect


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that makes mistakes; its tags are those of one test at a time."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    job = train.Job("digits", train.recipe("digits")).replace(model="mlp", epochs=1)
    parts = job.load()
    folder = train.RunFolder(path)
    model = job.fit(parts).model
    shape = list(parts.input_shape)
    folder.write_config(
        job.to_dict() | {"classes": parts.classes, "input_shape": shape}
    )
    folder.save_model(model)
    return path


@pytest.fixture
def run_folder(trained):
    yield trained
    for pattern in ("*tags*", "labels.*", "*_corrections.json"):
        for file in trained.glob(pattern):
            file.unlink()


@contextmanager
def command(*argv):
    """Run the command until it prints the address; give both."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fastdl", "errors", *map(str, argv), "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    printed = ""
    try:
        while "Ctrl-C ends it" not in printed:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            printed += line
        yield process, printed
    finally:
        process.kill()
        process.communicate()


def tag(printed, **wanted):
    """Send a tag to the printed address."""
    return send(printed, "/tag", **wanted)


def send(printed, path, **wanted):
    """Send a change to the printed address."""
    host, token = re.search(r"http://(\S+)/\?token=(\S+)", printed).groups()
    connection = http.client.HTTPConnection(host, timeout=10)
    cookie = f"fastdl-{host.partition(':')[2]}={token}"
    connection.request("POST", path, json.dumps(wanted), {"Cookie": cookie})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_it_ends_cleanly_with_the_table(run_folder):
    with command(run_folder) as (process, printed):
        assert re.search(
            r"dev: \d+ of 382 wrong \(error [\d.]+ %\), 0 of them", printed
        )
        assert f"tags are kept in {run_folder / 'tags.json'}" in printed
        assert "http://127.0.0.1:" in printed
        wrong = ErrorAnalysis.of_run(run_folder).order()[0].item()
        assert (
            tag(printed, examples=[wrong], category="a", inside=True)["examined"] == 1
        )
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert re.search(r"^a +1 +100 %", out, re.M)
    assert ErrorAnalysis.of_run(run_folder).tags.of(wrong) == ("a",)
    assert not list(run_folder.glob(".*"))  # no lock stays behind


def test_two_servers_on_one_run(run_folder, capsys):
    """S29: the second one is refused, until the first is dead."""
    with command(run_folder) as (process, printed):
        assert main(["errors", str(run_folder), "--no-browser"]) == 2
        assert "another process" in capsys.readouterr().err
        tag(printed, examples=[3], category="a", inside=True)
        process.kill()
        process.wait()
    with command(run_folder) as (_, printed):
        answer = tag(printed, examples=[4], category="a", inside=True)
        assert answer["tags"] == {"4": ["a"]}
    assert ErrorAnalysis.of_run(run_folder).tags.members("a") == {3, 4}


def test_a_damaged_tag_file_is_kept_aside_and_told(run_folder):
    """S29: never overwritten."""
    (run_folder / "tags.json").write_text("{damaged")
    with command(run_folder) as (process, printed):
        assert "It is kept as tags.json.damaged-1." in printed
        tag(printed, examples=[3], category="a", inside=True)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == ""
    assert (run_folder / "tags.json.damaged-1").read_text() == "{damaged"
    assert ErrorAnalysis.of_run(run_folder).tags.of(3) == ("a",)


def test_parts_have_their_own_tags(run_folder):
    with command(run_folder, "--part", "test", "--all") as (_, printed):
        assert "of 1,797 wrong" in printed
        tag(printed, examples=[1700], category="a", inside=True)
    assert ErrorAnalysis.of_run(run_folder, "test").tags.of(1700) == ("a",)
    assert not ErrorAnalysis.of_run(run_folder, "dev").tags.tagged()
    assert (run_folder / "tags-test.json").is_file()


# Suspect labels -----------------------------------------------------------------------


def labels_of(run_folder, part="dev", index=3, given=None):
    """Return what `fastdl labels` would have found."""
    parts = train.open_run(run_folder).parts
    given = int(getattr(parts, part).y[index]) if given is None else given
    suspect = Suspect(part, index, given, (given + 1) % 10, 0.7)
    numbers = {"folds": 4, "seed": 0, "noise_rate": 0.01, "p_value": 0.5}
    return LabelReview(
        "digits",
        parts.classes,
        part="all",
        pairs=(),
        suspects=(suspect,),
        sample=(),
        **numbers,
    )


def test_suspect_labels(run_folder):
    """S29, S30: the same page shows them, and logs who corrects what."""
    labels_of(run_folder).save(run_folder)
    with command(run_folder, "--labels") as (process, printed):
        assert f"1 labels; corrections are kept in {run_folder}/dev_cor" in printed
        first = int(train.open_run(run_folder).parts.dev.y[3])
        answer = send(printed, "/label", example=3, label=(first + 1) % 10)
        assert answer["corrected"] == {"3": (first + 1) % 10}
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == ""
    (line,) = json.loads((run_folder / "dev_corrections.json").read_text())["log"]
    assert (line["index"], line["before"]) == (3, first)
    assert line["who"]


def test_suspect_labels_that_cannot_be_shown(run_folder, tmp_path, capsys):
    def refused(*options):
        assert main(["errors", str(run_folder), "--no-browser", *options]) == 2
        return capsys.readouterr().err

    assert "there is no file" in refused("--labels")
    assert "there is no file" in refused("--labels", str(tmp_path / "labels.json"))
    labels_of(run_folder).save(tmp_path)
    path = str(tmp_path / "labels.json")
    assert "no labels of the part test, but of dev" in refused(
        "--labels", path, "--part", "test"
    )
    wrong = (labels_of(run_folder).suspects[0].given + 1) % 10
    labels_of(run_folder, given=wrong).save(tmp_path)
    assert "is of other data" in refused("--labels", path)
    (tmp_path / "labels.json").write_text("{")
    assert "damaged" in refused("--labels", path)


# What is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part", "dve"], "invalid choice: 'dve'"),
        (["--part", "train_dev"], "has no train_dev set"),
        (["--port", "-1"], "expected a number from 0 to 65535"),
        (["--port", "70000"], "expected a number from 0 to 65535"),
    ],
)
def test_bad_options(run_folder, capsys, options, message):
    assert main(["errors", str(run_folder), "--no-browser", *options]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_a_port_that_is_taken(run_folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert (
            main(["errors", str(run_folder), "--no-browser", "--port", f"{port}"]) == 2
        )
    assert f"port {port}: Address already in use" in capsys.readouterr().err


def test_tags_of_other_data_are_refused(run_folder, capsys):
    """S29: such as those of another seed, whose dev set is another."""
    ErrorAnalysis.of_run(run_folder).tag(1, "a")
    config = json.loads((run_folder / "config.json").read_text())
    changed = json.dumps(config | {"seed": 7})
    (run_folder / "config.json").write_text(changed)
    try:
        assert main(["errors", str(run_folder), "--no-browser"]) == 2
        assert "which are not these 382 examples" in capsys.readouterr().err
    finally:
        (run_folder / "config.json").write_text(json.dumps(config))
    assert ErrorAnalysis.of_run(run_folder).tags.of(1) == ("a",)


def test_runs_that_are_none(run_folder, tmp_path, capsys):
    for folder, message in (
        (tmp_path / "nowhere", "there is no run folder"),
        (tmp_path, "is no run folder"),
    ):
        assert main(["errors", str(folder), "--no-browser"]) == 2
        assert message in capsys.readouterr().err


def test_a_run_of_an_older_version(run_folder, tmp_path, capsys):
    """S29: its config.json has no examples, patience or folder of data."""
    old = tmp_path / "run"
    old.mkdir()
    (old / "model.safetensors").write_bytes(
        (run_folder / "model.safetensors").read_bytes()
    )
    config = json.loads((run_folder / "config.json").read_text())
    kept = ("dataset", "classes", "input_shape", "model", "epochs", "seed")
    (old / "config.json").write_text(json.dumps({name: config[name] for name in kept}))
    assert len(ErrorAnalysis.of_run(old).x) == 382
    del config["classes"]
    (old / "config.json").write_text(json.dumps(config))
    assert main(["errors", str(old), "--no-browser"]) == 2
    assert "has no classes and input_shape" in capsys.readouterr().err
