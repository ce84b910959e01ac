"""What does not compile: the error names the file and line, and says what was expected."""

import pytest

from wasmote.nativepy import NativeError, native, u32

from .support import compile_ir, define

#: A snippet's last lines, and what the error says. The line marked with `# here` is the one named;
#: the parameters are `a: u32, b: i32, c: u64, p: ptr[u8], t: boolean, x: f64, s: ptr[S], v: V`.
TYPES = {
    "mixed signedness": ("return a + b # here", "right operand: expected u32, found i32"),
    "mixed width": ("return u32(c + a) # here", "right operand: expected u64, found u32"),
    "int and float": ("return u32(x * a) # here", "right operand: expected f64, found u32"),
    "compare mixed": ("t = a == c # here", "right operand: expected u32, found u64"),
    "compare pointer with integer": ("t = p == a # here", "expected ptr[u8], found u32"),
    "literal too large": ("return a + 0x1_0000_0000 # here", "4294967296 does not fit u32"),
    "literal negative": ("return a & -1 # here", "-1 does not fit u32"),
    "float literal for integer": ("return a + 1.5 # here", "expected u32, found the compile-time"),
    "float literal too large": ("y: f32 = 1e300 # here", "1e+300 does not fit f32"),
    "boolean as a number": ("return a + t # here", "right operand: expected u32, found boolean"),
    "True as a number": (
        "return a + True # here",
        "expected u32, found the compile-time value True",
    ),
    "number as a boolean": ("t = 1 # here", "t: expected boolean, found the compile-time value 1"),
    "return": ("return b # here", "return value: expected u32, found i32"),
    "return nothing": ("return # here", "expected a u32 to return"),
    "assign": ("a = c # here", "a: expected u32, found u64"),
    "assign a field": ("s.tag = a # here", "s.tag: expected u8, found u32"),
    "assign an element": ("p[0] = a # here", "p[0]: expected u8, found u32"),
    "declared twice": ("y: u32 = 1\n    y: i32 = 2 # here", "y already is a u32"),
    "untyped literal": ("y = 5 # here", "y needs a type, as in `y: u32 = …`"),
    "struct variable": ("y: S = a # here", "use stack(...) for storage of a S"),
    "no type": ("y: 5 = a # here", "expected `name: type = value`"),
    "None for an integer": ("a = None # here", "expected u32, found the compile-time value None"),
    "conversion of a pointer": ("return u32(p) # here", "ptr[u8] cannot be converted to u32"),
    "conversion of a literal": ("return u32(-1) # here", "u32(...): -1 does not fit u32"),
    "conversion of two": ("return u32(a, a) # here", "u32(...) takes one argument"),
    "condition": ("if a: # here\n        return 1\n    return 2", "a condition must be a boolean"),
    "loop condition": ("while p: # here\n        pass\n    return 2", "must be a boolean"),
    "not": ("t = not a # here", "Not is not defined on u32"),
    "and": ("t = t and a # here", "a condition must be a boolean, found u32"),
    "minus of a boolean": ("t = -t # here", "USub is not defined on boolean"),
    "invert a float": ("x = ~x # here", "Invert is not defined on f64"),
    "float remainder": ("x = x % 2.0 # here", "Mod is not defined on f64"),
    "integer /": ("a = a / a # here", "Div is not defined on u32"),
    "signed //": ("b = b // 2 # here", "use sdiv, srem"),
    "signed %": ("b %= 2 # here", "use sdiv, srem"),
    "power": ("a = a ** 2 # here", "Pow is not defined on u32"),
    "shift too far": ("a = a << 32 # here", "shift by 32 of a u32"),
    "shift by another type": ("a = a << u8(3) # here", "right operand: expected u32, found u8"),
    "pointer times": ("p = p * 2 # here", "on pointers only + and - with an integer"),
    "pointer plus pointer": ("p = p + p # here", "on pointers only + and - with an integer"),
    "is on integers": ("t = a is b # here", "`is` compares pointers, found u32"),
    "in": ("t = a in (1, 2) # here", "In is only defined at compile time"),
    "chained comparison": ("t = 1 < a < 5 # here", "chained comparisons are not part of nativepy"),
    "sides of a conditional": ("a = u32(1) if t else i32(2) # here", "expected u32, found i32"),
    "untyped conditional": ("a = 1 if t else 2 # here", "compile-time value of no machine type"),
    "no field": (
        "return u32(s.nothing) # here",
        "struct S has no field nothing; it has tag, values",
    ),
    "field of an integer": (
        "return a.tag # here",
        ".tag: expected a pointer to a struct, found u32",
    ),
    "index of an integer": ("return a[0] # here", "expected a pointer or an array, found u32"),
    "index by a float": ("return u32(p[x]) # here", "an index must be an integer, found f64"),
    "whole array": ("s.values = s.values # here", "expected array[u32, 4], found ptr[u32]"),
    "vector of another type": ("v = splat(vec[i32, 4], 1) # here", "expected vec[u32, 4], found"),
}
NAMES = {
    "undefined": ("return nowhere # here", "nowhere is not defined"),
    "undefined on the left": ("nowhere += 1 # here", "nowhere is not defined"),
    "assign a module's name": ("LIMIT[0] = 1 # here", "LIMIT[0] cannot be assigned"),
    "attribute at compile time": ("return u32(LIMIT.size) # here", "has no attribute size"),
    "index at compile time": (
        "return u32(LIMIT[9]) # here",
        "IndexError: tuple index out of range",
    ),
    "division at compile time": ("return a + 1 // 0 # here", "ZeroDivisionError"),
    "exception at compile time": ("return a + int('x') # here", "at compile time: ValueError"),
    "Python function": ("return a + len(p) # here", "len is not a native function"),
    "object": ("return LIMIT # here", "expected u32, found the compile-time value tuple"),
    "call a number": ("return a(1) # here", "a u32 cannot be called"),
}
CALLS = {
    "too few": ("return helper(a) # here", "helper takes 2 arguments, found 1"),
    "too many": ("return shorter(a, a) # here", "shorter takes 1 arguments, found 2"),
    "wrong type": ("return helper(a, b) # here", "argument 2: expected u32, found i32"),
    "wrong type, inline": ("return shorter(b) # here", "shorter: n: expected u32, found i32"),
    "keywords": ("return helper(a, n=a) # here", "keyword arguments are not part of nativepy"),
    "run-time constant": ("return special(a) # here", "special: n must be known at compile time"),
    "endless inline": ("return endless(a)", "inline function endless expands itself"),
    "inline without value": ("return forgetful(a)", "forgetful can end without returning a u32"),
    "native without value": ("return no_return(a)", "no_return can end without returning a u32"),
    "default values": ("return with_default(a)", "with_default: parameters are plain"),
    "star arguments": ("return with_star()", "with_star: parameters are plain"),
    "untyped parameter": ("return untyped(a)", "untyped: parameters and result need types"),
    "handler pointer": ("callback(helper) # here", "expected fn[[u32, u32], u32], found fast fn[["),
}
INTRINSICS = {
    "too few arguments": ("return clz() # here", "clz takes 1 arguments, found 0"),
    "too many arguments": (
        "return load(u32, p, 1, 2) # here",
        "load takes 2 to 3 arguments, found 4",
    ),
    "clz of a float": ("x = clz(x) # here", "clz takes an integer, found f64"),
    "rotl of a float": ("x = rotl(x, x) # here", "rotl takes an integer, found f64"),
    "sqrt of an integer": ("a = sqrt(a) # here", "sqrt takes a float, found u32"),
    "sdiv of unsigned": ("a = sdiv(a, a) # here", "sdiv takes signed integers, found u32"),
    "load through an integer": ("return load(u32, a) # here", "expected a pointer, found u32"),
    "load of no type": ("return load(5, p) # here", "expected a type"),
    "alignment": ("return load(u32, p, align=a) # here", "expected a literal alignment"),
    "copy size": ("copy(p, p, a) # here", "size: expected usize, found u32"),
    "fill byte": ("fill(p, a, usize(a)) # here", "fill byte: expected u8, found u32"),
    "bitcast sizes": ("a = bitcast(u32, x) # here", "bitcast from f64 to u32: the sizes differ"),
    "bitcast pointer": ("c = bitcast(u64, p) # here", "convert pointers with usize and ptr"),
    "address of a value": ("return addr(a + 1) # here", "something that lives in memory"),
    "offset of no field": ("return offsetof(S, 'x') # here", "struct S has no field x"),
    "size of a value": ("return sizeof(a) # here", "expected a type"),
    "lane of no vector": ("return lane(a, 0) # here", "expected a vector, found u32"),
    "splat of a scalar": ("v = splat(u32, a) # here", "expected a vector type"),
    "select by a boolean": ("v = select(t, v, v) # here", "expected a vector, found boolean"),
    "select by numbers": ("v = select(v, v, v) # here", "expected a comparison of vectors"),
    "lanes beyond both": ("v = shuffle(v, v, (0, 1, 2, 8)) # here", "have no lanes (0, 1, 2, 8)"),
    "saturating floats": ("x = add_sat(x, x) # here", "add_sat takes integers, found f64"),
    "lanes of a constant": ("v = v + vec[u32, 4]((1, 2)) # here", "the compile-time value tuple"),
    "stack of run-time size": ("p = stack(u8, a) # here", "expected a count"),
    "tail not returned": ("tail(helper, a, a) # here", "tail belongs in `return tail(…)`"),
    "trap outside": ("trap_if(t, 1) # here", "trap_if needs an enclosing function with on_trap"),
    "saturation to a float": ("x = float_to_int_sat(f64, x) # here", "makes an integer of a float"),
    "address_of inline": ("callback(address_of(shorter))", "parameters and result need types"),
}
STATEMENTS = {
    "try": ("try: # here\n        a = 1\n    except E:\n        a = 2\n    return a", "Try is not"),
    "with": ("with p: # here\n        return a", "With is not part of nativepy"),
    "raise": ("raise ValueError # here", "Raise is not part of nativepy"),
    "assert": ("assert t # here\n    return a", "Assert is not part of nativepy"),
    "del": ("del a # here", "Delete is not part of nativepy"),
    "global": ("global g # here\n    return a", "Global is not part of nativepy"),
    "import": ("import os # here\n    return a", "Import is not part of nativepy"),
    "function": (
        "def g(): # here\n        pass\n    return a",
        "FunctionDef is not part of nativepy",
    ),
    "lambda": ("y = lambda: a # here\n    return a", "Lambda is not part of nativepy"),
    "comprehension": ("y = [i for i in LIMIT] # here", "ListComp is not part of nativepy"),
    "dictionary": ("y = {1: a} # here", "Dict is not part of nativepy"),
    "walrus": ("if (y := a) == 1: # here\n        pass\n    return a", "NamedExpr is not part"),
    "slice": ("y = LIMIT[0:1] # here", "Slice is not part of nativepy"),
    "two targets": ("a = y = u32(1) # here", "a = b = c is not part of nativepy"),
    "unpacking": ("a, b = p # here", "only compile-time tuples can be unpacked"),
    "while else": (
        "while t: # here\n        t = False\n    else:\n        a = 1\n    return a",
        "else",
    ),
    "for over a pointer": (
        "for i in p: # here\n        pass\n    return a",
        "expected `for name in",
    ),
    "for over a call": (
        "for i in helper(a, a): # here\n        pass\n    return a",
        "expected `for",
    ),
    "untyped range": ("for i in range(8): # here\n        pass\n    return a", "must have a type"),
    "range of floats": ("for i in range(x): # here\n        pass\n    return a", "found f64"),
    "range step": (
        "for i in range(a, 9, a): # here\n        pass\n    return a",
        "literal integer",
    ),
    "range step 0": ("for i in range(a, 9, 0): # here\n        pass\n    return a", "other than 0"),
    "range variable": (
        "for b in range(a): # here\n        pass\n    return a",
        "b is not a variable",
    ),
    "range bounds": ("for i in range(a, c): # here\n        pass\n    return a", "expected u32"),
    "match on a float": (
        "match x: # here\n        case 1:\n            pass\n    return a",
        "found f64",
    ),
    "match guard": (
        "match a: # here\n        case 1 if t:\n            pass\n    return a",
        "guards",
    ),
    "match capture": (
        "match a:\n        case y: # here\n            return y",
        "a case is an integer",
    ),
    "match list": (
        "match a:\n        case [1]: # here\n            pass\n    return a",
        "a case is",
    ),
    "match range": (
        "match s.tag: # here\n        case 300:\n            pass\n    return a",
        "fit u8",
    ),
    "match twice": (
        "match a: # here\n        case 1:\n            pass\n        case 2 | 1:\n"
        "            pass\n    return a",
        "case 1 is there twice",
    ),
}
CASES = {
    f"{group}: {name}": case
    for group, cases in (
        ("types", TYPES),
        ("names", NAMES),
        ("calls", CALLS),
        ("intrinsics", INTRINSICS),
        ("statements", STATEMENTS),
    )
    for name, case in cases.items()
}

