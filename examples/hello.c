/* A program for WASI. `python3 dev.py run` compiles it and runs it in Wasmote. */
#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        printf("Hello, %s!\n", argv[i]);
    }
    unsigned long long a = 0, b = 1;
    for (int i = 0; i < 90; i++) {
        unsigned long long next = a + b;
        a = b;
        b = next;
    }
    printf("The 90th Fibonacci number is %llu.\n", a);
    return 0;
}
