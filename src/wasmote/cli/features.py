"""`--disable-feature`: what a module may use of WebAssembly."""

from wasmote.cli.options import Option, closest
from wasmote.isa.features import FEATURES, without


def _feature(word: str) -> str:
    if word not in FEATURES or word == "mvp":
        hint = closest(word, _NAMES, "")
        raise ValueError(f"no feature {word}{hint}; there are {', '.join(_NAMES)}")
    return word


_NAMES = sorted(FEATURES - {"mvp"})

DISABLE_FEATURE = Option(
    "--disable-feature NAME",
    "refuse modules that use this feature of WebAssembly, or one that is built on it; may be"
    f" repeated. There are {', '.join(_NAMES)}",
    name="disabled",
    convert=_feature,
    repeated=True,
)


def allowed(disabled: list[str]) -> frozenset[str]:
    """The features that are left, for `Module`."""
    return without(disabled) if disabled else FEATURES
