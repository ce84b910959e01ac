/* For bench/micro.py, which calls these from Python: no libc, no start function. */

__attribute__((import_module("bench"), import_name("host"))) int host(int);

__attribute__((export_name("add"))) int add(int a, int b)
{
    return a + b;
}

/* Calls back into the host count times. */
__attribute__((export_name("call_host"))) int call_host(int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += host(i);
    return sum;
}

/* The loop of call_host without the calls; the empty assembly keeps it from being folded away. */
__attribute__((export_name("empty_loop"))) int empty_loop(int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        __asm__ volatile("" : "+r"(i));
        sum += i;
    }
    return sum;
}
