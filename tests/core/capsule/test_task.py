"""A task reaches the process that does it as it was meant."""

from hypothesis import given
from hypothesis import strategies as st

from atectl.capsule.records import decode, encode
from atectl.capsule.task import COMMAND, COMPILE, Part, Task, Work, compile_threads

sizes = st.integers(0, 2**62)
works = st.sampled_from((COMPILE, COMMAND)) | st.builds(Work, st.text(), st.text())
tasks = st.builds(
    Task, sizes, st.text(), sizes, sizes, sizes, sizes, st.integers(0, 19),
    st.builds(Part, sizes, sizes), works,
)  # fmt: skip


@given(tasks)
def test_it_is_read_as_it_was_sent(task: Task) -> None:
    record = decode(encode(task.record()))
    assert record is not None
    assert Task.read(record) == task


def test_a_compilation_has_some_threads_and_not_too_many() -> None:
    assert 1 <= compile_threads() <= 8
