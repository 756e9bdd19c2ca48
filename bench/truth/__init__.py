"""The world's people before real ads, in process: what was predicted and sold can be set against what is true."""
