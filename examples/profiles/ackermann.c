__attribute__((noinline)) static int ackermann(int m, int n)
{
    if (!m)
        return n + 1;
    return ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

__attribute__((export_name("run"))) int run(void) { return ackermann(3, 7); }
