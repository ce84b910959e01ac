/* Numeric kernels of loop nests: Jacobi and Seidel stencils, and an LU decomposition. */
#include "bench.h"

#define N 100

static double a[N][N], b[N][N], lu[N][N];

static void jacobi(double from[N][N], double to[N][N])
{
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] + from[i - 1][j] +
                              from[i + 1][j]);
}

static void seidel(double m[N][N])
{
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            m[i][j] = (m[i - 1][j - 1] + m[i - 1][j] + m[i - 1][j + 1] + m[i][j - 1] + m[i][j] +
                       m[i][j + 1] + m[i + 1][j - 1] + m[i + 1][j] + m[i + 1][j + 1]) / 9;
}

static void decompose(double m[N][N])
{
    for (int k = 0; k < N; k++)
        for (int i = k + 1; i < N; i++) {
            m[i][k] /= m[k][k];
            for (int j = k + 1; j < N; j++)
                m[i][j] -= m[i][k] * m[k][j];
        }
}

int main(int argc, char **argv)
{
    uint32_t random = 8;
    uint64_t checksum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i][j] = b[i][j] = (next_random(&random) % 1000) / 100.0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        for (int t = 0; t < 10; t++) {
            jacobi(a, b);
            jacobi(b, a);
            seidel(a);
        }
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                lu[i][j] = a[i][j] + (i == j ? 1000 : 0);
        decompose(lu);
        checksum = mix_double(mix_double(checksum, a[n % N][N / 2]), lu[N - 1][N - 1]);
        a[n % N][n % N] += 1;
    }
    return finish(checksum);
}
