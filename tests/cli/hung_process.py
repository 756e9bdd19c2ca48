"""A process that beats once and then hangs; the descriptor to beat on comes by standard input."""

import os
import threading

if __name__ == "__main__":
    os.write(int(input()), b".")
    threading.Event().wait()
