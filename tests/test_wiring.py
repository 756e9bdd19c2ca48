"""What the pool is told of its workloads is true of their packages."""

import subprocess
import sys

from tenfold.wiring import WORKLOADS


def test_a_light_workload_loads_no_torch():
    """Its residents are forked while torch is imported for the others."""
    modules = [module for workload in WORKLOADS if workload.light for module in workload.modules]
    assert modules
    script = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
