"""Tenfold runs training, serving and ranking on one fungible pool of accelerators."""


def __getattr__(name: str) -> str:
    # As an import at the top it would take a quarter of `tenfold --help`, which tells no version.
    if name == "__version__":
        from importlib.metadata import version

        return version("tenfold")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
