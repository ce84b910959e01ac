"""What the kernel says of a mapping of this process: which of its pages are here, and whose."""

#: Bytes of a mapping by the kernel's names of the numbers, such as "Rss" and "Private_Dirty".
Usage = dict[str, int]


def usage(address: int) -> Usage:
    """The numbers of the mapping that contains an address (man 5 proc: smaps).

    Empty where the kernel does not tell, as elsewhere than on Linux. "Anonymous" is what this
    process has alone, besides the file; "Pss" divides what is shared by the number of processes.
    """
    found: Usage = {}
    try:
        with open("/proc/self/smaps") as lines:
            inside = False
            for line in lines:
                name, _, rest = line.partition(" ")
                if not name.endswith(":"):  # the next mapping: start-end
                    if inside:
                        break
                    start, _, end = name.partition("-")
                    inside = int(start, 16) <= address < int(end, 16)
                elif inside and rest.endswith(" kB\n"):
                    found[name[:-1]] = int(rest.split()[0]) << 10
    except OSError:
        pass
    return found
