/* A hash map with linear probing: insertion, look-up and removal of 32-bit keys. */
#include "bench.h"

#define SLOTS 65536u
#define KEYS 30000

static uint32_t keys[SLOTS], values[SLOTS]; /* key 0 marks a free slot */

static uint32_t home(uint32_t key)
{
    return key * 2654435769u >> 16;
}

static uint32_t find_slot(uint32_t key)
{
    uint32_t i = home(key);
    while (keys[i] && keys[i] != key)
        i = (i + 1) % SLOTS;
    return i;
}

static void add(uint32_t key, uint32_t value)
{
    uint32_t i = find_slot(key);
    keys[i] = key;
    values[i] += value;
}

/* Moves later keys of the run back, so that no search meets a gap before its key. */
static void discard(uint32_t key)
{
    uint32_t gap = find_slot(key);
    for (uint32_t i = gap; keys[i];) {
        i = (i + 1) % SLOTS;
        if (keys[i] && (i - home(keys[i])) % SLOTS >= (i - gap) % SLOTS) {
            keys[gap] = keys[i];
            values[gap] = values[i];
            gap = i;
        }
    }
    keys[gap] = values[gap] = 0;
}

int main(int argc, char **argv)
{
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        uint32_t random = n, hits = 0;
        for (int i = 0; i < KEYS; i++)
            add(next_random(&random) % 50000 + 1, (uint32_t)i);
        for (uint32_t key = 1; key <= 50000; key += 2)
            hits += keys[find_slot(key)] == key;
        for (uint32_t key = 1; key <= 50000; key++)
            if (keys[find_slot(key)] == key) {
                checksum = mix(checksum, values[find_slot(key)]);
                discard(key);
            }
        checksum = mix(checksum, hits);
    }
    return finish(checksum);
}
