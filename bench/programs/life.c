/* A grid of bytes: Conway's game of life on a torus. */
#include "bench.h"

#define SIDE 128

static uint8_t cells[2][SIDE][SIDE];

static void generation(uint8_t from[SIDE][SIDE], uint8_t to[SIDE][SIDE])
{
    for (int y = 0; y < SIDE; y++) {
        const uint8_t *row = from[y];
        const uint8_t *above = from[(y + SIDE - 1) % SIDE], *below = from[(y + 1) % SIDE];
        for (int x = 0; x < SIDE; x++) {
            int left = (x + SIDE - 1) % SIDE, right = (x + 1) % SIDE;
            int neighbours = above[left] + above[x] + above[right] + row[left] + row[right] +
                             below[left] + below[x] + below[right];
            to[y][x] = neighbours == 3 || (neighbours == 2 && row[x]);
        }
    }
}

int main(int argc, char **argv)
{
    uint32_t random = 21;
    uint64_t checksum = 0;
    for (int i = 0; i < SIDE * SIDE; i++)
        cells[0][i / SIDE][i % SIDE] = next_random(&random) % 3 == 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        generation(cells[0], cells[1]);
        generation(cells[1], cells[0]);
    }
    for (int i = 0; i < SIDE * SIDE; i++)
        checksum = mix(checksum, cells[0][i / SIDE][i % SIDE]);
    return finish(checksum);
}
