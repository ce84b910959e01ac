/* Threads by wasi-threads alone, without pthreads: the program gives each a stack, and starts it. */
#ifndef WASI_THREAD_H
#define WASI_THREAD_H

/* What a thread gets; a structure of the program's begins with it. */
struct wasi_thread {
    void *stack; /* its end, a multiple of 16; first, because the code below reads it */
};

/* The new thread's number, or an error's, which is negative. The thread calls `thread_main`. */
__attribute__((import_module("wasi"), import_name("thread-spawn"))) int spawn(void *thread);

void thread_main(int number, void *thread);

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
        "call thread_main\n"
        "end_function\n"
        ".functype thread_main (i32, i32) -> ()\n");

#endif
