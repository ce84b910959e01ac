/* A library of native functions, as WAMR's --native-lib takes it. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
    const char *symbol;
    void *function;
    const char *signature;
    void *attachment;
} NativeSymbol;

static int test_add(void *env, int x, int y) { return x + y; }
static int test_sqrt(void *env, int x, int y) { return x * x + y * y; }

static int test_hello(void *env, const char *name, char *result, uint32_t size)
{
    return snprintf(result, size, "Hello, %s. This is %s!\n", name, __func__);
}

static NativeSymbol symbols[] = {
    {"test_add", test_add, "(ii)i", 0},
    {"test_sqrt", test_sqrt, "(ii)i", 0},
    {"test_hello", test_hello, "($*~)i", 0},
};

uint32_t get_native_lib(char **module, NativeSymbol **found)
{
    *module = "env";
    *found = symbols;
    return sizeof symbols / sizeof symbols[0];
}
