/* A program that calls functions of the library hello.c. */
#include <stdio.h>
#include <stdlib.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))

IMPORT(test_add) int test_add(int x, int y);
IMPORT(test_sqrt) int test_sqrt(int x, int y);
IMPORT(test_hello) int test_hello(const char *name, char *result, size_t size);

int main(void)
{
    printf("Hello World!\n");
    printf("10 + 20 = %d\n", test_add(10, 20));
    printf("sqrt(10, 20) = %d\n", test_sqrt(10, 20));
    int length = test_hello("main", 0, 0);
    printf("test_hello(\"main\", 0x0, 0) = %d\n", length);
    char *message = malloc(length + 1);
    printf("test_hello(\"main\", message, %d) = %d\n", length + 1,
           test_hello("main", message, length + 1));
    printf("Message from test_hello: %s", message);
    free(message);
    return 0;
}
