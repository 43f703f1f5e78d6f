"""Components that use the network: one connects to a port, one looks up a name, one listens."""

_NETWORK = """
  (import "wasi:sockets/network@0.2.0" (instance $network
    (export "network" (type (sub resource)))
    (type $code (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory"
      "timeout" "concurrency-conflict" "not-in-progress" "would-block" "invalid-state"
      "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large"
      "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $code)))
    (type $family (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family)))
    (type $v4 (tuple u8 u8 u8 u8))
    (export "ipv4-address" (type $v4e (eq $v4)))
    (type $v6 (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (export "ipv6-address" (type $v6e (eq $v6)))
    (type $ip (variant (case "ipv4" $v4e) (case "ipv6" $v6e)))
    (export "ip-address" (type (eq $ip)))
    (type $s4 (record (field "port" u16) (field "address" $v4e)))
    (export "ipv4-socket-address" (type $s4e (eq $s4)))
    (type $s6 (record (field "port" u16) (field "flow-info" u32) (field "address" $v6e)
      (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $s6e (eq $s6)))
    (type $sa (variant (case "ipv4" $s4e) (case "ipv6" $s6e)))
    (export "ip-socket-address" (type (eq $sa)))))
  (alias export $network "network" (type $net))
  (alias export $network "error-code" (type $error))
  (alias export $network "ip-address-family" (type $af))
  (alias export $network "ip-address" (type $address))
  (alias export $network "ip-socket-address" (type $socket-address))
  (import "wasi:sockets/instance-network@0.2.0" (instance $instance-network
    (alias outer 1 $net (type $n)) (export "network" (type $ne (eq $n)))
    (export "instance-network" (func (result (own $ne))))))
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
"""

_TCP = """
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (alias outer 1 $net (type $n)) (export "network" (type $ne (eq $n)))
    (alias outer 1 $error (type $e)) (export "error-code" (type $ee (eq $e)))
    (alias outer 1 $socket-address (type $a)) (export "ip-socket-address" (type $ae (eq $a)))
    (alias outer 1 $pollable (type $p)) (export "pollable" (type $pe (eq $p)))
    (export "tcp-socket" (type $s (sub resource)))
    (export "[method]tcp-socket.start-connect" (func (param "self" (borrow $s))
      (param "network" (borrow $ne)) (param "remote-address" $ae) (result (result (error $ee)))))
    (export "[method]tcp-socket.start-bind" (func (param "self" (borrow $s))
      (param "network" (borrow $ne)) (param "local-address" $ae) (result (result (error $ee)))))
    (export "[method]tcp-socket.subscribe" (func (param "self" (borrow $s)) (result (own $pe))))))
  (alias export $tcp "tcp-socket" (type $socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $creating
    (alias outer 1 $error (type $e)) (export "error-code" (type $ee (eq $e)))
    (alias outer 1 $af (type $f)) (export "ip-address-family" (type $fe (eq $f)))
    (alias outer 1 $socket (type $s)) (export "tcp-socket" (type $se (eq $s)))
    (export "create-tcp-socket" (func (param "address-family" $fe)
      (result (result (own $se) (error $ee)))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (core func $instance (canon lower (func $instance-network "instance-network")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $create
    (canon lower (func $creating "create-tcp-socket") (memory $mem)))
  (core func $start
    (canon lower (func $tcp "[method]tcp-socket.start-ACTION") (memory $mem)))
  (core func $subscribe (canon lower (func $tcp "[method]tcp-socket.subscribe")))
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "instance" (func $instance (result i32)))
    (import "" "block" (func $block (param i32)))
    (import "" "create" (func $create (param i32 i32)))
    (import "" "start" (func $start (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32
      i32)))
    (import "" "subscribe" (func $subscribe (param i32) (result i32)))
    (func (export "run") (result i32)
      (call $create (i32.const 0) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then (return (i32.const 1))))
      (call $start (i32.load (i32.const 4)) (call $instance)
        (i32.const 0) (i32.const PORT)
        (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 16))
      (if (i32.load8_u (i32.const 16)) (then (return (i32.const 1))))
      (call $block (call $subscribe (i32.load (i32.const 4))))
      (i32.const 0)))
  (core instance $i (instantiate $main (with "" (instance
    (export "memory" (memory $mem)) (export "instance" (func $instance))
    (export "block" (func $block)) (export "create" (func $create))
    (export "start" (func $start)) (export "subscribe" (func $subscribe))))))
"""

_NAMES = """
  (import "wasi:sockets/ip-name-lookup@0.2.0" (instance $lookup
    (alias outer 1 $net (type $n)) (export "network" (type $ne (eq $n)))
    (alias outer 1 $error (type $e)) (export "error-code" (type $ee (eq $e)))
    (alias outer 1 $address (type $a)) (export "ip-address" (type $ae (eq $a)))
    (alias outer 1 $pollable (type $p)) (export "pollable" (type $pe (eq $p)))
    (export "resolve-address-stream" (type $s (sub resource)))
    (export "resolve-addresses" (func (param "network" (borrow $ne)) (param "name" string)
      (result (result (own $s) (error $ee)))))
    (type $maybe (option $ae))
    (export "[method]resolve-address-stream.resolve-next-address" (func
      (param "self" (borrow $s)) (result (result $maybe (error $ee)))))
    (export "[method]resolve-address-stream.subscribe" (func
      (param "self" (borrow $s)) (result (own $pe))))))
  (core module $memory (memory (export "memory") 1) (data (i32.const 64) "localhost"))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (core func $instance (canon lower (func $instance-network "instance-network")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $resolve (canon lower (func $lookup "resolve-addresses") (memory $mem)))
  (core func $next (canon lower
    (func $lookup "[method]resolve-address-stream.resolve-next-address") (memory $mem)))
  (core func $subscribe (canon lower
    (func $lookup "[method]resolve-address-stream.subscribe")))
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "instance" (func $instance (result i32)))
    (import "" "block" (func $block (param i32)))
    (import "" "resolve" (func $resolve (param i32 i32 i32 i32)))
    (import "" "next" (func $next (param i32 i32)))
    (import "" "subscribe" (func $subscribe (param i32) (result i32)))
    (func (export "run") (result i32)
      (call $resolve (call $instance) (i32.const 64) (i32.const 9) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then (return (i32.const 1))))
      (call $block (call $subscribe (i32.load (i32.const 4))))
      (call $next (i32.load (i32.const 4)) (i32.const 16))
      (i32.load8_u (i32.const 16))))
  (core instance $i (instantiate $main (with "" (instance
    (export "memory" (memory $mem)) (export "instance" (func $instance))
    (export "block" (func $block)) (export "resolve" (func $resolve))
    (export "next" (func $next)) (export "subscribe" (func $subscribe))))))
"""

_RUN = """
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance (export "wasi:cli/run@0.2.0") (export "run" (func $run)))
"""


def connecting_to(port: int) -> str:
    """A component that connects to a port of this machine; status 1 if it may not."""
    tcp = _TCP.replace("PORT", str(port)).replace("ACTION", "connect")
    return f"(component {_NETWORK}{tcp}{_RUN})"


def binding(port: int) -> str:
    """A component that takes a port of this machine; status 1 if it may not."""
    tcp = _TCP.replace("PORT", str(port)).replace("ACTION", "bind")
    return f"(component {_NETWORK}{tcp}{_RUN})"


def looking_up() -> str:
    """A component that looks up `localhost`; status 1 if it may not."""
    return f"(component {_NETWORK}{_NAMES}{_RUN})"
