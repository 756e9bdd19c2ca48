"""Tenfold runs training, serving and ranking on one fungible pool of accelerators."""

from importlib.metadata import version

__version__ = version("tenfold")
