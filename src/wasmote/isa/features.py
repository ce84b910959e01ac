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
