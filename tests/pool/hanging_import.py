"""What makes a nursery hang when a test asks for it: a library whose thread never gives the interpreter back."""

import os
from pathlib import Path

from broken_workload import hang_when

hang_when(Path(os.environ["HANG_WHEN"]))
