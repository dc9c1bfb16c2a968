"""The rules of the house that a machine can check: who may import whom, one word everywhere, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sealtrain.rules.step_table import FUNCTIONS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "functions" / "sealtrain"
STEPS = {f.name for f in FUNCTIONS if f.kind == "step"}
LISTENERS = {f.name for f in FUNCTIONS if f.kind == "listener"}

# room -> top-level names it may import besides the standard library and itself
MAY_IMPORT = {
    "rules": {"msgspec", "yaml", "cryptography", "jwt", "jinja2", "dcap_qvl", "sealtrain.rules"},
    "sealing": {"tink", "google_crc32c", "msgspec", "sealtrain.sealing", "sealtrain.rules"},
    "cloud": {"google", "google_crc32c", "requests", "msgspec", "sealtrain.cloud", "sealtrain.rules"},
    "steps": {"msgspec", "sealtrain.rules", "sealtrain.sealing"},
    "listeners": {"msgspec", "cloudevents", "sealtrain.rules", "sealtrain.sealing"},
}


def imports(file: Path, *, typing_too: bool = False) -> set[str]:
    """Full dotted names that a file imports; what stands under `if TYPE_CHECKING` does not count."""
    tree = ast.parse(file.read_text())
    if not typing_too:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def tracked(suffix: str = ".py") -> list[Path]:
    """Files of the project, as git sees them (committed or about to be)."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", f"*{suffix}"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_is_allowed(room: str) -> None:
    """Steps and listeners never touch Google, rules touch nothing outside, cloud alone imports google."""
    wrong = []
    for file in (PACKAGE / room).rglob("*.py"):
        for name in imports(file):
            top = name.partition(".")[0]
            allowed = top in sys.stdlib_module_names or any(
                name == ok or name.startswith(ok + ".") for ok in MAY_IMPORT[room]
            )
            if not allowed:
                wrong.append(f"{file.relative_to(ROOT)}: {name}")
    assert wrong == []


def test_rules_know_no_clock_and_no_environment() -> None:
    """Rules are pure: the time and the environment arrive as arguments."""
    forbidden = re.compile(r"\bos\.environ\b|\btime\.time\b|datetime\.now\(|\bgetenv\b|open\(")
    found = [f.name for f in (PACKAGE / "rules").rglob("*.py") if forbidden.search(f.read_text())]
    assert found == []


def test_steps_never_import_each_other() -> None:
    """Order belongs to the workflow."""
    for room in ("steps", "listeners"):
        for file in (PACKAGE / room).glob("*.py"):
            others = [n for n in imports(file) if n.startswith(("sealtrain.steps", "sealtrain.listeners"))]
            assert others == [], file


def test_the_stand_in_knows_nothing_of_the_product() -> None:
    """If both sides shared a constant, both could be wrong together."""
    ours = ("sealtrain", "cli", "workload", "functions", "tests")
    wrong = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in (ROOT / "localcloud").rglob("*.py")
        for name in imports(file, typing_too=True)
        if name.partition(".")[0] in ours
    ]
    assert wrong == []


def test_nothing_deployed_imports_the_stand_in_the_command_line_or_tests() -> None:
    """What runs in the cloud stands alone."""
    for file in [*PACKAGE.rglob("*.py"), ROOT / "functions/main.py", *(ROOT / "workload").rglob("*.py")]:
        tops = {name.partition(".")[0] for name in imports(file, typing_too=True)}
        assert tops.isdisjoint({"localcloud", "cli", "tests"}), file


def test_there_is_no_switch_for_the_stand_in_in_the_functions() -> None:
    """One seam, the address: no fake class, no local flag, no `if local`."""
    word = re.compile(r"stand[-_ ]?in|localcloud|is_local|if local|fake", re.IGNORECASE)
    code = [line for f in (PACKAGE / "cloud").rglob("*.py") for line in f.read_text().splitlines()]
    found = [line for line in code if word.search(line.partition("#")[0]) and '"""' not in line]
    assert found == []


