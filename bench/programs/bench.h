/* What every benchmark program shares: its size from the command line, numbers that look
 * random but are the same on every engine, and the one line it prints. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The work to do: the first command-line argument. Run time grows in step with it. */
static inline uint32_t work_size(int argc, char **argv)
{
    if (argc != 2 || atoi(argv[1]) <= 0) {
        fprintf(stderr, "usage: %s SIZE (a positive number)\n", argc ? argv[0] : "program");
        exit(2);
    }
    return (uint32_t)atoi(argv[1]);
}

/* Marsaglia's xorshift32; the state must not be zero. */
static inline uint32_t next_random(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

static inline uint64_t mix(uint64_t checksum, uint64_t value)
{
    return (checksum ^ value) * 0x100000001b3u;
}

static inline uint64_t mix_double(uint64_t checksum, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return mix(checksum, bits);
}

static inline int finish(uint64_t checksum)
{
    printf("checksum %016llx\n", (unsigned long long)checksum);
    return 0;
}

#endif
