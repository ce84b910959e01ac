"""Versions: of this package, and what of WebAssembly it knows."""

from wasmote.isa.features import SUPPORTED_FEATURES, Feature


def version() -> str:
    """The version of the installed package."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("wasmote")
    except PackageNotFoundError:  # run from its sources
        return "0+source"


def proposals() -> str:
    """What `iwasm --version` says of WebAssembly's proposals."""
    features = [feature for feature in Feature if feature is not Feature.MVP]
    on = [feature for feature in features if feature.mask & SUPPORTED_FEATURES]
    off = [feature for feature in features if feature not in on]
    lines = ["About Wasm Proposals:", "  Always-on:", *(f"    - {feature}" for feature in on)]
    return "\n".join([*lines, "  Unsupported:", *(f"    - {feature}" for feature in off)])
