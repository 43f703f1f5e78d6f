"""Capsules on disk: judged, compiled, kept."""
