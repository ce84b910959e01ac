/* Products of 64 by 64 bits to 128: scalar multiplication on Curve25519 (RFC 7748), with field
 * elements of five limbs of 51 bits. */
#include "bench.h"

typedef unsigned __int128 wide;
typedef uint64_t element[5];

#define MASK (((uint64_t)1 << 51) - 1)

static void carry(element out, const wide t[5])
{
    wide sum = t[0];
    for (int i = 0; i < 5; i++) {
        out[i] = (uint64_t)sum & MASK;
        sum = (sum >> 51) + (i < 4 ? t[i + 1] : 0);
    }
    uint64_t low = out[0] + 19 * (uint64_t)sum;
    out[0] = low & MASK;
    out[1] += low >> 51;
}

static void multiply(element out, const element a, const element b)
{
    uint64_t b1 = 19 * b[1], b2 = 19 * b[2], b3 = 19 * b[3], b4 = 19 * b[4];
    wide t[5] = {
        (wide)a[0] * b[0] + (wide)a[1] * b4 + (wide)a[2] * b3 + (wide)a[3] * b2 + (wide)a[4] * b1,
        (wide)a[0] * b[1] + (wide)a[1] * b[0] + (wide)a[2] * b4 + (wide)a[3] * b3 + (wide)a[4] * b2,
        (wide)a[0] * b[2] + (wide)a[1] * b[1] + (wide)a[2] * b[0] + (wide)a[3] * b4 + (wide)a[4] * b3,
        (wide)a[0] * b[3] + (wide)a[1] * b[2] + (wide)a[2] * b[1] + (wide)a[3] * b[0] + (wide)a[4] * b4,
        (wide)a[0] * b[4] + (wide)a[1] * b[3] + (wide)a[2] * b[2] + (wide)a[3] * b[1] + (wide)a[4] * b[0],
    };
    carry(out, t);
}

static void square(element out, const element a)
{
    uint64_t a3 = 19 * a[3], a4 = 19 * a[4];
    wide t[5] = {
        (wide)a[0] * a[0] + 2 * ((wide)a[1] * a4 + (wide)a[2] * a3),
        (wide)a[3] * a3 + 2 * ((wide)a[0] * a[1] + (wide)a[2] * a4),
        (wide)a[1] * a[1] + 2 * ((wide)a[0] * a[2] + (wide)a[3] * a4),
        (wide)a[4] * a4 + 2 * ((wide)a[0] * a[3] + (wide)a[1] * a[2]),
        (wide)a[2] * a[2] + 2 * ((wide)a[0] * a[4] + (wide)a[1] * a[3]),
    };
    carry(out, t);
}

static void multiply_small(element out, const element a, uint64_t b)
{
    wide t[5];
    for (int i = 0; i < 5; i++)
        t[i] = (wide)a[i] * b;
    carry(out, t);
}

static void add(element out, const element a, const element b)
{
    for (int i = 0; i < 5; i++)
        out[i] = a[i] + b[i];
}

static void subtract(element out, const element a, const element b)
{
    static const uint64_t multiple[5] = {
        0xFFFFFFFFFFFDA, 0xFFFFFFFFFFFFE, 0xFFFFFFFFFFFFE, 0xFFFFFFFFFFFFE, 0xFFFFFFFFFFFFE,
    };
    for (int i = 0; i < 5; i++)
        out[i] = a[i] + multiple[i] - b[i];
}

static void swap(element a, element b, uint64_t yes)
{
    for (int i = 0; i < 5; i++) {
        uint64_t different = -yes & (a[i] ^ b[i]);
        a[i] ^= different;
        b[i] ^= different;
    }
}

/* a to the power of 2^255 - 21, which is its inverse. */
static void invert(element out, const element a)
{
    element power;
    memcpy(power, a, sizeof power);
    for (int bit = 253; bit >= 0; bit--) {
        square(power, power);
        if (bit != 2 && bit != 4)
            multiply(power, power, a);
    }
    memcpy(out, power, sizeof power);
}

/* The x-coordinate of a multiple of a point, whose x-coordinate is in `x`. */
static void ladder(element x, const uint64_t scalar[4])
{
    element x1, x2 = {1}, z2 = {0}, x3, z3 = {1};
    uint64_t last = 0;
    memcpy(x1, x, sizeof x1);
    memcpy(x3, x, sizeof x3);
    for (int t = 254; t >= 0; t--) {
        uint64_t bit = scalar[t >> 6] >> (t & 63) & 1;
        swap(x2, x3, last ^ bit);
        swap(z2, z3, last ^ bit);
        last = bit;
        element a, aa, b, bb, e, c, d, da, cb;
        add(a, x2, z2);
        square(aa, a);
        subtract(b, x2, z2);
        square(bb, b);
        subtract(e, aa, bb);
        add(c, x3, z3);
        subtract(d, x3, z3);
        multiply(da, d, a);
        multiply(cb, c, b);
        add(x3, da, cb);
        square(x3, x3);
        subtract(z3, da, cb);
        square(z3, z3);
        multiply(z3, x1, z3);
        multiply(x2, aa, bb);
        multiply_small(z2, e, 121665);
        add(z2, aa, z2);
        multiply(z2, e, z2);
    }
    swap(x2, x3, last);
    swap(z2, z3, last);
    invert(z2, z2);
    multiply(x, x2, z2);
}

int main(int argc, char **argv)
{
    uint64_t checksum = 0;
    element x = {9};
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        uint64_t scalar[4] = {x[0] << 3, x[1], x[2] ^ n, (x[3] | (uint64_t)1 << 62) >> 1};
        ladder(x, scalar);
        for (int i = 0; i < 5; i++)
            checksum = mix(checksum, x[i]);
    }
    return finish(checksum);
}
