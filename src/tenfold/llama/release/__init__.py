"""A run's weights as others' software loads them: safetensors for transformers, GGUF for llama.cpp, and a card."""
