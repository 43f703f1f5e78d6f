"""What can go wrong with a capsule before it runs: in its encoding, or when it is compiled."""

from atectl.errors import AbortedByArbiter, AtectlError, CapsuleError


class CapsuleTooLarge(CapsuleError):
    """The file is larger than a capsule may be."""

    code = "E209"
    example = "atectl run --max-capsule 1MiB capsule.wasm"
    default_remedy = "strip the capsule of its debug information, or raise --max-capsule"


class CompileMemory(CapsuleError):
    """Compiling the capsule took more memory than is allowed."""

    code = "E210"
    example = "atectl run --compile-mem 64MiB large.wasm"
    default_remedy = "raise --compile-mem"


class CompileTime(CapsuleError):
    """Compiling the capsule took longer than is allowed."""

    code = "E211"
    example = "atectl run --compile-deadline 1s large.wasm"
    default_remedy = "raise --compile-deadline"


class TooManyInstances(CapsuleError):
    """The component would make more instances than one guest may have."""

    code = "E212"
    example = "a component of 22 levels, each of which instantiates the one below twice"
    default_remedy = "build it so that components are instantiated once and shared"


class DecodingOverBound(CapsuleError):
    """The capsule's encoding goes past a bound: it decodes to too much, or is encoded too often."""

    code = "E221"
    example = "head -c 10G /dev/zero | gzip > bomb.wasm.gz; atectl inspect bomb.wasm.gz"
    default_remedy = (
        "do not trust the file; if it is meant to be so large, decode it yourself first"
    )


class Undecodable(CapsuleError):
    """The capsule's encoding is damaged, or holds more than one capsule."""

    code = "E222"
    example = "gzip hello.wasm; head -c 100 hello.wasm.gz > cut.wasm.gz; atectl inspect cut.wasm.gz"
    default_remedy = "fetch or encode the file again"


class BadManifest(CapsuleError):
    """The capsule's Capsule.toml cannot be read, or lacks what it must have."""

    code = "E223"
    example = "echo '[package' > Capsule.toml; atectl run hello.wasm"
    default_remedy = "correct the file: [package] with name and version, [[component]] with file"


class ManifestMismatch(CapsuleError):
    """The capsule is not the file that its Capsule.toml names: their hashes differ."""

    code = "E224"
    example = "a capsule that was replaced, or changed on its way, beside the manifest it came with"
    default_remedy = "fetch the capsule and its manifest again, from one release"


class HostExhausted(AtectlError):
    """This machine has no file descriptors, memory or processes left to load a capsule."""

    code = "E704"
    example = "(ulimit -n 8; atectl run capsule.wasm)"
    default_remedy = "raise the limit that it names (ulimit), or run fewer things at once"


class NoRoomToCompile(AbortedByArbiter):
    """The host had no memory left to compile the capsule with, beside all else that it holds."""

    code = "E319"
    example = "a batch under --limit 128MiB whose host itself has grown, with a large capsule"
    default_remedy = (
        "raise --limit, run fewer jobs at once, or run it once with `atectl run`, which keeps it "
        "compiled"
    )


class ExtraMissing(AtectlError):
    """A package that only some capsules need is not installed."""

    code = "E721"
    example = "atectl inspect capsule.wasm.br, where the brotli package is not installed"
    default_remedy = "install atectl with the extra that provides it"
