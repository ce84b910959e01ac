"""Signatures: what they cover, and what is said of those that do not hold."""

import pytest

pytest.importorskip("cryptography")

from wasmote.image import signature
from wasmote.image.format import Image, ImageError, parse
from wasmote.image.signature import (
    SIZE,
    PublicKeys,
    SignatureError,
    content_size,
    make_keys,
    sign,
    signer,
)

PRIVATE, PUBLIC = make_keys()
OTHER_PRIVATE, OTHER_PUBLIC = make_keys()
RAW = Image("x86_64-linux", {"run": 0}, b"\xc3" * 100).encode()
SIGNED = sign(RAW, PRIVATE)


def test_a_signature_is_behind_what_it_signs():
    assert SIGNED[:-SIZE] == RAW
    assert content_size(SIGNED) == len(RAW)
    assert signer(SIGNED) == PublicKeys([PUBLIC]).check(SIGNED)
    assert parse(SIGNED).size == len(RAW)
    assert signer(RAW) == ""
    assert content_size(RAW) == len(RAW)
    assert content_size(b"") == 0


def test_a_new_signature_replaces_the_old_one():
    assert sign(SIGNED, PRIVATE) == SIGNED
    again = sign(SIGNED, OTHER_PRIVATE)
    assert len(again) == len(SIGNED)
    assert PublicKeys([OTHER_PUBLIC]).check(again) == signer(again) != signer(SIGNED)


def test_several_keys_in_one_file():
    keys = PublicKeys([OTHER_PUBLIC + b"\n# the old one\n" + PUBLIC])
    assert keys.check(SIGNED) == signer(SIGNED)
    assert keys.check(sign(RAW, OTHER_PRIVATE)) != signer(SIGNED)


def test_what_is_wrong_is_said():
    keys = PublicKeys([PUBLIC])
    with pytest.raises(SignatureError, match="it is not signed"):
        keys.check(RAW)
    with pytest.raises(SignatureError, match=f"with the key {signer(SIGNED)}, not with"):
        PublicKeys([OTHER_PUBLIC]).check(SIGNED)
    with pytest.raises(SignatureError, match="altered after it was signed"):
        keys.check(b"\1" + SIGNED[1:])


def test_every_bit_is_covered():
    keys = PublicKeys([PUBLIC])
    places = [*range(300), *range(300, len(RAW), 199), *range(len(RAW), len(SIGNED))]
    for position in places:
        damaged = bytearray(SIGNED)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(SignatureError, match=r"not signed|the key|altered"):
            keys.check(bytes(damaged))
    for size in range(len(SIGNED)):
        with pytest.raises(SignatureError, match=r"not signed|altered"):
            keys.check(SIGNED[:size])


def test_a_signature_of_another_file_does_not_fit():
    with pytest.raises(SignatureError, match="altered"):
        PublicKeys([PUBLIC]).check(RAW[:-1] + b"\1" + SIGNED[-SIZE:])


def test_a_second_signature_behind_the_first_is_not_accepted():
    twice = SIGNED + sign(SIGNED[:-SIZE], OTHER_PRIVATE)[-SIZE:]
    with pytest.raises(SignatureError):
        PublicKeys([PUBLIC, OTHER_PUBLIC]).check(twice)
    with pytest.raises(ImageError, match="something behind the image"):
        parse(twice)


def encrypted(key: bytes, passphrase: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    private = form.load_pem_private_key(key, None)
    return private.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(passphrase)
    )


def test_encrypted_keys():
    key = encrypted(PRIVATE, b"secret")
    assert sign(RAW, key, b"secret") == SIGNED
    with pytest.raises(SignatureError, match="passphrase"):
        sign(RAW, key, b"wrong")
    with pytest.raises(SignatureError, match="encrypted"):
        sign(RAW, key)


def test_what_is_no_key():
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

    curve = generate_private_key(SECP256R1())
    pem = curve.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = curve.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(SignatureError, match="not of the kind Ed25519"):
        sign(RAW, pem)
    with pytest.raises(SignatureError, match="not of the kind Ed25519"):
        PublicKeys([public])
    with pytest.raises(SignatureError, match="no private key in PEM form"):
        sign(RAW, PUBLIC)
    with pytest.raises(SignatureError, match=r"no public key in PEM form \(it is a private key\)"):
        PublicKeys([PRIVATE])
    with pytest.raises(SignatureError, match="no public key in PEM form"):
        PublicKeys([b"hello"])
    with pytest.raises(SignatureError, match="no public key"):
        PublicKeys([])
    with pytest.raises(SignatureError, match="not a public key"):
        PublicKeys([PUBLIC.replace(b"MC", b"MD")])


def test_the_form_is_that_of_a_custom_section():
    section = SIGNED[-SIZE:]
    assert section[0] == 0
    assert section[1] == len(section) - 2
    assert section[3 : 3 + section[2]] == signature.NAME
