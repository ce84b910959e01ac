/* Integer loops without memory: lengths of Collatz sequences, one hard-to-predict branch a step. */
#include "bench.h"

int main(int argc, char **argv)
{
    uint32_t limit = work_size(argc, argv) * 1000;
    uint64_t longest = 0, start_of_longest = 0, total = 0;
    for (uint32_t start = 1; start < limit; start++) {
        uint64_t steps = 0;
        for (uint64_t n = start; n != 1; steps++) {
            if (n & 1)
                n = 3 * n + 1;
            else
                n >>= 1;
        }
        total += steps;
        if (steps > longest) {
            longest = steps;
            start_of_longest = start;
        }
    }
    return finish(mix(mix(mix(0, longest), start_of_longest), total));
}
