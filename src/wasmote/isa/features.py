"""The features of WebAssembly: what was standardised (or proposed) as one unit."""

from collections.abc import Iterable
from enum import StrEnum


class Feature(StrEnum):
    """A feature by the name of its proposal; `bit` is its place in `Module.features`.

    New features are added at the end: the bit numbers are part of the image's interface.
    """

    MVP = "mvp"
    SIGN_EXTENSION = "sign-extension"
    SATURATING_CONVERSION = "saturating-float-to-int"
    MULTI_VALUE = "multi-value"
    BULK_MEMORY = "bulk-memory"
    REFERENCE_TYPES = "reference-types"
    EXTENDED_CONST = "extended-const"
    SIMD = "simd"
    TAIL_CALLS = "tail-calls"
    MULTI_MEMORY = "multi-memory"
    MEMORY64 = "memory64"
    THREADS = "threads"
    EXCEPTIONS = "exception-handling"
    FUNCTION_REFERENCES = "function-references"
    GC = "gc"
    RELAXED_SIMD = "relaxed-simd"
    CUSTOM_PAGE_SIZES = "custom-page-sizes"
    WIDE_ARITHMETIC = "wide-arithmetic"
    STACK_SWITCHING = "stack-switching"
    LEGACY_EXCEPTIONS = "legacy-exception-handling"

    @property
    def bit(self) -> int:
        return _BITS[self]

    @property
    def mask(self) -> int:
        return 1 << self.bit


_BITS = {feature: bit for bit, feature in enumerate(Feature)}

_SUPPORTED = (
    Feature.MVP,
    Feature.SIGN_EXTENSION,
    Feature.SATURATING_CONVERSION,
    Feature.MULTI_VALUE,
    Feature.BULK_MEMORY,
    Feature.REFERENCE_TYPES,
    Feature.EXTENDED_CONST,
    Feature.SIMD,
    Feature.RELAXED_SIMD,
    Feature.FUNCTION_REFERENCES,
    Feature.GC,
    Feature.TAIL_CALLS,
    Feature.MULTI_MEMORY,
    Feature.MEMORY64,
    Feature.CUSTOM_PAGE_SIZES,
    Feature.WIDE_ARITHMETIC,
    Feature.EXCEPTIONS,
    Feature.LEGACY_EXCEPTIONS,
    Feature.THREADS,
)

#: Bits of the features that this version implements.
SUPPORTED_FEATURES: int = sum(feature.mask for feature in _SUPPORTED)
#: Bits that are on unless the embedder says otherwise.
DEFAULT_FEATURES: int = SUPPORTED_FEATURES
#: Their names.
FEATURES: frozenset[str] = frozenset(feature.value for feature in _SUPPORTED)


def feature_mask(names: Iterable[str]) -> int:
    """The bits of the features named; those of the first version of WebAssembly are always among
    them. Raises ValueError for a name that is not in `FEATURES`.
    """
    mask = Feature.MVP.mask
    for name in names:
        if name not in FEATURES:
            raise ValueError(f"no feature {name!r}; there are {', '.join(sorted(FEATURES))}")
        mask |= Feature(name).mask
    return mask


#: What a feature is built on.
_BASES = {
    Feature.RELAXED_SIMD: Feature.SIMD,
    Feature.FUNCTION_REFERENCES: Feature.REFERENCE_TYPES,
    Feature.EXCEPTIONS: Feature.REFERENCE_TYPES,
    Feature.GC: Feature.FUNCTION_REFERENCES,
    Feature.STACK_SWITCHING: Feature.FUNCTION_REFERENCES,
}


def without(names: Iterable[str]) -> frozenset[str]:
    """The names in `FEATURES` that remain without these, and without what is built on them.

    Raises ValueError for a name that is not in `FEATURES`.
    """
    off = feature_mask(names) & ~Feature.MVP.mask
    for feature, base in _BASES.items():  # a base comes before what is built on it
        if base.mask & off:
            off |= feature.mask
    return frozenset(name for name in FEATURES if not Feature(name).mask & off)


#: Bits of the features that the image which is being compiled gets; `host.build` changes them.
_built = SUPPORTED_FEATURES


def built_features() -> int:
    """Bits of the features that the image is compiled with. Native code asks when it is compiled,
    so that what serves a feature can be left out.
    """
    return _built


def is_built(feature: Feature) -> bool:
    """Whether the image is compiled with a feature."""
    return _built & feature.mask != 0


def build_without(names: Iterable[str]) -> None:
    """Compile images without these features, and what is built on them, from now on.

    Raises ValueError for a name that is not in `FEATURES`.
    """
    global _built
    _built = feature_mask(without(names))
