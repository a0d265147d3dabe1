"""What a distributor gets: whole sources, one version, one name, and plain errors."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fastdl

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
SOURCES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")


def setup(*arguments, tree=ROOT, **environment):
    """Run setup.py of a tree as `make` does."""
    variables = {k: v for k, v in os.environ.items() if k != "FASTDL_BACKEND"}
    return subprocess.run(
        [sys.executable, "setup.py", "--quiet", *arguments],
        cwd=tree,
        env=variables | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def builds():
    """Skip where nothing can be built, as beside an installed wheel."""
    pytest.importorskip("setuptools")
    pytest.importorskip("Cython")


@pytest.fixture
def tree(builds, tmp_path):
    """Copy what is needed to build, without what was built."""
    for name in SOURCES:
        shutil.copy(ROOT / name, tmp_path)
    built = shutil.ignore_patterns("*.so", "*.c", "table.pxd", "__pycache__")
    shutil.copytree(ROOT / "fastdl", tmp_path / "fastdl", ignore=built)
    shutil.copytree(ROOT / "csrc", tmp_path / "csrc")
    return tmp_path


def only_sentence(result):
    """Return the one line of a refusal, without a traceback or what was done before."""
    assert result.returncode == 1
    lines = [line for line in (result.stdout + result.stderr).splitlines() if line]
    assert len(lines) <= 2, lines  # the compiler may say why it failed
    return lines[-1]


def test_source_distribution_is_whole(builds, tmp_path):
    """It holds every file that is built or read by a test, but no pictures of pages."""
    result = setup("egg_info", "--egg-base", str(tmp_path))
    assert result.returncode == 0, result.stderr
    listed = (tmp_path / "fastdl_cpu.egg-info" / "SOURCES.txt").read_text()
    listed = set(listed.splitlines())
    folders = ("csrc", "fastdl", "tests", "bench", "examples", "docs", ".ci", ".github")
    site = ("docs/_build/", "docs/api/generated/")
    for folder in folders:
        there = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        if folder == "docs":
            there = {path for path in there if not path.endswith(".png")}
            there = {path for path in there if not path.startswith(site)}
        if folder == "fastdl":
            made = (".c", ".so", "/table.pxd")
            built = {path for path in there if path.endswith(made)}
            assert not built & listed
            there -= built
        assert there <= listed, sorted(there - listed)
    assert not [p for p in listed if p.endswith(".png") or p.startswith(site)]
    assert {*SOURCES, "Makefile", "CHANGELOG.md", "CONTRIBUTING.md"} <= listed


@pytest.mark.parametrize(
    "missing",
    ["fastdl/kernels/engine/runtime.pyx", "fastdl/kernels/matmul.pyx", "csrc"],
)
def test_missing_sources_are_an_error(tree, missing):
    path = tree / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    sentence = only_sentence(setup("bdist_wheel", tree=tree))
    assert missing in sentence
    assert "FASTDL_BACKEND=reference" in sentence


def test_without_a_compiler(tree):
    """One sentence, before anything is copied, translated or compiled."""
    sentence = only_sentence(setup("build", tree=tree, CC="/nowhere/cc"))
    assert sentence.startswith("fastdl needs a C compiler")
    assert "/nowhere/cc" in sentence
    assert "apt install gcc" in sentence
    assert "FASTDL_BACKEND=reference" in sentence
    assert not list(tree.glob("fastdl/kernels/**/*.c"))
    assert not list(tree.glob("build/lib*"))


def test_table_is_declared_for_cython(tree, monkeypatch):
    """And again when it changes, but only then: all kernels depend on it."""
    monkeypatch.chdir(tree)
    declare = runpy.run_path("setup.py")["declare_table"]
    declared = Path("fastdl/kernels/engine/table.pxd")
    table, header = Path("csrc/microkernels.def"), Path("csrc/microkernels.h")
    declare()
    text = declared.read_text()
    listed = re.findall(r"^MICROKERNEL\((\w+),", table.read_text(), re.M)
    assert listed
    assert re.findall(r"void \(\*(\w+)\)\(", text) == listed
    structs = re.findall(r"^} (\w+);", header.read_text(), re.M)
    assert re.findall(r"ctypedef struct (\w+):", text) == structs

    os.utime(declared, (1, 1))
    declare()
    assert declared.stat().st_mtime == 1

    with table.open("a") as file:
        file.write("MICROKERNEL(twice, (const Pair *p, double factor))\n")
    start, end = header.read_text().split("typedef struct {\n", 1)
    pair = "typedef struct {\n  /* Both. */\n  double left,\n      right;\n} Pair;\n"
    header.write_text(f"{start}{pair}typedef struct {{\n{end}")
    declare()
    text = declared.read_text()
    assert "    ctypedef struct Pair:\n        double left, right\n" in text
    assert "void (*twice)(const Pair *p, double factor) noexcept nogil\n" in text


class Compiler:
    """Makes objects that hold code for some processors, or runs a real one."""

    def __init__(self, *processors, command=None):
        self.processors = processors
        self.command = command

    def compile(self, sources, output_dir, extra_postargs):
        made = Path(output_dir, "target.o")
        if self.command:
            command = [*self.command, *extra_postargs, "-c", *sources, "-o", made]
            subprocess.run(command, check=True)
        else:
            made.write_text("\n".join(map("fastdl for {}".format, self.processors)))
        return [str(made)]


@pytest.fixture
def isa_flags(builds, monkeypatch):
    """What setup.py makes of a compiler: the flags of each instruction set."""
    monkeypatch.chdir(ROOT)
    build = runpy.run_path("setup.py")["BuildKernels"]

    def flags(compiler):
        self = SimpleNamespace(compiler=compiler)
        return build.isa_flags(self)

    return flags


def test_instruction_sets_are_those_of_the_target(isa_flags):
    """Whatever machine this is: macOS builds for both processors, together too."""
    assert isa_flags(Compiler("another")) == {"generic": []}
    one = isa_flags(Compiler("x86"))
    assert list(one) == ["generic", "avx2", "avx512"]
    assert one["generic"] == []
    assert one["avx2"] == ["-DX86_ONLY=1", "-mavx2", "-mfma"]
    both = isa_flags(Compiler("x86", "another"))
    marked = ["-Xarch_x86_64", "-mavx2", "-Xarch_x86_64", "-mfma"]
    assert both["avx2"] == ["-DX86_ONLY=1", *marked]
    assert [word for word in both["avx512"] if word != "-Xarch_x86_64"] == one["avx512"]


CLANG = next(filter(None, map(shutil.which, ["clang", "clang-16"])), None)


@pytest.mark.skipif(not CLANG, reason="there is no clang, which compiles for macOS")
@pytest.mark.parametrize(
    ("target", "sets"),
    [
        ("x86_64-apple-macos11", ["generic", "avx2", "avx512"]),
        ("arm64-apple-macos11", ["generic"]),
        ("aarch64-linux-gnu", ["generic"]),
        ("i686-linux-gnu", ["generic"]),
    ],
)
def test_target_is_what_the_compiler_says(isa_flags, target, sets):
    compiler = Compiler(command=[CLANG, f"--target={target}"])
    assert list(isa_flags(compiler)) == sets


def test_no_module_promises_to_run_without_the_interpreters_lock():
    """Its absence is not tested yet: such a Python then takes the lock again."""
    kernels = ROOT / "fastdl/kernels"
    sources = [*kernels.rglob("*.pyx"), *kernels.rglob("*.pxd")]
    assert len(sources) > 30
    for path in [ROOT / "setup.py", *sources]:
        text = path.read_text(encoding="utf-8")
        assert not re.search("freethreading|Py_mod_gil|Py_MOD_GIL", text), path


def test_reference_needs_no_compiler(tree):
    result = setup("build", tree=tree, CC="/nowhere/cc", FASTDL_BACKEND="reference")
    assert result.returncode == 0, result.stderr
    (built,) = tree.glob("build/lib")
    assert (built / "fastdl" / "backend.py").is_file()
    assert not list(built.rglob("*.so"))
    code = "import fastdl; print(fastdl.backend.name)"  # without a word
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(built), "FASTDL_BACKEND": ""},
        cwd=built,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "reference\n", result.stderr


def test_old_python_is_refused_before_anything_else():
    """Also without pip, which alone reads requires-python."""
    code = "import sys; sys.version_info = (3, 9, 18); exec(open('setup.py').read())"
    result = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert only_sentence(result).startswith("fastdl needs Python 3.10 or later")


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
@pytest.mark.parametrize(
    ("target", "groups"), [("demo", []), ("test", ["test"]), ("lint", ["lint"])]
)
def test_make_installs_what_it_needs(target, groups, tmp_path):
    """And builds the kernels once: an editable install would do it a second time."""
    result = subprocess.run(
        ["make", "--dry-run", target, f"VENV={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"--group (\w+)", result.stdout) == groups
    assert result.stdout.count("build_ext") == 1
    commands = result.stdout.replace("\\\n", "").splitlines()
    (install,) = [line for line in commands if "--editable" in line]
    assert install.startswith("FASTDL_BACKEND=reference ")


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_make_dist_builds_what_lies_here(tmp_path):
    """Pip keeps the wheel of an archive by its path: the next one has the same path."""
    result = subprocess.run(
        ["make", "--dry-run", "dist", f"VENV={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    commands = result.stdout.replace("\\\n", "").splitlines()
    (build,) = [line for line in commands if " pip wheel " in line]
    assert "--no-cache-dir" in build


WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def commands(workflow):
    """Yield each command of a workflow's steps."""
    yaml = pytest.importorskip("yaml")
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        for step in job.get("steps", []):
            yield from step.get("run", "").splitlines()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_name_what_there_is(workflow):
    """Targets of make, scripts, dependency groups, folders of tests."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([\w$()/]+):(?!=)", makefile, re.M)
    targets = {target.replace("$(VENV)", ".venv") for target in targets}
    groups = re.findall(r"^(\w+) = \[", PYPROJECT.partition("groups]")[2], re.M)
    for command in commands(workflow):
        made = re.match(r"make ([\w./]+)", command)
        assert not made or made[1] in targets, command
        assert set(re.findall(r"--group (\w+)", command)) <= set(groups), command
        for path in re.findall(r"(?:^|\s)((?:\.ci|tests|docs)/[\w./-]+)", command):
            assert (ROOT / path).exists(), command


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_trust_nobody_more_than_needed(workflow):
    """Actions of others are pinned to a commit, permissions are given job by job."""
    text = workflow.read_text(encoding="utf-8")
    assert "\npermissions:\n  contents: read\n\n" in text
    assert "secrets." not in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    for used in re.findall(r"uses: (.*)", text):
        if used.startswith("./"):
            assert (ROOT / used).is_file()
        else:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", used), used


def test_release_pythons_are_tested():
    """The oldest and the newest that get a wheel; none without the lock."""
    oldest = re.search(r'^requires-python = ">=3\.(\d+)"', PYPROJECT, re.M)[1]
    built = re.search(r'^build = "cp3(\d)\[(\d)-(\d)\]-\*"$', PYPROJECT, re.M)
    assert built[1] + built[2] == oldest
    assert '\nskip = "cp3??t-*"\n' in PYPROJECT
    tests = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    matrices = re.findall(r"^ +python: (\[.*\])$", tests, re.M)
    assert matrices == [f'["3.{oldest}", "3.{built[1]}{built[3]}"]'] * 2
    for path in re.findall(r"\btests/\w+", PYPROJECT.partition("test-command")[2]):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    ("tag", "heading", "reason"),
    [
        ("v1.2.3", "## 1.2.3 (2030-01-31)", ""),
        ("v1.2.4", "## 1.2.3 (2030-01-31)", "fastdl.__version__ is 1.2.3"),
        ("1.2.3", "## 1.2.3 (2030-01-31)", "the tag is 1.2.3"),
        ("v1.2.3", "## 1.2.3 (unreleased)", "CHANGELOG.md has no section"),
        ("v1.2.3", "## 1.2.30 (2030-01-31)", "CHANGELOG.md has no section"),
    ],
)
def test_a_tag_is_the_version(tmp_path, tag, heading, reason):
    (tmp_path / ".ci").mkdir()
    (tmp_path / "fastdl").mkdir()
    shutil.copy(ROOT / ".ci/check-tag", tmp_path / ".ci")
    (tmp_path / "fastdl/__init__.py").write_text('"""."""\n__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\nMore.\n")
    result = subprocess.run(
        ["bash", tmp_path / ".ci/check-tag", tag],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == bool(reason)
    assert reason in result.stdout + result.stderr


def test_one_oldest_python():
    oldest = re.search(r'^requires-python = ">=([\d.]+)"', PYPROJECT, re.M)[1]
    tuple_ = str(tuple(map(int, oldest.split("."))))
    for name in ("setup.py", "Makefile"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert f"sys.version_info < {tuple_}" in text, name
        assert f"fastdl needs Python {oldest} or later" in text, name
    assert f'target-version = "py{oldest.replace(".", "")}"' in PYPROJECT
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert f"Python {oldest} or later" in text, name


def test_version_stands_in_one_place():
    assert 'dynamic = ["version"]' in PYPROJECT
    assert 'version = { attr = "fastdl.__version__" }' in PYPROJECT
    assert fastdl.__version__ not in PYPROJECT


def test_hints_name_our_distribution():
    """The package index knows another project as fastdl."""
    folders = ("fastdl", "docs", "examples", "bench", "tests", ".ci")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    paths += [*ROOT.glob("*.md"), ROOT / "Makefile"]
    wrong = re.compile(r"pip install \S*\bfastdl(?!-cpu)|\bfastdl\\?\[[a-z]")
    assert not [
        path
        for path in paths
        if path.suffix in (".py", ".pyx", ".md", "") and path.is_file()
        if wrong.search(path.read_text(encoding="utf-8"))
    ]
