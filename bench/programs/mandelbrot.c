/* Floating point without memory: escape times of the Mandelbrot set. */
#include "bench.h"

static uint32_t escape_time(double cx, double cy, uint32_t limit)
{
    double x = 0, y = 0, xx = 0, yy = 0;
    uint32_t n = 0;
    while (n < limit && xx + yy < 4) {
        y = 2 * x * y + cy;
        x = xx - yy + cx;
        xx = x * x;
        yy = y * y;
        n++;
    }
    return n;
}

int main(int argc, char **argv)
{
    uint32_t rows = work_size(argc, argv), columns = 400;
    uint64_t checksum = 0;
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t column = 0; column < columns; column++)
            checksum = mix(checksum, escape_time(column * 3.0 / columns - 2.2,
                                                 row * 2.4 / rows - 1.2, 200));
    return finish(checksum);
}
