/* An interpreter interpreted: a small register machine, dispatched by one switch (br_table). */
#include "bench.h"

#define MEMORY 4096

enum op { SET, ADD, SUB, MUL, REMAINDER, LOAD, STORE, JUMP, JUMP_IF_LESS, JUMP_IF_ZERO, HALT };

struct instruction {
    uint8_t op, a, b, c;
    int32_t immediate;
};

/* Counts in r0 the primes below r1 by trial division, and keeps them in memory. */
static const struct instruction primes[] = {
    {SET, 0, 0, 0, 0},           /*  0: r0 = 0, the number of primes */
    {SET, 2, 0, 0, 2},           /*  1: r2 = 2, the candidate */
    {SET, 7, 0, 0, 1},           /*  2: r7 = 1 */
    {JUMP_IF_LESS, 2, 1, 0, 5},  /*  3: next candidate: if r2 < r1 go to 5 */
    {HALT, 0, 0, 0, 0},          /*  4: */
    {SET, 3, 0, 0, 0},           /*  5: r3 = 0, the index of a divisor */
    {JUMP_IF_LESS, 3, 0, 0, 8},  /*  6: next divisor: if r3 < r0 go to 8 */
    {JUMP, 0, 0, 0, 15},         /*  7: it is a prime */
    {LOAD, 4, 3, 0, 0},          /*  8: r4 = memory[r3] */
    {MUL, 5, 4, 4, 0},           /*  9: r5 = r4 * r4 */
    {JUMP_IF_LESS, 2, 5, 0, 15}, /* 10: it is a prime if r2 < r5 */
    {REMAINDER, 6, 2, 4, 0},     /* 11: r6 = r2 % r4 */
    {JUMP_IF_ZERO, 6, 0, 0, 17}, /* 12: it is not a prime if r6 == 0 */
    {ADD, 3, 3, 7, 0},           /* 13: r3 += 1 */
    {JUMP, 0, 0, 0, 6},          /* 14: */
    {STORE, 2, 0, 0, 0},         /* 15: prime: memory[r0] = r2 */
    {ADD, 0, 0, 7, 0},           /* 16: r0 += 1 */
    {ADD, 2, 2, 7, 0},           /* 17: r2 += 1 */
    {JUMP, 0, 0, 0, 3},          /* 18: */
};

static int32_t memory[MEMORY];

static int32_t run(const struct instruction *program, int32_t argument)
{
    int32_t r[8] = {0, argument};
    for (const struct instruction *p = program;; p++) {
        switch (p->op) {
        case SET: r[p->a] = p->immediate; break;
        case ADD: r[p->a] = r[p->b] + r[p->c]; break;
        case SUB: r[p->a] = r[p->b] - r[p->c]; break;
        case MUL: r[p->a] = r[p->b] * r[p->c]; break;
        case REMAINDER: r[p->a] = r[p->c] ? r[p->b] % r[p->c] : 0; break;
        case LOAD: r[p->a] = memory[r[p->b] % MEMORY]; break;
        case STORE: memory[r[p->b] % MEMORY] = r[p->a]; break;
        case JUMP: p = program + p->immediate - 1; break;
        case JUMP_IF_LESS: if (r[p->a] < r[p->b]) p = program + p->immediate - 1; break;
        case JUMP_IF_ZERO: if (r[p->a] == 0) p = program + p->immediate - 1; break;
        default: return r[0];
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--)
        checksum = mix(checksum, (uint32_t)run(primes, 10000 + (int32_t)(n & 15)));
    return finish(checksum);
}
