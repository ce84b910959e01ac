/* Small arrays in place: permutations of ten numbers, their prefixes reversed over and over. */
#include "bench.h"

#define N 10

static int flips(const uint8_t *permutation)
{
    uint8_t p[N];
    int count = 0;
    memcpy(p, permutation, N);
    while (p[0] != 0) {
        for (int low = 0, high = p[0]; low < high; low++, high--) {
            uint8_t swapped = p[low];
            p[low] = p[high];
            p[high] = swapped;
        }
        count++;
    }
    return count;
}

/* The next permutation in lexicographic order; 0 after the last one. */
static int next_permutation(uint8_t *p)
{
    int i = N - 2, j = N - 1;
    while (i >= 0 && p[i] > p[i + 1])
        i--;
    if (i < 0)
        return 0;
    while (p[j] < p[i])
        j--;
    uint8_t swapped = p[i];
    p[i] = p[j];
    p[j] = swapped;
    for (int low = i + 1, high = N - 1; low < high; low++, high--) {
        swapped = p[low];
        p[low] = p[high];
        p[high] = swapped;
    }
    return 1;
}

int main(int argc, char **argv)
{
    uint8_t permutation[N];
    uint64_t total = 0;
    int most = 0;
    for (int i = 0; i < N; i++)
        permutation[i] = (uint8_t)(N - 1 - (i + 3) % N);
    for (uint32_t n = work_size(argc, argv) * 1000; n > 0; n--) {
        int count = flips(permutation);
        total += (uint64_t)count;
        if (count > most)
            most = count;
        if (!next_permutation(permutation))
            for (int i = 0; i < N; i++)
                permutation[i] = (uint8_t)i;
    }
    return finish(mix(mix(0, (uint64_t)most), total));
}
