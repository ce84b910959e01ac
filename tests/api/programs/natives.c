/* Native functions as a library has them that is made for WAMR's iwasm --native-lib. */
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *symbol;
    void *func_ptr;
    const char *signature;
    void *attachment;
} NativeSymbol;

static int started, ended;

static int add(void *env, int a, int b) { return a + b; }
static int64_t wide(void *env, int64_t a, int32_t b) { return a - b; }
static float half(void *env, float a) { return a / 2; }
static double mix(void *env, int32_t i, float f, int64_t l, double d) { return (double)i + f + l + d; }
static int sum(void *env, const uint8_t *data, uint32_t size)
{
    int total = 0;
    for (uint32_t i = 0; i < size; i++)
        total += data[i];
    return total;
}
static int length(void *env, const char *text) { return (int)strlen(text); }
static void fill(void *env, uint8_t *at) { *at = 42; }
static int64_t many(void *env, int a, int b, int c, int d, int e, int f, int g, int64_t h,
                    double i, double j, double k, double l, double m, double n, double o,
                    double p, double q, float r, int s)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h
           + (int64_t)(i + j + k + l + m + n + o + p + 100 * q + 1000 * r) + 10000 * s;
}
static int starts(void *env) { return started; }

static NativeSymbol symbols[] = {
    { "add", add, "(ii)i", 0 },       { "wide", wide, "(Ii)I", 0 },
    { "half", half, "(f)f", 0 },      { "mix", mix, "(ifIF)F", 0 },
    { "sum", sum, "(*~)i", 0 },       { "length", length, "($)i", 0 },
    { "fill", fill, "(*)", 0 },       { "many", many, "(iiiiiiiIFFFFFFFFFfi)I", 0 },
    { "starts", starts, 0, 0 },
};

int init_native_lib(void) { return started++ ? 1 : 0; }
void deinit_native_lib(void) { ended++; }

uint32_t get_native_lib(char **module_name, NativeSymbol **native_symbols)
{
    *module_name = "env";
    *native_symbols = symbols;
    return sizeof symbols / sizeof *symbols;
}
