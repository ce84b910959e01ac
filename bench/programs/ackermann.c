/* Recursion, deep: Ackermann's function, thousands of frames at a time. */
#include "bench.h"

static uint32_t __attribute__((noinline)) ackermann(uint32_t m, uint32_t n)
{
    if (m == 0)
        return n + 1;
    if (n == 0)
        return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

int main(int argc, char **argv)
{
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--)
        checksum = mix(checksum, ackermann(3, 4 + n % 3) + ackermann(2, 100 + n % 7));
    return finish(checksum);
}
