"""Generating tokens: an OpenAI-compatible resident over llama.cpp or vLLM."""
