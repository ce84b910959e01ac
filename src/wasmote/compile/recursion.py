"""Which functions may call themselves."""

from wasmote.compile.scan import ANY


def find_recursion(calls: dict[int, set[int]], referred: set[int]) -> set[int]:
    """Functions that may call themselves, through others or through references.

    `calls` has what each function calls, or `ANY`: then it may be any of `referred`.
    """
    graph = {
        ANY: sorted(referred & calls.keys()),
        **{
            index: sorted(c for c in callees if c in calls or c == ANY)
            for index, callees in calls.items()
        },
    }
    return {node for part in strongly_connected(graph) for node in part if node != ANY}


def strongly_connected(graph: dict[int, list[int]]) -> list[list[int]]:
    """Sets of nodes that reach each other: of several, or one with an edge to itself.

    Tarjan's algorithm, without recursion.
    """
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: list[list[int]] = []
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = lowest[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in number:
                    number[successor] = lowest[successor] = len(number)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter(graph[successor])))
                    break
                if successor in on_stack:
                    lowest[node] = min(lowest[node], number[successor])
            else:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[node])
                if lowest[node] == number[node]:
                    part: list[int] = []
                    while not part or part[-1] != node:
                        part.append(stack.pop())
                        on_stack.discard(part[-1])
                    if len(part) > 1 or node in graph[node]:
                        found.append(part)
    return found
