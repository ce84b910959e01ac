"""The sandbox of the network: pools of addresses and names."""

from ipaddress import ip_address

import pytest

from wasmote.wasi import Wasi, WasiError
from wasmote.wasi.network import Network


@pytest.mark.parametrize(
    ("pool", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0 ::10.0.0.1"),
        ("10.1.2.3/8", "10.200.0.1", "11.1.2.3"),  # what follows the bits does not matter
        ("127.0.0.1", "127.0.0.1", "127.0.0.2 ::1"),
        ("127.0.0.1/32", "127.0.0.1 ::ffff:127.0.0.1", "127.0.0.0 ::ffff:127.0.0.2"),
        ("10.0.0.0/7", "10.0.0.1 11.255.255.255", "12.0.0.0 9.0.0.0"),
        ("::1/128", "::1", "::2 127.0.0.1 ::ffff:127.0.0.1"),
        ("fd00::/8", "fd00:: fdff::1", "fe00:: fc00::"),
        ("::ffff:10.0.0.0/104", "10.1.2.3 ::ffff:10.1.2.3", "11.0.0.0 ::10.0.0.0"),
        ("0.0.0.0/15", "0.0.0.0 8.8.8.8 255.255.255.255", "::1"),  # WAMR: any address
        ("127.0.0.1/0", "0.0.0.0 8.8.8.8", "::1"),
        ("0.0.0.0/32", "0.0.0.0", "127.0.0.1 0.0.0.1"),
        ("::/1", ":: ::1 ffff::1", "8.8.8.8 ::ffff:8.8.8.8"),
        ("::/128", "::", "::1"),
        ("10.0.0.0/8,fd00::/8", "10.0.0.1 fd00::1", "127.0.0.1"),
        ("", "", "127.0.0.1"),
    ],
)
def test_pool(pool: str, inside: str, outside: str) -> None:
    network = Network(pool.split(",") if pool else ())
    for address in inside.split():
        assert network.has(ip_address(address)), address
    for address in outside.split():
        assert not network.has(ip_address(address)), address


def test_the_unspecified_address_is_this_machine() -> None:
    """A connection to 0.0.0.0 is one to 127.0.0.1, which the pool must have."""
    network = Network(["0.0.0.0/32", "::/128"])
    for address in ("0.0.0.0", "::", "::ffff:0.0.0.0"):
        assert network.has(ip_address(address))
        assert not network.reaches(ip_address(address))
    network = Network(["127.0.0.1", "::1"])
    for address in ("0.0.0.0", "::", "127.0.0.1", "::1", "::ffff:0.0.0.0"):
        assert network.reaches(ip_address(address))
    assert not network.has(ip_address("0.0.0.0"))


@pytest.mark.parametrize(
    "entry",
    [
        *("", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8"),
        *("10.0.0.0/255.0.0.0", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/8 x", "::1/129", "::1/x"),
        *("localhost/8", "fe80::%x", "10.0.0.0/8,", "10.0.0.0/٨", "10.0.0.0/0000008"),
    ],
)
def test_pools_that_make_no_sense(entry: str) -> None:
    with pytest.raises(WasiError, match=r"address pool: .* is not an address as 127\.0\.0\.1 or"):
        Wasi(addr_pool=[entry])


@pytest.mark.parametrize(
    ("names", "allowed", "refused"),
    [
        ("example.com", "example.com EXAMPLE.com example.com.", "www.example.com xexample.com com"),
        ("*.example.com", "www.example.com a.b.example.com .example.com", "example.com"),
        ("*example.com", "www.example.com example.com xexample.com", "example.org"),
        ("*", "anything 127.0.0.1", ""),
        ("a.org,*.b.org", "a.org x.b.org", "b.org c.org"),
        ("localhost", "localhost", "localhost.localdomain 127.0.0.1"),
    ],
)
def test_names(names: str, allowed: str, refused: str) -> None:
    network = Network(allow_resolve=names)
    for name in allowed.split():
        assert network.resolves(name.encode()), name
    for name in refused.split():
        assert not network.resolves(name.encode()), name
    assert not Network().resolves(b"example.com")


@pytest.mark.parametrize("name", ["", "a.*.b", "**", "a b", "bücher.example", "a,*b*"])
def test_names_that_make_no_sense(name: str) -> None:
    with pytest.raises(WasiError, match="name to resolve: "):
        Wasi(allow_resolve=name)
