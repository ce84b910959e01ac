/* Integer loops over a byte array: the sieve of Eratosthenes. */
#include "bench.h"

#define LIMIT 1000000u

static unsigned char composite[LIMIT];

static uint32_t count_primes(void)
{
    uint32_t count = 0;
    memset(composite, 0, sizeof composite);
    for (uint32_t i = 2; i < LIMIT; i++) {
        if (composite[i])
            continue;
        count++;
        for (uint64_t j = (uint64_t)i * i; j < LIMIT; j += i)
            composite[j] = 1;
    }
    return count;
}

int main(int argc, char **argv)
{
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--)
        checksum = mix(checksum, count_primes() + composite[n]);
    return finish(checksum);
}
