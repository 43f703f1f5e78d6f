"""Actor locks: listed, judged, held, released."""
