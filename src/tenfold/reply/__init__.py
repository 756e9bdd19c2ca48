"""What may be said: evidence, claims that rest on it, and the gate that lets no unsupported one out."""
