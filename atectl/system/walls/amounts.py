"""How much the walls leave to guests, and to the host on their behalf."""

DEFAULT_MAX_FDS = 256
"""How many descriptors a guest of a run may have open, or the guests of a cell."""

SLACK_BYTES = 192 << 20
"""What a process may hold beside its guests' memory more than at first: as much as the engine lets
one call to the host hold, so that no such call ends a guest."""

MAX_RESULT_PARTS = 1_000_000
"""The most numbers that an invoked export may return in lists. In Python that is well below the
slack."""

PARTS_OF_OTHERS = 5
"""For how many of them anything else counts, as it takes more memory."""

MAX_RESULT_TEXT_BYTES = 8 << 20
"""The most text that it may return."""

_STACKS_BYTES = 512 * (2 << 20)
"""Address space of the threads that the engine starts at most for calls that may block."""

KERNEL_SLACK_BYTES = (1 << 30) + _STACKS_BYTES
"""The same for the kernel's limit, which counts the stacks of threads in full, used or not. It is
far from the other: only what grows by a GiB between two looks of the watch is to meet it."""

LARGEST_LIMIT = (1 << 63) - 1
"""The largest limit that the kernel can be told; no process comes to it."""
