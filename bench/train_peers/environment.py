"""Virtual environments of peers, which take torch from ours: the same build on both sides."""

import subprocess
import sys
from pathlib import Path

import torch
from rich.console import Console

from tenfold.core.paths import cache_dir

TRANSFORMERS = "transformers==5.24.0"


def transformers_python(talk: Console) -> Path:
    """Python of a virtual environment with transformers."""
    folder = cache_dir() / "bench" / TRANSFORMERS.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        talk.print(f"installing {TRANSFORMERS}, a minute the first time", style="dim")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=600)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", TRANSFORMERS]
        subprocess.run(pip, check=True, timeout=1200)
        (folder / "installed").touch()
    (next(folder.glob("lib/python3*")) / "site-packages" / "ours.pth").write_text(str(Path(torch.__file__).parents[1]))
    return python
