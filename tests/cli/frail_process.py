"""A process that ends at once while a file is there, or never beats if the file says so; without the file it beats."""

import os
import threading
from pathlib import Path

if __name__ == "__main__":
    beat_on, broken = input().split()
    if not Path(broken).exists():
        while not threading.Event().wait(0.1):
            os.write(int(beat_on), b".")
    if Path(broken).read_text() == "silent":
        threading.Event().wait()
    raise ValueError("it is broken")