DEFINITIONS = """
LIMIT = (1, 2)
V = vec[u32, 4]

@struct
class S:
    tag: u8
    values: array[u32, 4]

@native
def helper(m: u32, n: u32) -> u32:
    return m + n

@inline
def shorter(n: u32) -> u32:
    return n

@inline
def callback(f: fn[[u32, u32], u32]) -> void:
    pass

@native
def special(n: const) -> u32:
    return n

@inline
def endless(n: u32) -> u32:
    return endless(n)

@inline
def forgetful(n: u32) -> u32:
    if n == 1:
        return 2

@native
def no_return(n: u32) -> u32:
    while n != 1:
        n += 1

@native
def with_default(n: u32 = 1) -> u32:
    return n

@native
def with_star(*n) -> u32:
    return 1

@native
def untyped(n) -> u32:
    return n

"""
PARAMETERS = "a: u32, b: i32, c: u64, p: ptr[u8], t: boolean, x: f64, s: ptr[S], v: V"


@pytest.mark.parametrize("name", CASES)
def test_refused(tmp_path, name):
    snippet, message = CASES[name]
    source = f"{DEFINITIONS}@native(export='f')\ndef f({PARAMETERS}) -> u32:\n    {snippet}\n"
    names = define(tmp_path, source)
    with pytest.raises(NativeError) as caught:
        compile_ir(names["f"])
    assert message in caught.value.message
    assert str(caught.value).startswith(f"{tmp_path / 'program.py'}:{caught.value.line}: ")
    lines = (tmp_path / "program.py").read_text().splitlines()
    marked = [number for number, line in enumerate(lines, 1) if "# here" in line]
    if marked:
        assert caught.value.line == marked[0]


