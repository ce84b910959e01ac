/* Recursion, broad: Fibonacci numbers by the definition. */
#include "bench.h"

static uint32_t __attribute__((noinline)) fib(uint32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(int argc, char **argv)
{
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--)
        checksum = mix(checksum, fib(25 + (n & 1)));
    return finish(checksum);
}
