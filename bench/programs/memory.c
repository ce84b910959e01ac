/* Copying and filling memory: long and short blocks, aligned or not, overlapping or not. */
#include "bench.h"

#define SIZE (1 << 20)

static unsigned char from[SIZE], to[SIZE];

/* A copy loop that the compiler may not turn into memory.copy. */
static void copy_words(uint32_t *restrict target, const uint32_t *restrict source, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        __asm__ volatile("" ::: "memory");
        target[i] = source[i] + 1;
    }
}

int main(int argc, char **argv)
{
    uint32_t random = 77;
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        memset(from, (int)n, SIZE);
        memcpy(to, from, SIZE);
        memmove(to + 3, to, SIZE - 3);
        copy_words((uint32_t *)to, (const uint32_t *)from, SIZE / 32);
        for (int i = 0; i < 20000; i++) {
            size_t length = next_random(&random) % 100;
            size_t a = next_random(&random) % (SIZE - 100), b = next_random(&random) % (SIZE - 100);
            memcpy(to + a, from + b, length);
            from[b] = (unsigned char)i;
            memset(to + b, (int)length, length / 2);
        }
        checksum = mix(mix(checksum, to[random % SIZE]), to[n]);
    }
    return finish(checksum);
}
