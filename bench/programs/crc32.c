/* Hashing by table: CRC-32 a byte at a time, beside FNV-1a and Adler-32. */
#include "bench.h"

#define CHUNK 65536

static uint32_t table[256];
static unsigned char data[CHUNK];

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        table[i] = crc;
    }
}

static uint32_t crc32(uint32_t crc, const unsigned char *p, size_t n)
{
    crc = ~crc;
    while (n--)
        crc = table[(crc ^ *p++) & 0xff] ^ crc >> 8;
    return ~crc;
}

static uint32_t fnv1a(uint32_t hash, const unsigned char *p, size_t n)
{
    while (n--)
        hash = (hash ^ *p++) * 16777619u;
    return hash;
}

static uint32_t adler32(const unsigned char *p, size_t n)
{
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < n; i++) {
        a = (a + p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

int main(int argc, char **argv)
{
    uint32_t random = 99, crc = 0, hash = 2166136261u;
    uint64_t checksum = 0;
    make_table();
    if (crc32(0, (const unsigned char *)"123456789", 9) != 0xcbf43926u)
        return 1;
    for (int i = 0; i < CHUNK; i++)
        data[i] = (unsigned char)next_random(&random);
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        crc = crc32(crc, data, CHUNK);
        hash = fnv1a(hash, data, CHUNK);
        data[n % CHUNK] ^= (unsigned char)crc;
        checksum = mix(checksum, adler32(data, CHUNK));
    }
    return finish(mix(mix(checksum, crc), hash));
}
