/* 64-bit integers: random numbers, powers modulo a prime, Euclid's algorithm, bit counts. */
#include "bench.h"

static uint64_t xorshift64(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* The modulus is below 2^32, so that no product overflows. */
static uint64_t power_modulo(uint64_t base, uint64_t exponent, uint64_t modulus)
{
    uint64_t result = 1;
    for (base %= modulus; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result = result * base % modulus;
        base = base * base % modulus;
    }
    return result;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int main(int argc, char **argv)
{
    uint64_t state = 88172645463325252u, lcg = 1, checksum = 0;
    for (uint32_t n = work_size(argc, argv) * 1000; n > 0; n--) {
        uint64_t a = xorshift64(&state), b = xorshift64(&state);
        lcg = lcg * 6364136223846793005u + 1442695040888963407u;
        checksum = mix(checksum, power_modulo(a, lcg >> 44, 4294967291u));
        checksum = mix(checksum, greatest_common_divisor(a >> 8, b >> 20 | 1));
        checksum += (uint64_t)__builtin_popcountll(a ^ b) + (uint64_t)__builtin_clzll(b | 1);
        checksum ^= (checksum << 31 | checksum >> 33) + (uint64_t)((int64_t)a >> 9);
    }
    return finish(checksum);
}
