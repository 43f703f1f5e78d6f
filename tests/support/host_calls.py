"""Components that make the host hold something for them which is not in their own memory."""

from pathlib import Path

_LISTS = """(component
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type $descriptor (sub resource)))
    (export "directory-entry-stream" (type $listing (sub resource)))
    (type $code (enum
      "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io"
      "is-directory" "loop" "too-many-links" "message-size" "name-too-long" "no-device" "no-entry"
      "no-lock" "insufficient-memory" "insufficient-space" "not-directory" "not-empty"
      "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe"
      "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error (eq $code)))
    (export "[method]descriptor.read-directory"
      (func (param "self" (borrow $descriptor)) (result (result (own $listing) (error $error)))))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $descriptor (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))

  (core module $Memory
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $Memory))
  (alias core export $memory "memory" (core memory $linear))
  (alias core export $memory "realloc" (core func $realloc))
  (alias export $preopens "get-directories" (func $folders))
  (core func $folders_lowered
    (canon lower (func $folders) (memory $linear) (realloc $realloc)))
  (alias export $files "[method]descriptor.read-directory" (func $list))
  (core func $list_lowered (canon lower (func $list) (memory $linear)))

  (core module $Main
    (import "host" "folders" (func $folders (param i32)))
    (import "host" "list" (func $list (param i32 i32)))
    (import "memory" "memory" (memory 1))
    (func (export "run") (result i32) (local $left i32) (local $folder i32)
      (call $folders (i32.const 0))
      (local.set $folder (i32.load (i32.load (i32.const 0))))
      (local.set $left (i32.const LISTINGS))
      (loop $more
        (call $list (local.get $folder) (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then unreachable))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $more (local.get $left)))
      (loop $for_ever (br $for_ever))
      (i32.const 0)))
  (core instance $main (instantiate $Main
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "folders" (func $folders_lowered))
      (export "list" (func $list_lowered))))))
  (alias core export $main "run" (core func $run))
  (func $run_lifted (result (result)) (canon lift (core func $run)))
  (instance $command (export "run" (func $run_lifted)))
  (export "wasi:cli/run@0.2.0" (instance $command)))"""


def holds_listings(folder: Path, count: int) -> Path:
    """A command that opens so many listings of its first folder, keeps them, and never ends.

    The host holds all entries of a listing for as long as it is open.
    """
    path = folder / "holds-listings.wat"
    path.write_text(_LISTS.replace("LISTINGS", str(count)))
    return path


def fill_folder(folder: Path, entries: int) -> Path:
    """Make a folder with so many empty files, whose names are long."""
    folder.mkdir()
    for number in range(entries):
        (folder / f"{number:0200}").touch()
    return folder
