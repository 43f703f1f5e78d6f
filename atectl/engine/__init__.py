"""The only way to wasmtime, with every memory metered."""
