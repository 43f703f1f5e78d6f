"""Views: pure functions from a result to something Rich can draw."""
