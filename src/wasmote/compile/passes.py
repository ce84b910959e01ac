"""LLVM's passes by name, as far as llvmlite has them: `--enable-llvm-passes`."""

from typing import Any

from wasmote.errors import CompileError

#: LLVM's names (of `opt -passes`), and what llvmlite calls the pass.
_METHODS = {
    "aa-eval": "aa_eval",
    "adce": "aggressive_dce",
    "aggressive-instcombine": "aggressive_instcombine",
    "always-inline": "always_inliner",
    "argpromotion": "argument_promotion",
    "break-crit-edges": "break_critical_edges",
    "constmerge": "constant_merge",
    "dce": "dead_code_elimination",
    "deadargelim": "dead_arg_elimination",
    "dse": "dead_store_elimination",
    "function-attrs": "post_order_function_attributes",
    "globaldce": "global_dead_code_eliminate",
    "globalopt": "global_opt",
    "instcombine": "instruction_combine",
    "instnamer": "instruction_namer",
    "ipsccp": "ipsccp",
    "jump-threading": "jump_threading",
    "lcssa": "lcssa",
    "loop-deletion": "loop_deletion",
    "loop-reduce": "loop_strength_reduce",
    "loop-rotate": "loop_rotate",
    "loop-simplify": "loop_simplify",
    "loop-unroll": "loop_unroll",
    "loop-unroll-and-jam": "loop_unroll_and_jam",
    "lower-switch": "lower_switch",
    "memcpyopt": "mem_copy_opt",
    "mergefunc": "merge_functions",
    "mergereturn": "unify_function_exit_nodes",
    "newgvn": "new_gvn",
    "partial-inliner": "partial_inliner",
    "reassociate": "reassociate",
    "rpo-function-attrs": "rpo_function_attrs",
    "sccp": "sccp",
    "simplifycfg": "simplify_cfg",
    "sink": "sinking",
    "sroa": "sroa",
    "strip-dead-prototypes": "strip_dead_prototype",
    "tailcallelim": "tail_call_elimination",
    "verify": "verifier",
}
PASSES = tuple(_METHODS)


def check_passes(names: tuple[str, ...]) -> None:
    """Raise CompileError for a name that is not in `PASSES`."""
    for name in names:
        if name not in _METHODS:
            raise CompileError(f"no pass {name}; there are {', '.join(PASSES)}")


def run_passes(names: tuple[str, ...], module: Any, builder: Any) -> None:
    """Run these passes over LLVM's module, in this order."""
    import llvmlite.binding as llvm

    manager = llvm.create_new_module_pass_manager()
    for name in names:
        method = _METHODS[name]
        add = getattr(manager, f"add_{method}_pass", None) or getattr(manager, f"add_{method}")
        add()
    manager.run(module, builder)
