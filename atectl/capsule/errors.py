"""What can go wrong with a capsule on its way here: how it is encoded, what is told of it."""

from atectl.errors import AtectlError, CapsuleError


class DecodingOverBound(CapsuleError):
    """The capsule's encoding goes past a bound: it decodes to too much, or is encoded too often."""

    code = "E221"
    example = "head -c 10G /dev/zero | gzip > bomb.wasm.gz; atectl inspect bomb.wasm.gz"
    default_remedy = (
        "do not trust the file; if it is meant to be so large, decode it yourself first"
    )


class Undecodable(CapsuleError):
    """The capsule's encoding is damaged, or holds no single capsule."""

    code = "E222"
    example = "gzip hello.wasm; head -c 100 hello.wasm.gz > cut.wasm.gz; atectl inspect cut.wasm.gz"
    default_remedy = "fetch or encode the file again"


class BadManifest(CapsuleError):
    """The capsule's Capsule.toml cannot be read, or does not say what it has to."""

    code = "E223"
    example = "echo '[package' > Capsule.toml; atectl run hello.wasm"
    default_remedy = "mend the file: [package] with name and version, [[component]] with file"


class ManifestMismatch(CapsuleError):
    """The capsule is not the file that its Capsule.toml names: their hashes differ."""

    code = "E224"
    example = "a capsule that was replaced, or changed on its way, beside the manifest it came with"
    default_remedy = "fetch the capsule and its manifest again, from one release"


class ExtraMissing(AtectlError):
    """A package that only some capsules ask for is not installed."""

    code = "E721"
    example = "atectl inspect capsule.wasm.br, where the brotli package is not installed"
    default_remedy = "install it with atectl's extra of that name"
