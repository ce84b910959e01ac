/* Single precision and conversions: FIR and IIR filters over samples, and a Fourier transform. */
#include <math.h>

#include "bench.h"

#define SAMPLES 4096
#define TAPS 16

static float input[SAMPLES + TAPS], output[SAMPLES], taps[TAPS];
static float real[SAMPLES], imaginary[SAMPLES], sines[SAMPLES];

/* Turns by half angles, so that no libm (which differs between engines) is needed. */
static void make_sines(void)
{
    double c = -1, s = 0; /* cosine and sine of the angle pi */
    for (int length = 2; length <= SAMPLES / 2; length *= 2) {
        s = sqrt((1 - c) / 2);
        c = sqrt((1 + c) / 2);
    }
    double x = 1, y = 0;
    for (int i = 0; i < SAMPLES; i++) {
        sines[i] = (float)y;
        double turned = x * c - y * s;
        y = x * s + y * c;
        x = turned;
    }
}

static void filter(void)
{
    float slow = 0, fast = 0;
    for (int i = 0; i < SAMPLES; i++) {
        float sum = 0;
        for (int t = 0; t < TAPS; t++)
            sum += taps[t] * input[i + t];
        slow += (sum - slow) * 0.125f;
        fast = fast * 0.75f + sum * 0.25f;
        output[i] = slow - fast;
    }
}

static void transform(void)
{
    for (uint32_t i = 0, j = 0; i < SAMPLES; i++) {
        real[j] = output[i];
        imaginary[j] = 0;
        uint32_t bit = SAMPLES / 2;
        for (; j & bit; bit /= 2)
            j ^= bit;
        j |= bit;
    }
    for (int half = 1; half < SAMPLES; half *= 2)
        for (int start = 0; start < SAMPLES; start += 2 * half)
            for (int k = 0; k < half; k++) {
                int angle = k * (SAMPLES / 2 / half), i = start + k, j = i + half;
                float s = -sines[angle], c = sines[(angle + SAMPLES / 4) % SAMPLES];
                float re = real[j] * c - imaginary[j] * s, im = real[j] * s + imaginary[j] * c;
                real[j] = real[i] - re, imaginary[j] = imaginary[i] - im;
                real[i] += re, imaginary[i] += im;
            }
}

int main(int argc, char **argv)
{
    uint32_t random = 64;
    uint64_t checksum = 0;
    make_sines();
    for (int t = 0; t < TAPS; t++)
        taps[t] = (float)(1.0 / (t + 2));
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        for (int i = 0; i < SAMPLES + TAPS; i++)
            input[i] = (float)(int32_t)next_random(&random) / 65536.0f;
        filter();
        transform();
        checksum = mix(checksum, (uint64_t)(int64_t)real[n % SAMPLES]);
        checksum = mix_double(checksum, (double)imaginary[1]);
    }
    return finish(checksum);
}
