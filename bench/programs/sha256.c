/* Hashing: SHA-256 (FIPS 180-4); 32-bit rotations, logic and additions. */
#include "bench.h"

#define BLOCK 64
#define CHUNK (1024 * BLOCK)

static uint32_t round_constant[64];
static unsigned char data[CHUNK];

/* The first 32 bits of the fractional part of the cube (or square) root of a prime. */
static uint32_t root_fraction(uint32_t prime, int power)
{
    uint64_t low = 0, high = (uint64_t)1 << 35; /* the root, in units of 2^-32 */
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        unsigned __int128 product = middle;
        for (int i = 1; i < power; i++)
            product *= middle;
        if (product < (unsigned __int128)prime << 32 * power)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t)low;
}

static void make_constants(uint32_t state[8])
{
    uint32_t prime = 2;
    for (int i = 0; i < 64; prime++) {
        uint32_t divisor = 2;
        while (prime % divisor)
            divisor++;
        if (divisor != prime)
            continue;
        if (i < 8)
            state[i] = root_fraction(prime, 2);
        round_constant[i++] = root_fraction(prime, 3);
    }
}

static inline uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void compress(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64], a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constant[i] + w[i];
        uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* SHA-256("abc") as the standard gives it, to know that what is timed is really SHA-256. */
static int self_test(const uint32_t initial[8])
{
    unsigned char block[BLOCK] = {'a', 'b', 'c', 0x80, [63] = 24};
    uint32_t state[8];
    memcpy(state, initial, sizeof state);
    compress(state, block);
    return state[0] == 0xba7816bf && state[7] == 0xf20015ad;
}

int main(int argc, char **argv)
{
    uint32_t state[8], random = 7;
    uint64_t checksum = 0;
    make_constants(state);
    if (!self_test(state))
        return 1;
    for (int i = 0; i < CHUNK; i++)
        data[i] = (unsigned char)next_random(&random);
    for (uint32_t n = work_size(argc, argv); n > 0; n--)
        for (int i = 0; i < CHUNK; i += BLOCK)
            compress(state, data + i);
    for (int i = 0; i < 8; i++)
        checksum = mix(checksum, state[i]);
    return finish(checksum);
}
