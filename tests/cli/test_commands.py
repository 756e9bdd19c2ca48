"""``tenfold --help`` lists every command and imports none of them; each command is found when it is called."""

import subprocess
import sys

import pytest

from tenfold.cli.main import GROUPS, main

COMMANDS = [told for commands in GROUPS.values() for told in commands.values()]
HELP = """
import sys
from tenfold.cli.main import main
main(["--help"])
print(*sorted(sys.modules), file=sys.stderr)
"""


def test_help_lists_every_command_and_imports_no_package_that_brings_one():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True, timeout=60)
    for name in ("up", "down", "status", "assets", *(name for name, _ in COMMANDS)):
        assert f" {name} " in done.stdout
    loaded = done.stderr.split()
    ours = {module for module in loaded if module.startswith("tenfold.") and not module.startswith("tenfold.core")}
    assert ours == {"tenfold.cli", "tenfold.cli.main"}
    assert not {
        "numpy",
        "torch",
        "ray",
        "polars",
        "sqlalchemy",
        "nicegui",
        "fastapi",
        "asyncio",
        "importlib.metadata",
    } & set(loaded)


@pytest.mark.parametrize(("name", "about"), COMMANDS)
def test_each_command_says_what_it_does(name, about, capsys):
    main([name, "--help"])
    assert about in " ".join(capsys.readouterr().out.split())
