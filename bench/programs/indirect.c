/* Indirect calls: operators chosen from a table of function pointers by the data. */
#include "bench.h"

typedef uint32_t operator(uint32_t, uint32_t);

static uint32_t op_add(uint32_t a, uint32_t b) { return a + b; }
static uint32_t op_sub(uint32_t a, uint32_t b) { return a - b; }
static uint32_t op_mul(uint32_t a, uint32_t b) { return a * b; }
static uint32_t op_xor(uint32_t a, uint32_t b) { return a ^ b; }
static uint32_t op_or(uint32_t a, uint32_t b) { return a | b; }
static uint32_t op_shift(uint32_t a, uint32_t b) { return a << (b & 7) | 1; }
static uint32_t op_max(uint32_t a, uint32_t b) { return a > b ? a : b; }
static uint32_t op_mean(uint32_t a, uint32_t b) { return (a & b) + ((a ^ b) >> 1); }

static operator *const operators[] = {op_add, op_sub, op_mul, op_xor,
                                      op_or,  op_shift, op_max, op_mean};

#define SHAPES 64

struct shape {
    uint32_t (*measure)(const struct shape *);
    uint32_t width, height;
};

static uint32_t square(const struct shape *s) { return s->width * s->width; }
static uint32_t rectangle(const struct shape *s) { return s->width * s->height; }
static uint32_t triangle(const struct shape *s) { return s->width * s->height / 2; }

static int by_measure(const void *a, const void *b)
{
    const struct shape *first = a, *second = b;
    uint32_t x = first->measure(first), y = second->measure(second);
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct shape shapes[SHAPES];
    uint32_t random = 4242;
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        uint32_t value = n;
        for (int i = 0; i < 20000; i++)
            value = operators[(value >> 3 ^ (uint32_t)i) & 7](value, (uint32_t)i);
        for (int i = 0; i < SHAPES; i++) {
            uint32_t kind = next_random(&random) % 3;
            shapes[i].measure = kind == 0 ? square : kind == 1 ? rectangle : triangle;
            shapes[i].width = next_random(&random) % 100;
            shapes[i].height = next_random(&random) % 100;
        }
        qsort(shapes, SHAPES, sizeof *shapes, by_measure);
        checksum = mix(mix(checksum, value), shapes[SHAPES / 2].measure(&shapes[SHAPES / 2]));
    }
    return finish(checksum);
}
