"""Components that make the host hold much for them, beside their own memory."""

_ERROR_CODES = """
  "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
  "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory"
  "loop" "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock"
  "insufficient-memory" "insufficient-space" "not-directory" "not-empty" "not-recoverable"
  "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe" "read-only"
  "invalid-seek" "text-file-busy" "cross-device"
"""

_OPEN_FLAGS = '"create" "directory" "exclusive" "truncate"'
_DESCRIPTOR_FLAGS = (
    '"read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync" '
    '"mutate-directory"'
)

KEEPS_STREAMS = f"""(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $pollable (type $p0)) (export "pollable" (type $p (eq $p0)))
    (export "input-stream" (type $in (sub resource)))
    (export "[method]input-stream.subscribe"
      (func (param "self" (borrow $in)) (result (own $p))))))
  (alias export $streams "input-stream" (type $input-stream))
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (alias outer 1 $input-stream (type $i0)) (export "input-stream" (type $i (eq $i0)))
    (export "descriptor" (type $d (sub resource)))
    (type $code0 (enum {_ERROR_CODES}))
    (export "error-code" (type $code (eq $code0)))
    (type $pf0 (flags "symlink-follow")) (export "path-flags" (type $pf (eq $pf0)))
    (type $of0 (flags {_OPEN_FLAGS})) (export "open-flags" (type $of (eq $of0)))
    (type $df0 (flags {_DESCRIPTOR_FLAGS})) (export "descriptor-flags" (type $df (eq $df0)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $d))
      (param "path-flags" $pf) (param "path" string) (param "open-flags" $of) (param "flags" $df)
      (result (result (own $d) (error $code)))))
    (export "[method]descriptor.read-via-stream" (func (param "self" (borrow $d))
      (param "offset" u64) (result (result (own $i) (error $code)))))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d0)) (export "descriptor" (type $d (eq $d0)))
    (export "get-directories" (func (result (list (tuple (own $d) string)))))))
  (core module $lib (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (data (i32.const 0) "f")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.add (global.get $next) (i32.const 64)))
      (global.get $next)))
  (core instance $lib (instantiate $lib))
  (core func $dirs (canon lower (func $preopens "get-directories")
    (memory (core memory $lib "memory")) (realloc (core func $lib "realloc"))))
  (core func $open (canon lower (func $files "[method]descriptor.open-at")
    (memory (core memory $lib "memory"))))
  (core func $via (canon lower (func $files "[method]descriptor.read-via-stream")
    (memory (core memory $lib "memory"))))
  (core func $subscribe (canon lower (func $streams "[method]input-stream.subscribe")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core module $m
    (import "lib" "memory" (memory 1))
    (import "host" "dirs" (func $dirs (param i32)))
    (import "host" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "via" (func $via (param i32 i64 i32)))
    (import "host" "subscribe" (func $subscribe (param i32) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (func (export "run") (result i32) (local $file i32)
      (call $dirs (i32.const 16))
      (call $open (i32.load (i32.load (i32.const 16))) (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.const 0) (i32.const 1) (i32.const 32))
      (if (i32.load8_u (i32.const 32)) (then (return (i32.const 1))))
      (local.set $file (i32.load (i32.const 36)))
      (loop $more
        (call $via (local.get $file) (i64.const 0) (i32.const 48))
        (if (i32.load8_u (i32.const 48)) (then (return (i32.const 1))))
        (call $block (call $subscribe (i32.load (i32.const 52))))
        (br $more))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "lib" (instance $lib)) (with "host" (instance
    (export "dirs" (func $dirs)) (export "open" (func $open)) (export "via" (func $via))
    (export "subscribe" (func $subscribe)) (export "block" (func $block))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run))))"""
"""Opens streams of the file `f` in its first folder, has each read ahead, and closes none."""

WANTS_MUCH_AT_ONCE = """(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $lib (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
  (core instance $lib (instantiate $lib))
  (core func $get (canon lower (func $random "get-random-bytes")
    (memory (core memory $lib "memory")) (realloc (core func $lib "realloc"))))
  (core module $m
    (import "random" "get" (func $get (param i64 i32)))
    (func (export "run") (result i32)
      (call $get (i64.const 60000000) (i32.const 16))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "random" (instance (export "get" (func $get))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run))))"""
"""Has the host make 60 MB of random bytes in one call, near the most that the engine allows."""
