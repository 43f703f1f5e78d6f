"""What atectl provides to capsules, by name, without asking the engine.

That is WASI preview 1 for core modules, and WASI 0.2 without HTTP for components. A test compares
these tables with the linkers of the engine.
"""

import re

PREVIEW_1_MODULE = "wasi_snapshot_preview1"

_RETURNS_ERRNO = {
    "i32": "fd_close fd_datasync fd_sync proc_raise",
    "i32, i32": "args_get args_sizes_get clock_res_get environ_get environ_sizes_get "
    "fd_fdstat_get fd_fdstat_set_flags fd_filestat_get fd_prestat_get fd_renumber fd_tell "
    "random_get sock_shutdown",
    "i32, i64": "fd_filestat_set_size",
    "i32, i32, i32": "fd_prestat_dir_name path_create_directory path_remove_directory "
    "path_unlink_file sock_accept",
    "i32, i64, i32": "clock_time_get",
    "i32, i64, i64": "fd_allocate fd_fdstat_set_rights",
    "i32, i32, i32, i32": "fd_read fd_write poll_oneoff",
    "i32, i64, i32, i32": "fd_seek",
    "i32, i64, i64, i32": "fd_advise fd_filestat_set_times",
    "i32, i32, i32, i32, i32": "path_filestat_get path_symlink sock_send",
    "i32, i32, i32, i64, i32": "fd_pread fd_pwrite fd_readdir",
    "i32, i32, i32, i32, i32, i32": "path_readlink path_rename sock_recv",
    "i32, i32, i32, i32, i32, i32, i32": "path_link",
    "i32, i32, i32, i32, i64, i64, i32": "path_filestat_set_times",
    "i32, i32, i32, i32, i32, i64, i64, i32, i32": "path_open",
}

PREVIEW_1: dict[str, str] = {
    "proc_exit": "(i32)",
    "sched_yield": "() -> i32",
    **{
        name: f"({parameters}) -> i32"
        for parameters, names in _RETURNS_ERRNO.items()
        for name in names.split()
    },
}
"""Each function of WASI preview 1, and its type as `core_types` writes it."""

_PACKAGES = {
    "cli": "environment exit stderr stdin stdout terminal-input terminal-output terminal-stderr "
    "terminal-stdin terminal-stdout",
    "clocks": "monotonic-clock wall-clock",
    "filesystem": "preopens types",
    "io": "error poll streams",
    "random": "insecure insecure-seed random",
    "sockets": "instance-network ip-name-lookup network tcp tcp-create-socket udp "
    "udp-create-socket",
}

WASI_0_2 = frozenset(
    f"wasi:{package}/{interface}"
    for package, interfaces in _PACKAGES.items()
    for interface in interfaces.split()
)
"""Each interface of WASI 0.2, without its version."""

_NAMED_0_2 = re.compile(r"(wasi:[a-z0-9-]+/[a-z0-9-]+)@0\.2\.[0-9]+", re.ASCII)


def is_of_wasi_0_2(name: str) -> bool:
    """Whether an import of a component, such as `wasi:cli/stdout@0.2.3`, is of WASI 0.2 here.

    The engine treats all versions 0.2.N alike. The capsule may need a function that only a later
    version has: that is found out when it is loaded.
    """
    match = _NAMED_0_2.fullmatch(name)
    return match is not None and match[1] in WASI_0_2
