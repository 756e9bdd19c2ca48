"""Training: a small Llama-4-like model, elastic by workers that sleep and wake."""
