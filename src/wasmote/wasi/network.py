"""What of the network a program may reach: the pool of addresses, and the names it may look up.

WAMR's `--addr-pool` and `--allow-resolve`, with its rules for both.
"""

from collections.abc import Iterable

from wasmote.wasi.errors import WasiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    IPAddress = IPv4Address | IPv6Address
    IPNetwork = IPv4Network | IPv6Network


class Network:
    """Nothing is allowed but what is listed.

    `addr_pool` has networks as "10.0.0.0/8" or "fd00::/8"; a single address is a network of one.
    The addresses 0.0.0.0 and :: stand for any address of their kind, whatever follows the slash,
    unless that is /32 or /128. `allow_resolve` has names, where "*" at the front stands for
    anything: "*.example.com". Each may also be one string with commas. Raises WasiError for what
    makes no sense.
    """

    __slots__ = ("_names", "_networks", "_suffixes")

    def __init__(
        self, addr_pool: str | Iterable[str] = (), allow_resolve: str | Iterable[str] = ()
    ) -> None:
        self._networks = tuple(map(parse_network, _listed(addr_pool)))
        names = [parse_name(name) for name in _listed(allow_resolve)]
        self._names = frozenset(name for name in names if not name.startswith(b"*"))
        self._suffixes = tuple(name[1:] for name in names if name.startswith(b"*"))

    def has(self, address: "IPAddress") -> bool:
        """Whether the pool has `address`: what a socket must be allowed to bind to."""
        plain = _plain(address)
        return any(
            plain.version == network.version and plain in network for network in self._networks
        )

    def reaches(self, address: "IPAddress") -> bool:
        """Whether data may be sent to `address`. The unspecified address means this machine."""
        plain = _plain(address)
        if plain.is_unspecified:
            plain = type(plain)("127.0.0.1" if plain.version == 4 else "::1")
        return self.has(plain)

    def resolves(self, name: bytes) -> bool:
        """Whether the addresses of `name` may be looked up."""
        name = _canonical(name)
        return name in self._names or any(map(name.endswith, self._suffixes))


def parse_network(text: str) -> "IPNetwork":
    """The network that an entry of an address pool means. Raises WasiError."""
    from ipaddress import ip_address, ip_network  # only here: few programs use the network

    address, slash, bits = text.strip().partition("/")
    try:
        ip = ip_address(address)
        if "%" in address:  # the zone of an IPv6 address, which programs cannot name
            raise ValueError
        length = ip.max_prefixlen if not slash else _prefix(bits, ip.max_prefixlen)
    except ValueError:
        raise WasiError(
            f"address pool: {text!r} is not an address as 127.0.0.1 or a network as 10.0.0.0/8 "
            "or fd00::/8 (ADDRESS/BITS)"
        ) from None
    if ip.is_unspecified and length < ip.max_prefixlen:
        length = 0
    plain = _plain(ip)
    if plain.version != ip.version and length >= 96:
        ip, length = plain, length - 96
    return ip_network((ip.packed, length), strict=False)


def _prefix(bits: str, most: int) -> int:
    if not (bits.isascii() and bits.isdigit()) or len(bits) > 3 or int(bits) > most:
        raise ValueError
    return int(bits)


def parse_name(text: str) -> bytes:
    """A name or pattern of names to look up, as it is compared. Raises WasiError."""
    try:
        name = _canonical(text.strip().encode("ascii"))
    except UnicodeEncodeError:
        raise WasiError(f"name to resolve: {text!r} must be written in ASCII (xn--…)") from None
    if not name or b"*" in name[1:] or not name.isascii() or b" " in name or b"\0" in name:
        raise WasiError(
            f"name to resolve: {text!r} is not a name as example.com or a pattern as "
            "*.example.com (* is possible at the front only)"
        )
    return name


def _canonical(name: bytes) -> bytes:
    """Names are the same in capitals, and with the dot of the root."""
    return name.lower().removesuffix(b".")


def _plain(address: "IPAddress") -> "IPAddress":
    """The IPv4 address for one that is written as IPv6 (::ffff:127.0.0.1)."""
    mapped = address.ipv4_mapped if address.version == 6 else None
    return mapped or address


def _listed(entries: str | Iterable[str]) -> Iterable[str]:
    return entries.split(",") if isinstance(entries, str) else entries
