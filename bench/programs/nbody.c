/* Floating point over records: bodies that attract each other, stepped through time. */
#include <math.h>

#include "bench.h"

#define BODIES 6

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[BODIES];

static void step(double dt)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz + 0.01;
            double pull = dt / (square * sqrt(square));
            a->vx -= dx * b->mass * pull;
            a->vy -= dy * b->mass * pull;
            a->vz -= dz * b->mass * pull;
            b->vx += dx * a->mass * pull;
            b->vy += dy * a->mass * pull;
            b->vz += dz * a->mass * pull;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}

static double between(uint32_t *random, double low, double high)
{
    return low + (high - low) * (next_random(random) / 4294967296.0);
}

int main(int argc, char **argv)
{
    uint32_t random = 2024;
    uint64_t checksum = 0;
    for (int i = 0; i < BODIES; i++) {
        struct body *b = &bodies[i];
        b->x = between(&random, -5, 5);
        b->y = between(&random, -5, 5);
        b->z = between(&random, -5, 5);
        b->vx = between(&random, -1, 1);
        b->vy = between(&random, -1, 1);
        b->mass = between(&random, 0.1, 2);
    }
    for (uint32_t n = work_size(argc, argv) * 1000; n > 0; n--)
        step(0.001);
    for (int i = 0; i < BODIES; i++)
        checksum = mix_double(mix_double(checksum, bodies[i].x), bodies[i].vy);
    return finish(checksum);
}
