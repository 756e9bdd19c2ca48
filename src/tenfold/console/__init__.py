"""The shell of the web pages: the head, the way between pages, and bounds on what browsers make the front hold."""
