static int depth;

__attribute__((noinline)) static int c(int n)
{
    if (n > 4)
        __builtin_trap();
    return n + 1;
}

__attribute__((always_inline)) static inline int b(int n)
{
    return c(n + 1) + depth++;
}

__attribute__((noinline)) static int a(int n)
{
    return b(n * 2) + 1;
}

int main(void)
{
    return a(2);
}
