"""Wasmtime behind one door, metered."""