@pytest.mark.parametrize("end", ["", "return a"], ids=["falls off", "returns"])
def test_every_path_of_a_function_returns(tmp_path, end):
    source = "@native(export='f')\ndef f(a: u32) -> u32:\n    while a != 0:\n        a -= 1\n    "
    names = define(tmp_path, source + (end or "pass"))
    if end:
        assert "ret i32" in compile_ir(names["f"])
    else:
        with pytest.raises(NativeError, match="f can end without returning a u32"):
            compile_ir(names["f"])


def test_source_must_be_available():
    names = {}
    exec(
        "from wasmote.nativepy import *\n@native(export='f')\ndef f() -> u32:\n    return 1", names
    )
    with pytest.raises(NativeError, match="the source is not available"):
        compile_ir(names["f"])


def test_options_of_native_are_checked():
    with pytest.raises(TypeError, match="unknown options of native: fast"):
        native(lambda: 1, fast=True)
    with pytest.raises(ValueError, match="is not exported"):
        compile_ir(native(lambda: 1))
    with pytest.raises(TypeError, match="sdiv has a meaning only in native code"):
        from wasmote.nativepy import sdiv

        sdiv(u32(1), 2)


def test_a_struct_is_defined_once(tmp_path):
    source = "@struct\nclass Once:\n    a: u8\n\n@struct\nclass Once:\n    b: u8\n"
    with pytest.raises(TypeError, match="struct Once is defined twice"):
        define(tmp_path, source)
