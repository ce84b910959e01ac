/* A thread by wasi-threads alone, without pthreads: the program gives it a stack and starts it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct start {
    void *stack; /* first: wasi_thread_start below reads it */
    int ready, value, number;
};

__attribute__((import_module("wasi"), import_name("thread-spawn"))) int spawn(struct start *);

/* What the runtime calls in the new thread, which has no stack yet. */
__asm__(".globaltype __stack_pointer, i32\n"
        ".globl wasi_thread_start\n"
        ".export_name wasi_thread_start, wasi_thread_start\n"
        "wasi_thread_start:\n"
        ".functype wasi_thread_start (i32, i32) -> ()\n"
        "local.get 1\n"
        "i32.load 0\n"
        "global.set __stack_pointer\n"
        "local.get 0\n"
        "local.get 1\n"
        "call started\n"
        "end_function\n"
        ".functype started (i32, i32) -> ()\n");

void started(int number, struct start *start)
{
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
    struct start start = {stack + sizeof stack, 0, 52, 0};
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
