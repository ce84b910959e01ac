/* Floating point over arrays: products of dense matrices of doubles. */
#include "bench.h"

#define N 120

static double a[N][N], b[N][N], c[N][N];

static void multiply(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
}

int main(int argc, char **argv)
{
    uint32_t random = 1;
    uint64_t checksum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (next_random(&random) % 2000) / 1000.0 - 1;
            b[i][j] = (next_random(&random) % 2000) / 1000.0 - 1;
        }
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        multiply();
        for (int i = 0; i < N; i++)
            b[i][n % N] = c[i][i] / N;
        checksum = mix_double(checksum, c[n % N][N / 2]);
    }
    return finish(checksum);
}
