/* Products of 64 by 64 bits to 128, folded: a hash function over texts of many lengths. */
#include "bench.h"

#define SIZE 65536

static uint8_t text[SIZE];

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t word(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static uint64_t __attribute__((noinline)) hash(const uint8_t *p, uint32_t size, uint64_t seed)
{
    const uint64_t k0 = 0x9E3779B97F4A7C15, k1 = 0xC2B2AE3D27D4EB4F, k2 = 0x165667B19E3779F9;
    uint64_t other = seed ^ k0;
    uint32_t left = size;
    for (; left >= 32; left -= 32, p += 32) {
        seed = fold(word(p) ^ k1, word(p + 8) ^ seed);
        other = fold(word(p + 16) ^ k2, word(p + 24) ^ other);
    }
    for (seed ^= other; left >= 8; left -= 8, p += 8)
        seed = fold(word(p) ^ k1, seed ^ k0);
    uint64_t tail = 0;
    memcpy(&tail, p, left);
    return fold(seed ^ tail, size ^ k2);
}

int main(int argc, char **argv)
{
    uint32_t random = 2463534242;
    uint64_t checksum = 0;
    for (uint32_t i = 0; i < SIZE; i++)
        text[i] = (uint8_t)next_random(&random);
    for (uint32_t n = work_size(argc, argv); n > 0; n--)
        for (uint32_t size = 1; size < SIZE / 16; size += 1 + size / 8)
            for (uint32_t at = 0; at + size <= SIZE; at += size + 3)
                checksum = mix(checksum, hash(text + at, size, checksum));
    return finish(checksum);
}
