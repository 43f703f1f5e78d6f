"""atectl: run WebAssembly capsules under quotas that hold, and see who uses what."""

__version__ = "0.1.0"
