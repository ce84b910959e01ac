"""What is left for later: the one list of scripts that need a feature Wasmote does not have yet.

Every script of the suite runs. One that is not listed here must pass; a listed one that does better
than its listing says fails the test until the listing is brought up to date, so the lists only
ever shrink. The suite is that of WebAssembly 3.0: many a script of 2.0 has single modules with
newer features, and is listed in `PARTLY` with the number of commands that fail for that.
"""

#: Folders that do not run at all.
NOT_RUN = {
    "proposals/custom-descriptors": "an early proposal, in no version of WebAssembly",
}

#: Scripts about a feature, which may fail in any number of commands. One that needs several
#: features is listed under the last of them.
LATER: dict[str, str] = {}

#: Scripts with single modules that need a feature: how many of their commands fail, no more.
PARTLY: dict[str, dict[str, int]] = {}

#: Scripts about features that an engine does not have yet, though others do.
NOT_IN_ENGINE: dict[str, dict[str, str]] = {}


def feature_of(script: str, engine: str) -> str | None:
    """The feature for which a script is listed, if it is."""
    for feature, scripts in [*LATER.items(), *NOT_IN_ENGINE.get(engine, {}).items()]:
        if script in scripts.split():
            return feature
    return next((feature for feature, scripts in PARTLY.items() if script in scripts), None)


def failures_allowed(script: str, engine: str) -> int | None:
    """How many commands of a script may fail; None for any number."""
    listed = [*LATER.values(), *NOT_IN_ENGINE.get(engine, {}).values()]
    if any(script in scripts.split() for scripts in listed):
        return None
    return next((scripts[script] for scripts in PARTLY.values() if script in scripts), 0)
