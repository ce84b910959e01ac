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
PARTLY = {
    "branch hints": {
        "custom/branch_hint.wast": 1,
    },
}

#: Scripts about features that an engine does not have yet, though others do.
NOT_IN_ENGINE = {
    "classic": {
        "tail-calls": """
            return_call.wast return_call_indirect.wast return_call_ref.wast try_table.wast
            legacy/try_catch.wast legacy/try_delegate.wast
        """,
        "multi-memory": """
            address0.wast address1.wast align0.wast float_exprs0.wast float_exprs1.wast
            float_memory0.wast imports1.wast imports2.wast linking1.wast linking3.wast
            load0.wast load1.wast load2.wast memory-multi.wast memory_copy0.wast
            memory_fill0.wast memory_init0.wast memory_trap0.wast memory_trap1.wast
            proposals/custom-page-sizes/custom-page-sizes.wast start0.wast store0.wast instance.wast
            store1.wast store2.wast traps0.wast
        """,
        "memory64": """
            address64.wast align64.wast bulk64.wast call_indirect64.wast endianness64.wast
            float_memory64.wast load64.wast memory64.wast memory_copy64.wast memory_fill64.wast
            memory_grow64.wast memory_init64.wast memory_redundancy64.wast memory_trap64.wast
            table_copy64.wast table_fill64.wast table_get64.wast table_grow64.wast
            table_init64.wast table_set64.wast table_size64.wast
        """,
        "wide-arithmetic": """
            proposals/wide-arithmetic/wide-arithmetic.wast
        """,
        "gc": """
            array.wast array_copy.wast array_fill.wast array_init_data.wast array_init_elem.wast
            array_new_data.wast array_new_elem.wast br_on_cast.wast br_on_cast_fail.wast
            extern.wast i31.wast ref_cast.wast ref_eq.wast ref_test.wast struct.wast
            table_init.wast type-subtyping.wast
        """,
    },
}


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
