"""Nothing is in the package that no command, workload or process of its own reaches."""

import ast
from pathlib import Path

import tenfold

ROOT = Path(tenfold.__file__).parent
BEGIN = "tenfold.cli.main"
"""The ``tenfold`` command. Commands, workloads and processes are named by strings, which are followed too."""


def modules() -> dict[str, Path]:
    paths = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in ROOT.rglob("*.py")}
    return {name: path for name, path in paths.items() if path.name != "__init__.py"}


def named_in(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it, or names in a string, a colon after it or not; also migrations."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value.partition(":")[0])
            if node.value == "migrations":
                folder = path.parent.relative_to(ROOT.parent) / node.value
                names |= {".".join((*folder.parts, each.stem)) for each in (path.parent / node.value).glob("*.py")}
    return names


def test_every_module_is_reached_from_a_command_a_workload_or_a_process():
    known = modules()
    reached, ahead = set(), {BEGIN}
    while ahead:
        reached |= ahead
        ahead = {name for module in ahead for name in named_in(known[module]) if name in known} - reached
    unreached = known.keys() - reached
    assert not unreached, "no command reaches these: give them one, move them to bench/, or delete them"
