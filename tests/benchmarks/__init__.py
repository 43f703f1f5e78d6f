"""What atectl claims of its speed, measured side by side in one run: `python -m tests.benchmarks`.

The figures of these machines drift, so a claim is a ratio of medians taken in turn, and nothing
here is a timed test.
"""
