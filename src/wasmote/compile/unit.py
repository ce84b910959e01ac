"""A module, or a part of it, as LLVM IR: declarations, the runtime's functions, and what the text
of functions asks for.
"""

from typing import TYPE_CHECKING

from wasmote.aot.structs import Context
from wasmote.compile.frame import Offsets
from wasmote.compile.machines import machine_of
from wasmote.compile.partition import Partition, Plan
from wasmote.compile.runtime import INVARIANT, METADATA, Runtime
from wasmote.compile.runtime_objects import define_objects
from wasmote.compile.source import Signature
from wasmote.compile.spilled import room_text, store_text
from wasmote.compile.static_tables import table_text
from wasmote.compile.templates import Template, Templates
from wasmote.core.status import TrapCode
from wasmote.core.structs import Memory, Table
from wasmote.image.relocations.xtensa import OFFSET

if TYPE_CHECKING:
    from wasmote.compile.function import Function


#: What the glue of a module has, for its other parts.
ENTERED = """\
declare hidden void @wasmote.trap(ptr, ptr, i32) #1
declare hidden void @wasmote.raise(ptr, i32) #1
"""


class Unit:
    """What the text of a module's functions has in common."""

    def __init__(self, plan: Plan, partition: Partition, templates: Templates) -> None:
        self.plan, self.partition, self.templates = plan, partition, templates
        self.source, self.target = plan.source, plan.options.target
        self.machine = machine_of(self.target)
        #: The parameters that every function has, and passes on.
        self.given = ("ptr %exec", f"{self.machine.context} %ctx")
        self.guard = self.machine.guard and not plan.options.bounds_checks
        self.offsets = Offsets(self.source, self.target.pointer)
        self.runtime = Runtime(self.offsets)
        define_objects(self.runtime)
        self.needs: set[str] = set()  # runtime functions, intrinsics and templates' functions
        self.declarations: set[str] = set()
        self.locations = plan.make_locations()
        self.own = {body.index for body in partition.bodies}
        self.referred: set[int] = set()  # functions to expand, which may be of other parts
        self.offered = plan.offers(partition.bodies) - self.own if partition.full else set()
        self.dispatchers: dict[str, str] = {}  # texts by name, see `dispatch`

    # -- names -----------------------------------------------------------------------------------

    def linkage(self, index: int) -> str:
        """LLVM may leave out functions that nothing but the part's own code calls."""
        if index in self.offered:
            return "available_externally hidden "
        visible = index in self.plan.visible or self.machine.visible
        return "hidden " if visible and index in self.own else "internal "

    def attributes(self, index: int, group: str) -> str:
        """What a function is defined with, besides the group of attributes that it has."""
        return f"alwaysinline {group}" if index in self.plan.inlined else group

    def symbol(self, index: int) -> str:
        """A function of the module, its own or imported."""
        imported = index < self.source.imported_functions
        name = f"@import.{index}" if imported else f"@f{index}"
        if index in self.plan.inlined and index not in self.own:
            self.referred.add(index)
            return f"{name}.here"
        if index in self.offered:
            return name
        if not (self.partition.glue if imported else index in self.own):
            self.declare_function(name, self.source.types[self.source.functions[index]])
        return name

    def outside_symbol(self, type: int) -> str:
        """The function that calls one of that type which is not compiled code of this instance."""
        signature = self.source.types[type]
        name = f"@outside.{signature.key}"
        if not self.partition.glue:
            self.declare_function(name, signature)
        return name

    def outside_address(self, f: "Function", type: int) -> str:
        """The address of that function."""
        symbol = self.outside_symbol(type)
        if self.machine.relative:
            return symbol
        name = f"@{OFFSET}{symbol[1:]}"
        self.declare(f"{name} = external hidden constant i8")
        at = f.value(f"getelementptr i8, ptr %ctx, i64 {self.offsets.field(Context, 'code')}")
        code = f.value(f"load ptr, ptr {at}, {INVARIANT}")
        return f.value(f"getelementptr i8, ptr {code}, i32 ptrtoint (ptr {name} to i32)")

    def declare_function(self, name: str, signature: Signature) -> None:
        """One that another part of the module has."""
        kinds = [p.rpartition(" ")[0] for p in self.parameters(signature).split(", ")]
        head = f"declare hidden {self.plan.convention}{signature.result}"
        self.declare(f"{head} {name}({', '.join(kinds)}) #3")

    def spilled(self, signature: Signature) -> tuple[int, ...]:
        """Parameters that functions of a type take in memory; see `compile.spilled`."""
        return signature.without_register if self.plan.guarantees_tail_calls else ()

    def declare(self, text: str) -> None:
        self.declarations.add(text)

    def parameters(self, signature: Signature) -> str:
        """A definition's parameters, without those in memory."""
        spilled = self.spilled(signature)
        own = [f"{kind} %p{i}" for i, kind in enumerate(signature.params) if i not in spilled]
        return ", ".join([*self.given, *_rest(signature), *own])

    # -- what instructions expand to -------------------------------------------------------------

    def template(self, opcode: int, lane: int | None = None) -> Template:
        found = self.templates.get(opcode, lane)
        self.needs |= found.needs
        return found

    def address(self, f: "Function", memory: int, offset: int, access: int) -> str:
        """Pop an address; the pointer to what it refers to, within bounds or guarded."""
        a = f.pop()
        facts = self.source.memories[memory]
        f.touched.add(memory)
        n = f.count = f.count + 1
        if self.is_guarded(memory):
            f.lines.append(
                f"  %v{n}.z = zext i32 {a} to i64\n"
                f"  %v{n} = getelementptr inbounds nuw i8, ptr %mem{memory}, i64 %v{n}.z\n"
            )
            if not offset:
                return f"%v{n}"
            f.lines.append(f"  %v{n}.o = getelementptr inbounds nuw i8, ptr %v{n}, i64 {offset}\n")
            return f"%v{n}.o"
        name, kind = ("rt.address64", "i64") if facts.is64 else ("rt.address32", "i32")
        if not facts.is64 and offset + access <= facts.minimum:
            name = "rt.near32"
        self.needs.add(name)
        if name == "rt.address64":
            self.declare("declare { i64, i1 } @llvm.uadd.with.overflow.i64(i64, i64)")
        shown = offset - (1 << 64) if offset >> 63 else offset
        f.lines.append(
            f"  %v{n} = call ptr @{name}(ptr %exec, ptr %ctx, ptr %memory{memory},"
            f" ptr %mem{memory}, {kind} {a}, i64 {shown}, i64 {access})\n"
        )
        return f"%v{n}"

    def is_guarded(self, memory: int) -> bool:
        """Whether inaccessible pages behind the memory stand in for checks."""
        facts = self.source.memories[memory]
        return self.guard and not facts.is64 and facts.page_shift == 16

    def memory_base(self, i: int) -> str:
        """Text for the entry block: `%memory<i>`, the structure, and `%mem<i>`, its bytes."""
        slot = self.offsets.memories + self.offsets.pointer * i
        base, data = f"%memory{i}", self.offsets.field(Memory, "data")
        if not i:  # the context has it, too
            base, data = "%ctx", self.offsets.field(Context, "memory")
        return (
            f"  %memory{i}.at = getelementptr i8, ptr %ctx, i64 {slot}\n"
            f"  %memory{i} = load ptr, ptr %memory{i}.at, {INVARIANT}\n"
            f"  %mem{i}.at = getelementptr i8, ptr {base}, i64 {data}\n"
            f"  %mem{i} = load ptr, ptr %mem{i}.at, {INVARIANT}\n"
        )

    def objects(self) -> str:
        """Text for the entry block: `%objects`, where the heap's objects are."""
        return (
            f"  %objects.at = getelementptr i8, ptr %ctx, i64 "
            f"{self.offsets.field(Context, 'objects')}\n"
            f"  %objects = load ptr, ptr %objects.at, {INVARIANT}\n"
        )

    def fuel(self) -> str:
        """Text for the entry block: `%fuel.left`, what the function spends."""
        at = self.offsets.field(Context, "fuel")
        return (
            f"  %fuel.at = getelementptr i8, ptr %ctx, i64 {at}\n"
            f"  %fuel.left = load ptr, ptr %fuel.at, {INVARIANT}\n"
        )

    def memory_pages(self, f: "Function", memory: str) -> str:
        return f.value(f"getelementptr i8, ptr {memory}, i64 {self.offsets.field(Memory, 'pages')}")

    def table(self, f: "Function", i: int) -> str:
        """The address of a table's structure."""
        slot = self.offsets.tables + self.offsets.pointer * i
        at = f.value(f"getelementptr i8, ptr %ctx, i64 {slot}")
        return f.value(f"load ptr, ptr {at}, {INVARIANT}")

    def table_size(self, f: "Function", i: int) -> str:
        offset = self.offsets.field(Table, "size")
        return f.value(f"getelementptr i8, ptr {self.table(f, i)}, i64 {offset}")

    def static_table(self, index: int) -> list[int | None] | None:
        """The elements of a table if they never change; it is the constant `@table.<index>`."""
        elements = self.plan.static_tables.get(index)
        if elements is not None and not self.partition.glue:
            kind = f"[{len(elements)} x {{ i32, i32 }}]"
            self.declare(f"@table.{index} = external hidden constant {kind}, align 8")
        return elements

    def _element(self, index: int | None) -> int | None:
        """One of the module's own functions that a table has, declared if it is elsewhere; else
        None.
        """
        if index is None or index < self.source.imported_functions:
            return None
        if index not in self.own and index not in self.offered:
            self.declare_function(f"@f{index}", self.source.types[self.source.functions[index]])
        return index

    def callee(
        self, f: "Function", handle: str, type: int, null: TrapCode, name: str = "rt.callee"
    ) -> str:
        """The code of a function reference; `name` is the function that finds it."""
        slot = self.offsets.types + self.offsets.pointer * type
        at = f.value(f"getelementptr i8, ptr %ctx, i64 {slot}")
        id = f.value(f"load i{8 * self.offsets.pointer}, ptr {at}, {INVARIANT}")
        if self.offsets.pointer == 4:
            id = f.value(f"zext i32 {id} to i64")
        self.needs.add(name)
        outside = self.outside_address(f, type)
        return f.value(
            f"call ptr @{name}(ptr %exec, ptr %ctx, i32 {handle}, i64 {id}, i32 {int(null)}, "
            f"ptr {outside})"
        )

    def tag(self, f: "Function", index: int) -> str:
        """The handle of a tag."""
        slot = self.offsets.tags + self.offsets.pointer * index
        at = f.value(f"getelementptr i8, ptr %ctx, i64 {slot}")
        return f.value(f"load i32, ptr {at}, {INVARIANT}")

    def call(
        self,
        f: "Function",
        callee: str,
        type: int,
        offset: int | None = None,
        tail: bool = False,
        where: str = "",
        index: str = "",
    ) -> None:
        """Call a function of that type with the operands on the stack.

        `offset` is the call's in the binary, if something may be thrown there; `where` is the
        call's attributes; `index` is one more argument, of a function that takes a table's index.
        """
        signature = self.source.types[type]
        arguments = f.pop_many(len(signature.params))
        spilled = self.spilled(signature)
        own = [f"{signature.params[i]} {a}" for i, a in enumerate(arguments) if i not in spilled]
        own += [f"i32 {index}"] if index else []
        rest = ["ptr %rest" if tail else "ptr %out"] if len(signature.results) > 1 else []
        given = ", ".join([*self.given, *rest, *own])
        # Of two calls that became one, backtraces could not say which it is.
        text = f"call {self.plan.convention}{signature.result} {callee}({given}) nomerge{where}"
        f.calls = True
        if tail:
            f.roots.leave()
        else:
            f.roots.show()
        if spilled:
            self._spill(f, signature, arguments)
        if tail:
            self._tail_call(f, signature, text)
            return
        f.widest = max(f.widest, len(signature.results) - 1)
        if signature.results:
            values = [f.value(text)]
        else:
            f.emit(text)
        if offset is not None and self.plan.catches:
            f.look_for_exception(offset)
        if not signature.results:
            return
        for i, kind in enumerate(signature.results[1:]):
            at = f.value(f"getelementptr i8, ptr %out, i64 {16 * i}")
            values.append(f.value(f"load {kind}, ptr {at}, !tbaa !9"))
        for kind, value in zip(signature.results, values, strict=True):
            f.push(kind, value)

    def _spill(self, f: "Function", signature: Signature, arguments: list[str]) -> None:
        name, spilled = f.fresh(), self.spilled(signature)
        f.lines.append(room_text(self.offsets, spilled, name))
        f.check(f"{name}.full", TrapCode.STACK_OVERFLOW)
        f.lines.append(store_text(signature, spilled, arguments, name))

    def _tail_call(self, f: "Function", signature: Signature, text: str) -> None:
        if self.machine.tail_calls:
            text = f"musttail {text}"
        else:
            text, f.attributes = f"tail {text}", "#4"
        if signature.results:
            f.emit(f"ret {signature.result} {f.value(text)}")
        else:
            f.emit(text)
            f.emit("ret void")
        f.dead = True

    # -- the whole -------------------------------------------------------------------------------

    def text(self) -> str:
        """LLVM IR of the part."""
        from wasmote.compile.function import Function
        from wasmote.compile.loops import loop_entries, loop_entry

        found = [loop_entry(self, *loop) for loop in self.partition.loops]
        definitions = [entry.definition(self.plan.recursive) for entry in found if entry]
        done = self.own | self.offered | self.referred
        todo = [*self.partition.bodies, *map(self.source.body, sorted(done - self.own))]
        while todo:
            for body in todo:
                function = Function(self, body)
                function.translate()
                definitions.append(function.definition(self.plan.recursive))
                if body.index in self.own:
                    for entry in loop_entries(self, function):
                        definitions.append(entry.definition(self.plan.recursive))
            todo = [self.source.body(index) for index in sorted(self.referred - done)]
            done |= self.referred
        glue = self._glue() if self.partition.glue else []
        dispatchers = self.dispatchers.values()
        # Metadata first: LLVM reads what it knows already in half of the time.
        locations = self.locations.text()
        return "".join([self._head(), locations, *glue, *dispatchers, *definitions])

    def _glue(self) -> list[str]:
        """What the module has once: its functions' entries, and how they call out."""
        from wasmote.compile.calls import entry_text, import_text, outside_text
        from wasmote.compile.loops import enter_loop_text

        types = self.source.types
        entries = {types[type].key: types[type] for type in self.source.functions}
        outside = {types[type].key: types[type] for type in self.plan.types_called_outside()}
        in_parts = self.plan.options.enterable and not self.plan.whole
        if in_parts:
            outside |= entries  # by parts of the module that run before others are compiled
        linkage = self.plan.linkage
        return [
            *(
                table_text(self.source, index, [self._element(e) for e in elements], linkage)
                for index, elements in self.plan.static_tables.items()
            ),
            *(entry_text(self, signature) for _, signature in sorted(entries.items())),
            *(outside_text(self, signature) for _, signature in sorted(outside.items())),
            *(import_text(self, index) for index in self.plan.called_imports()),
            *([enter_loop_text()] if self.plan.options.loops or in_parts else []),
        ]

    def _head(self) -> str:
        own = {name for name in self.needs if name.startswith("rt.")}
        runtime = self.runtime.text(own)
        definitions = self.templates.definitions
        others = sorted(
            definitions[name] for name in self._closed({n for n in self.needs if n in definitions})
        )
        if self.machine.visible:
            runtime = runtime.replace("define internal", "define linkonce_odr hidden")
        entering = self.machine.entering(self.offsets) if self.partition.glue else ENTERED
        return (
            f'target triple = "{self.target.triple}"\n{entering}'
            "declare ptr @llvm.frameaddress.p0(i32)\n"
            + "\n".join([*sorted(self.declarations), *others])
            + f'\n{METADATA}!11 = !{{!"branch_weights", i32 1, i32 2000}}\n'
            'attributes #0 = { nounwind "frame-pointer"="all" "disable-tail-calls"="true" }\n'
            "attributes #1 = { noreturn nounwind cold nomerge }\n"
            "attributes #2 = { nounwind cold }\nattributes #3 = { nounwind }\n"
            'attributes #4 = { nounwind "frame-pointer"="all" }\n' + runtime
        )

    def _closed(self, names: set[str]) -> set[str]:
        """Names and all that their definitions refer to."""
        import re

        found, todo = set(), list(names)
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            todo += [
                other
                for other in re.findall(r"@[\w.]+", self.templates.definitions[name])
                if other in self.templates.definitions
            ]
        return found


def _rest(signature: Signature) -> list[str]:
    """The parameter that results beyond the first go through, where there are any."""
    return ["ptr %rest"] if len(signature.results) > 1 else []
