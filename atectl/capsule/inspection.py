"""Everything that a capsule's bytes tell about it: nothing of it is compiled, and nothing runs.

Only the engine can say whether it is valid. Bounded are the sizes of the file and of its decoded
content, the number of entries, their nesting, and the length of names and types.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from atectl.capsule.binary import HEADER_BYTES, MAGIC, MalformedBinary, Reader, kind_of
from atectl.capsule.component_facts import ComponentFacts
from atectl.capsule.component_reading import read_component
from atectl.capsule.creation import ONE_INSTANCE, Creation
from atectl.capsule.encodings import Decoded, Encoding, decode
from atectl.capsule.limits import DEFAULT_MAX_CAPSULE_BYTES
from atectl.capsule.manifest import Described, HashedFile, describe
from atectl.capsule.module_facts import ModuleFacts
from atectl.capsule.module_reading import read_module
from atectl.capsule.needs import Needs, needs_of_component, needs_of_module
from atectl.capsule.piped import keep_piped
from atectl.capsule.sections import Faults
from atectl.capsule.source import open_capsule
from atectl.capsule.text_form import is_text_form
from atectl.engine.kind import Kind
from atectl.errors import CapsuleUnreadable, InvalidCapsule, TruncatedCapsule
from atectl.units import show_size


class Inspection(NamedTuple):
    """A capsule in full."""

    path: str
    """As it was given; make it inert before it is shown."""
    kind: Kind
    """Whether it is a core module or a component."""
    form: Literal["binary", "text"]
    """Which of the two forms is in the file, within all encodings."""
    size_bytes: int
    """The size of the file."""
    binary_bytes: int
    """The size of its binary form, to which the offsets of sections refer."""
    sha256: str
    """The hash of the file, in hexadecimal digits."""
    encodings: tuple[Encoding, ...]
    """The encodings around the capsule, the outermost first."""
    package: str | None
    """The name in its Capsule.toml, if it has one."""
    package_version: str | None
    """The version in its Capsule.toml, if it has one."""
    module: ModuleFacts | None
    """What it says about itself, if it is a core module."""
    component: ComponentFacts | None
    """What it says about itself, if it is a component."""
    needs: Needs
    """What it needs to run."""
    is_truncated: bool
    """Whether it ends before its sections do."""
    faults: tuple[str, ...]
    """What is wrong with it, each as the end of a sentence. The rest could be read."""


def inspect(path: Path, *, max_bytes: int = DEFAULT_MAX_CAPSULE_BYTES) -> Inspection:
    """Read the capsule at `path`, or that of the Capsule.toml there, and tell what it is.

    Args:
        max_bytes: the maximum size of the decoded capsule.

    Raises:
        CapsuleNotFound: there is no such file (exit 127).
        CapsuleUnreadable: it is no regular file, or not permitted (exit 126).
        CapsuleTooLarge: it is larger, or more than that comes through a pipe (exit 126).
        HostExhausted: there is no memory left for what comes through a pipe (exit 125).
        CompileMemory, CompileTime: it is text that takes too much to assemble (exit 126).
        NotWebAssembly, PrecompiledCapsule, InvalidCapsule: it is no capsule (exit 126).
        TruncatedCapsule: it ends within its header, or its text form does (exit 126).
        DecodingOverBound, Undecodable: its encoding is a bomb or damaged (exit 126).
        BadManifest, ManifestMismatch: its Capsule.toml is broken or of another file (exit 126).
        ExtraMissing: its encoding or hash needs a package that is not installed (exit 125).
    """
    keep_piped(path, max_bytes)
    described = describe(path)
    decoded = _decoded(described, max_bytes)
    binary = _binary(described.capsule.name, decoded.content)
    try:
        kind = kind_of(binary)
    except MalformedBinary as error:
        raise InvalidCapsule(f"{described.capsule.name}: {error}") from None
    faults = Faults()
    module, component, needs = facts_of(kind, binary, str(path), faults)
    return Inspection(
        path=str(path),
        kind=kind,
        form="binary" if binary is decoded.content else "text",
        size_bytes=decoded.size_bytes,
        binary_bytes=len(binary),
        sha256=decoded.sha256,
        encodings=decoded.encodings,
        package=described.name,
        package_version=described.version,
        module=module,
        component=component,
        needs=needs,
        is_truncated=faults.is_truncated,
        faults=faults.told,
    )


def facts_of(
    kind: Kind, binary: bytes, path: str, faults: Faults
) -> tuple[ModuleFacts | None, ComponentFacts | None, Needs]:
    """What a module or a component says of itself, and what it needs.

    Args:
        path: as it is to stand in a command line.
        faults: told what is wrong; what can be read nevertheless is.
    """
    reader = Reader(binary, HEADER_BYTES, len(binary))
    module, component = None, None
    if kind == "module":
        module = read_module(reader, faults)
        needs = needs_of_module(module, path, _creates(binary, faults))
    else:
        component = read_component(reader, faults)
        needs = needs_of_component(component, path, _creates(binary, faults))
    if faults.told:
        needs = needs._replace(min_memory_bytes=None, command=None)
    return module, component, needs


def _decoded(described: Described, max_bytes: int) -> Decoded:
    name = described.capsule.name
    with open_capsule(described.capsule) as file:
        try:
            if described.blake3 is None:
                return decode(file, name=name, max_bytes=max_bytes)
            hashed = HashedFile(file, described.blake3, name)
            decoded = decode(hashed, name=name, max_bytes=max_bytes)
        except OSError as error:
            raise CapsuleUnreadable(f"{described.capsule}: {error.strerror or error}") from None
    hashed.require_match()
    return decoded


def _binary(name: str, content: bytes) -> bytes:
    if content and MAGIC.startswith(content[: len(MAGIC)]) and len(content) < HEADER_BYTES:
        raise TruncatedCapsule(f"{name}: the file ends too early, after {show_size(len(content))}")
    if content.startswith(MAGIC):
        return content
    if is_text_form(content):
        # Binaries do not need it, and it imports the engine.
        from atectl.capsule.assembling import assemble_apart

        return assemble_apart(name, content)
    from atectl.capsule.compiling import binary_form

    return binary_form(name, content)


def _creates(binary: bytes, faults: Faults) -> Creation:
    """What one instantiation creates at most; of little use if that is not known."""
    if faults.told:
        return ONE_INSTANCE
    from atectl.capsule.outline import outline

    try:
        return outline(binary).creates
    except MalformedBinary:
        return ONE_INSTANCE
