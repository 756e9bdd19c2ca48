"""An assistant in threads of several people: it answers from dated sources, and says what they do not tell."""
