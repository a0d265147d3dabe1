"""Nothing that is read runs code, starts a process, connects, or opens other files.

All readers run under a hook of the interpreter that is told of these, with pickle and
its kin replaced by what raises. fastdl's own processes do not pickle either: those of a
search get a line of JSON, those of MPI plain arrays, and the workers of a loader are
threads.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastdl

PACKAGE = Path(fastdl.__file__).parent
MODULES = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle",
           "joblib", "copyreg", "yaml", "dbm", "code", "runpy"}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {"np.load", "torch.load", "os.system", "os.popen", "np.loadtxt"}
# Modules that are named by this package, by its caller, or on a command line.
MAY_IMPORT = {"__init__.py", "cli/main.py", "report/__init__.py",
              "sklearn/__init__.py", "tune/objective.py"}  # fmt: skip
MAY_START_PROCESSES = {"tune/crew.py"}
NOT_PACKAGED = {"datasets/_make_digits.py"}  # made the digits, once

CODE = """
import _pickle, builtins, marshal, os, pickle, random, shelve, sys, warnings
from pathlib import Path
import numpy as np
from tests.files.test_mutants import READERS, ROOMS, is_wrong

folder, seeds = Path(sys.argv[1]), int(sys.argv[2])
warnings.simplefilter("ignore")
os.fsync = lambda _: None
made = {}
for room in ROOMS:
    (folder / room.__name__).mkdir()
    made[room] = room(folder / room.__name__)

class Code:
    def __reduce__(self):
        return os.mkdir, (str(folder / "it ran"),)

PICKLES = [pickle.dumps(Code(), protocol) for protocol in (0, 2, 5)]
FORBIDDEN = {
    "exec", "import", "marshal.load", "marshal.loads", "pickle.find_class",
    "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.spawn",
    "os.posix_spawn", "os.startfile", "socket.connect", "socket.bind", "pty.spawn",
    "socket.getaddrinfo", "urllib.Request", "ctypes.dlopen", "code.__new__",
    "shutil.rmtree", "os.chmod", "os.symlink", "webbrowser.open",
}
# How many of their arguments are paths: a training keeps files in its own folder.
CHANGES = {"open": 1, "os.remove": 1, "os.mkdir": 1, "os.rename": 2, "os.link": 2}
active, found = False, []

def hook(event, arguments):
    if not active:
        return
    paths = arguments[: CHANGES.get(event, 0)]
    other = not all(map(inside, paths))
    if other or event in FORBIDDEN:
        found.append((event, str(arguments)[:200]))
        raise Poison(event)

def inside(path):
    return isinstance(path, int) or os.fsdecode(path).startswith(str(folder))

class Poison(BaseException):
    pass

def poisoned(*arguments, **options):
    found.append(("pickle, eval or exec", ""))
    raise Poison

def once():
    for name, room in READERS.items():
        for seed in range(seeds):
            try:
                getattr(made[room], name)(random.Random(seed))
            except Exception as error:
                assert not is_wrong(error), (name, seed, error)

def pickles():
    from tests.files.hostile import mutate
    unlike = dict(vars(mutate))
    for each in PICKLES:
        for name in ("content", "json_text", "toml", "csv", "tar", "png"):
            setattr(mutate, name, lambda *_: each)
        for name, room in READERS.items():
            try:
                getattr(made[room], name)(random.Random(0))
            except Exception as error:
                assert not is_wrong(error), (name, error)
    vars(mutate).update(unlike)

once()  # which imports what is imported when it is used
pickles()
sys.addaudithook(hook)
for module in (pickle, _pickle, marshal):
    for name in ("load", "loads", "Unpickler"):
        if hasattr(module, name):
            setattr(module, name, poisoned)
pickle._load = pickle._loads = pickle._Unpickler = shelve.open = poisoned
builtins.eval = builtins.exec = np.load = poisoned
active = True
once()
pickles()
active = False
assert not found, found
assert not (folder / "it ran").exists()
assert "torch" not in sys.modules
print("nothing ran")
"""


def test_reading_runs_nothing(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path), "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "nothing ran\n", result.stderr


def sources(*suffixes):
    for file in sorted(PACKAGE.rglob("*")):
        name = file.relative_to(PACKAGE).as_posix()
        if file.suffix in suffixes and name not in NOT_PACKAGED:
            yield name, file.read_text(encoding="utf-8")


def used(tree):
    """Yield the modules that are imported, and the functions that are called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)
            if any(word.arg == "allow_pickle" for word in node.keywords):
                yield "allow_pickle"


def test_no_source_has_a_way_to_run_what_it_reads():
    found = {name: set(used(ast.parse(text))) for name, text in sources(".py")}
    bad = MODULES | CALLS | ATTRIBUTES | {"allow_pickle"}
    assert {name: own & bad for name, own in found.items() if own & bad} == {}
    for words, may in (
        ({"import_module", "importlib.import_module"}, MAY_IMPORT),
        ({"subprocess", "pty", "multiprocessing"}, MAY_START_PROCESSES),
    ):
        assert {name for name, own in found.items() if own & words} == may


def test_no_kernel_either():
    words = "|".join(MODULES | CALLS)
    way = re.compile(rf"\b(?:import|from) +(?:{words})\b|(?<!\.)\b(?:{words})\(")
    found = {name: way.findall(text) for name, text in sources(".pyx", ".pxd", ".pxi")}
    if not found:
        pytest.skip("a wheel has no sources of kernels")
    assert len(found) > 10
    assert not any(found.values()), found
