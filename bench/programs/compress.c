/* Compression: LZ77 with a hash table of recent positions, packed and unpacked again. */
#include "bench.h"

#define SIZE 65536
#define TABLE 8192
#define SHORTEST 4
#define LONGEST 130

static unsigned char original[SIZE], packed[2 * SIZE], unpacked[SIZE + LONGEST];
static int32_t recent[TABLE];

static void make_data(uint32_t *random)
{
    for (int i = 0; i < SIZE;) {
        int length = 1 + (int)(next_random(random) % 24);
        int distance = i > 0 ? 1 + (int)(next_random(random) % (uint32_t)(i < 4000 ? i : 4000)) : 0;
        for (; length > 0 && i < SIZE; length--, i++)
            original[i] = distance && length > 3 ? original[i - distance]
                                                 : (unsigned char)(next_random(random) & 63);
    }
}

static uint32_t hash_at(const unsigned char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word * 2654435761u >> 19;
}

/* Literals are a byte 0-127 for their number and the bytes; a match is 128 + its length, less the
 * shortest, and the distance in two bytes. */
static size_t pack(void)
{
    size_t out = 0;
    int literals = 0, i = 0;
    memset(recent, -1, sizeof recent);
    while (i < SIZE) {
        int length = 0, candidate = -1;
        if (i + SHORTEST <= SIZE) {
            uint32_t slot = hash_at(original + i);
            candidate = recent[slot];
            recent[slot] = i;
        }
        if (candidate >= 0 && i - candidate < 65536)
            while (length < LONGEST && i + length < SIZE &&
                   original[candidate + length] == original[i + length])
                length++;
        if (length < SHORTEST)
            i++, literals++;
        if (literals > 0 && (length >= SHORTEST || literals == 128 || i == SIZE)) {
            packed[out++] = (unsigned char)(literals - 1);
            memcpy(packed + out, original + i - literals, (size_t)literals);
            out += (size_t)literals;
            literals = 0;
        }
        if (length >= SHORTEST) {
            packed[out++] = (unsigned char)(128 + length - SHORTEST);
            packed[out++] = (unsigned char)((i - candidate) & 0xff);
            packed[out++] = (unsigned char)((i - candidate) >> 8);
            i += length;
        }
    }
    return out;
}

static size_t unpack(size_t packed_size)
{
    size_t out = 0, in = 0;
    while (in < packed_size) {
        size_t code = packed[in++];
        if (code < 128) {
            memcpy(unpacked + out, packed + in, code + 1);
            in += code + 1;
            out += code + 1;
        } else {
            size_t length = code - 128 + SHORTEST;
            size_t distance = packed[in] | (size_t)packed[in + 1] << 8;
            in += 2;
            for (; length > 0; length--, out++)
                unpacked[out] = unpacked[out - distance];
        }
    }
    return out;
}

int main(int argc, char **argv)
{
    uint32_t random = 606;
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        make_data(&random);
        size_t packed_size = pack();
        if (unpack(packed_size) != SIZE || memcmp(original, unpacked, SIZE) != 0)
            return 1;
        checksum = mix(checksum, packed_size);
    }
    return finish(checksum);
}
