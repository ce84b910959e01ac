/* Backtracking search: the queens problem on bit sets, and sums of subsets. */
#include "bench.h"

static uint32_t queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
    uint32_t solutions = 0, free_places = all & ~(columns | left | right);
    if (columns == all)
        return 1;
    while (free_places) {
        uint32_t place = free_places & -free_places;
        free_places ^= place;
        solutions += queens(all, columns | place, (left | place) << 1, (right | place) >> 1);
    }
    return solutions;
}

static uint32_t subsets(const uint16_t *items, int count, int32_t target)
{
    if (target == 0)
        return 1;
    if (count == 0 || target < 0)
        return 0;
    return subsets(items + 1, count - 1, target - items[0]) + subsets(items + 1, count - 1, target);
}

int main(int argc, char **argv)
{
    uint16_t items[20];
    uint32_t random = 3;
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        for (int i = 0; i < 20; i++)
            items[i] = (uint16_t)(1 + next_random(&random) % 50);
        checksum = mix(checksum, queens((1u << (7 + (n & 1))) - 1, 0, 0, 0));
        checksum = mix(checksum, subsets(items, 12, 150));
    }
    return finish(checksum);
}
