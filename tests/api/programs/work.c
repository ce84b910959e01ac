/* Threads that share their work: each has an instance of this, on the same memory. */

#include <stdatomic.h>

static atomic_int next_item, lock_word;
static atomic_llong total;
static int plain[64] = {7, 7, 7}; /* initialised once, by the first instance */
static int histogram[8];

static void lock(void) {
    int state = 0;
    if (atomic_compare_exchange_strong(&lock_word, &state, 1)) return;
    while (atomic_exchange(&lock_word, 2) != 0)
        __builtin_wasm_memory_atomic_wait32((int *)&lock_word, 2, -1);
}

static void unlock(void) {
    if (atomic_exchange(&lock_word, 0) == 2)
        __builtin_wasm_memory_atomic_notify((int *)&lock_word, 1);
}

static int steps(long long n) {
    int count = 0;
    while (n != 1) {
        n = n & 1 ? 3 * n + 1 : n / 2;
        count++;
    }
    return count;
}

__attribute__((export_name("work"))) int work(int count) {
    int done = 0;
    for (;;) {
        int item = atomic_fetch_add(&next_item, 1);
        if (item >= count) return done;
        int found = steps(item + 1);
        atomic_fetch_add(&total, found);
        lock();
        histogram[found & 7]++;
        plain[found & 63]++;
        unlock();
        done++;
    }
}

__attribute__((export_name("total"))) long long get_total(void) { return total; }

__attribute__((export_name("counted"))) int counted(void) {
    int sum = 0;
    for (int i = 0; i < 8; i++) sum += histogram[i];
    for (int i = 0; i < 64; i++) sum += plain[i];
    return sum;
}
