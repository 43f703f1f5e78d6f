"""What a process can still do behind walls, tried out in a process of its own."""

import json
from typing import Any

from tests.support.python_child import in_child

_HELPERS = """
import json, os, signal, socket, sys, threading, resource, subprocess
from atectl.system.walls import folders, process, system_calls

def tried(action):
    "`done`, or the name of the error."
    try:
        action()
    except BaseException as error:
        return type(error).__name__ if not isinstance(error, OSError) else os.strerror(error.errno)
    return "done"

def on_thread(action):
    "What `action` returns on a thread of its own."
    found = []
    thread = threading.Thread(target=lambda: found.append(action()))
    thread.start()
    thread.join()
    return found[0]

def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
"""


def result_of(program: str) -> Any:
    """What `program` leaves in `result`."""
    return json.loads(in_child(f"{_HELPERS}\n{program}\nprint(json.dumps(result))"))
