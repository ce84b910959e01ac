/* A thread that changes what it is given. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "wasi_thread.h"

struct start {
    struct wasi_thread thread;
    int ready, value, number;
};

void thread_main(int number, void *thread)
{
    struct start *start = thread;
    printf("New thread ID: %d, starting parameter: %d\n", number, start->value);
    start->number = number;
    start->value += 8;
    printf("Updated value: %d\n", start->value);
    __atomic_store_n(&start->ready, 1, __ATOMIC_SEQ_CST);
    __builtin_wasm_memory_atomic_notify(&start->ready, 1);
}

int main(void)
{
    static _Alignas(16) char stack[65536];
    struct start start = {{stack + sizeof stack}, 0, 52, 0};
    int64_t second = 1000000000;
    int number = spawn(&start);
    if (number < 0)
        return EXIT_FAILURE;
    if (__builtin_wasm_memory_atomic_wait32(&start.ready, 0, 5 * second) == 2) {
        printf("Timeout\n");
        return EXIT_FAILURE;
    }
    printf("Thread completed, new value: %d, thread id: %d\n", start.value, start.number);
    return number == start.number ? EXIT_SUCCESS : EXIT_FAILURE;
}
