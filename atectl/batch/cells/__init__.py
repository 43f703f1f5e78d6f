"""Cells: processes that run the guests of one principal for a host."""
