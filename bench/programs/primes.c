/* Products of 64 by 64 bits to 128, reduced: a primality test in Montgomery's form. */
#include "bench.h"

typedef unsigned __int128 wide;

static uint64_t n, inverse; /* the modulus, and its inverse modulo 2^64 */

static uint64_t reduced(wide t)
{
    uint64_t m = (uint64_t)t * inverse;
    uint64_t upper = (uint64_t)(t >> 64), less = (uint64_t)((wide)m * n >> 64);
    return upper - less + (upper < less ? n : 0);
}

static uint64_t product(uint64_t a, uint64_t b)
{
    return reduced((wide)a * b);
}

/* Whether n, which is odd, passes Miller's and Rabin's test with some bases. */
static int is_prime(void)
{
    static const uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    inverse = n;
    for (int i = 0; i < 5; i++)
        inverse *= 2 - n * inverse;
    uint64_t one = -n % n, minus_one = n - one, odd = n - 1;
    uint64_t square = (uint64_t)((wide)one * one % n);
    int twos = __builtin_ctzll(odd);
    odd >>= twos;
    for (int i = 0; i < 12; i++) {
        uint64_t power = one, base = product(bases[i], square);
        for (uint64_t left = odd; left; left >>= 1) {
            if (left & 1)
                power = product(power, base);
            base = product(base, base);
        }
        int passed = power == one || power == minus_one;
        for (int j = 1; j < twos && !passed; j++) {
            power = product(power, power);
            passed = power == minus_one;
        }
        if (!passed)
            return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t checksum = 0, start = 0xDEADBEEF12345679;
    for (uint32_t i = work_size(argc, argv); i > 0; i--, start += 2) {
        n = start;
        if (is_prime())
            checksum = mix(checksum, n);
    }
    return finish(checksum);
}
