"""Signatures of images and modules: Ed25519, as the last bytes of the file.

A signature has the form of a custom section of a WebAssembly module, so a signed module is one
still, and the same few bytes sign both kinds of file:

    offset size
    0      1    0: a custom section
    1      1    91: bytes that follow
    2      1    17: bytes of the name
    3      17   wasmote.signature
    20     1    version of this format: 1
    21     8    the key: the first bytes of the SHA-256 of its 32 public bytes
    29     64   Ed25519 signature

What is signed is `_DOMAIN` followed by the SHA-256 of all bytes before the signature. Keys are PEM
files as OpenSSL makes them. Needs the package `cryptography` (the extra `sign`).
"""

import struct

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import Any

    #: A PEM file, or its contents.
    KeySource = bytes | str | os.PathLike[str]

NAME = b"wasmote.signature"
VERSION = 1
_HEAD = bytes([0, 91, len(NAME)]) + NAME + bytes([VERSION])
_RECORD = struct.Struct(f"<{len(_HEAD)}s8s64s")
SIZE = _RECORD.size
_DOMAIN = b"wasmote signature 1\0"


class SignatureError(Exception):
    """A file is not signed as it has to be, or a key cannot be used; says why."""


def content_size(raw: "bytes | memoryview") -> int:
    """Bytes of a file without its signature."""
    start = len(raw) - SIZE
    signed = start >= 0 and bytes(raw[start : start + len(_HEAD)]) == _HEAD
    return start if signed else len(raw)


def signer(raw: "bytes | memoryview") -> str:
    """The number of the key that a file says it is signed with; empty if it is not signed."""
    if content_size(raw) == len(raw):
        return ""
    _, key, _ = _RECORD.unpack(bytes(raw[-SIZE:]))
    return str(key.hex())


def sign(raw: bytes, key: "KeySource", passphrase: bytes | None = None) -> bytes:
    """A file's bytes with a signature by this private key, in place of one it may have.

    Raises SignatureError for what is no key, OSError for a file that cannot be read, ImportError
    without the package `cryptography`.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(_pem(key), passphrase)
    except TypeError as error:  # encrypted, or not
        raise SignatureError(f"{error}") from None
    except ValueError:
        raise SignatureError(
            "it is no private key in PEM form, or has another passphrase"
        ) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise SignatureError("the key is not of the kind Ed25519")
    content = raw[: content_size(raw)]
    made = private.sign(_message(content))
    return content + _RECORD.pack(_HEAD, _number(private.public_key()), made)


def make_keys() -> tuple[bytes, bytes]:
    """A new private key and its public key, as PEM."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


class PublicKeys:
    """The keys that files may be signed with.

    Each source is a PEM file, or the contents of one, with one public key or several. Raises
    SignatureError for what is no key, OSError, ImportError.
    """

    def __init__(self, sources: "Iterable[KeySource]") -> None:
        self._keys: dict[bytes, Any] = {}
        for source in sources:
            for key in _public_keys(_pem(source)):
                self._keys[_number(key)] = key
        if not self._keys:
            raise SignatureError("there is no public key to check signatures with")

    def check(self, raw: "bytes | memoryview") -> str:
        """Check a file's signature; returns the number of the key. Raises SignatureError."""
        from cryptography.exceptions import InvalidSignature

        size = content_size(raw)
        if size == len(raw):
            raise SignatureError("it is not signed: wasmote sign signs it")
        _, number, signature = _RECORD.unpack(bytes(raw[size:]))
        if number not in self._keys:
            known = ", ".join(each.hex() for each in self._keys)
            raise SignatureError(f"it is signed with the key {number.hex()}, not with {known}")
        try:
            self._keys[number].verify(signature, _message(raw[:size]))
        except InvalidSignature:
            raise SignatureError("it was altered after it was signed") from None
        return str(number.hex())


def _message(content: "bytes | memoryview") -> bytes:
    from hashlib import sha256

    return _DOMAIN + sha256(content).digest()


def _number(public: "Any") -> bytes:
    from hashlib import sha256

    return sha256(public.public_bytes_raw()).digest()[:8]


def _pem(source: "KeySource") -> bytes:
    if isinstance(source, bytes):
        return source
    with open(source, "rb") as file:
        return file.read()


def _public_keys(pem: bytes) -> "list[Any]":
    """The keys of a PEM file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    end = b"-----END PUBLIC KEY-----"
    found = []
    for part in pem.split(end)[:-1]:
        try:
            key = load_pem_public_key(part.lstrip() + end + b"\n")
        except ValueError as error:
            raise SignatureError(f"not a public key in PEM form: {error}") from None
        if not isinstance(key, Ed25519PublicKey):
            raise SignatureError("the key is not of the kind Ed25519")
        found.append(key)
    if not found:
        private = " (it is a private key)" if b"PRIVATE KEY" in pem else ""
        raise SignatureError(f"it is no public key in PEM form{private}")
    return found