def test_a_function_has_one_name_everywhere() -> None:
    """Step table, files, entry points, workflow calls and README speak the same words."""
    assert {f.stem for f in (PACKAGE / "steps").glob("[a-z]*.py")} == STEPS
    assert {f.stem for f in (PACKAGE / "listeners").glob("[a-z]*.py")} == LISTENERS
    tree = ast.parse((ROOT / "functions/main.py").read_text())
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert assigned >= STEPS | LISTENERS
    called = re.findall(r"name: ([a-z_]+)[,\n}]", (ROOT / "workflows/train.workflows.yaml").read_text())
    assert set(called) == STEPS
    readme = (ROOT / "README.md").read_text()
    assert [name for name in sorted(STEPS | LISTENERS) if f"`{name}`" not in readme] == []


def test_every_workflow_step_that_calls_a_function_bears_its_name() -> None:
    """Whoever reads an execution's history reads the functions' names."""
    document = yaml.safe_load((ROOT / "workflows/train.workflows.yaml").read_text())
    pairs: list[tuple[str, str]] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                call = value.get("try", value) if isinstance(value, dict) else {}
                if isinstance(call, dict) and call.get("call") == "step" and key != "try":
                    pairs.append((key, call["args"]["name"]))
                walk(value)
        elif isinstance(node, list):
            for item in node:
                walk(item)

    walk(document)
    assert pairs
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_every_function_has_a_test_file_in_the_same_place() -> None:
    """Tests mirror the source."""
    for room, names in (("steps", STEPS), ("listeners", LISTENERS)):
        have = {f.stem.removeprefix("test_") for f in (ROOT / "tests/functions" / room).glob("test_*.py")}
        assert names - have == set()


def test_no_room_is_crowded() -> None:
    """A file has one purpose: at most 400 lines."""
    long = {str(f.relative_to(ROOT)): n for f in tracked() if (n := len(f.read_text().splitlines())) > 400}
    assert long == {}


def test_no_top_level_name_of_the_archive_belongs_to_an_installed_library() -> None:
    """The framework appends the source folder to the path, so a library of the same name would win."""
    import importlib.metadata

    ours = {f.stem for f in (ROOT / "functions").iterdir() if f.suffix in ("", ".py") and f.name[0] != "_"}
    owners = importlib.metadata.packages_distributions()
    assert [name for name in ours if set(owners.get(name, [])) - {"sealtrain"}] == []


def test_what_is_pinned_is_what_is_imported() -> None:
    """requirements.txt pins every line exactly, and the development file adds to it without changing it."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    functions = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in functions if "==" not in line] == []
    development = set((ROOT / "requirements-dev.txt").read_text().splitlines())
    assert [line for line in functions if line not in development] == []


def test_the_trusted_code_does_not_grow_unnoticed() -> None:
    """`wc -l workload/*.py` is what runs beside a trainer; of the product it drags in these modules alone.

    The aim is 600 lines. Who adds to it raises a number here, and the one in README.
    """
    from cli.image.layout import tree

    files = tree(ROOT / "workload/trainers/minimal")
    lines = {name: len(data.splitlines()) for name, data in files.items() if not name.startswith("trainer/")}
    own = {name: count for name, count in lines.items() if name.startswith("workload/")}
    assert set(own) == {f"workload/{f.name}" for f in (ROOT / "workload").glob("*.py")}
    assert sum(own.values()) <= 1250
    assert max(own.values()) <= 210
    assert sum(lines.values()) - sum(own.values()) <= 1430
    rooms = {name.rpartition("/")[0] for name in lines}
    assert rooms == {"workload", "sealtrain", "sealtrain/rules", "sealtrain/sealing"}
    assert not [name for name in lines if name.endswith(("names.py", "settings.py", "job.py"))]
