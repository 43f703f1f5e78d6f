"""A guest that grows step by step, so slowly that others grow meanwhile."""


def grows_and_naps(steps: int, step_bytes: int, nap_s: float) -> str:
    """The text of a module that grows so often by so much, and sleeps after each."""
    return f"""(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $step i32)
    (i64.store (i32.const 24) (i64.const {round(nap_s * 1e9)}))
    (loop $next
      (drop (memory.grow (i32.const {step_bytes >> 16})))
      (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
      (local.set $step (i32.add (local.get $step) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $step) (i32.const {steps}))))))"""
