"""A model of a GGUF file taught by examples: LoRA, which leaves its weights alone and learns small matrices beside."""
