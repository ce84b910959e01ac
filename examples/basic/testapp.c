/* Calls native functions, with numbers, buffers and pointers to functions. */
#include <stdint.h>
#include <stdio.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(intToStr) int intToStr(int x, char *text, int size, int digits);
IMPORT(get_pow) int get_pow(int x, int y);
IMPORT(calculate_native) int calculate_native(int n, int (*first)(int), int (*second)(int));

/* Prints each line at once: the embedder prints, too. */
__attribute__((constructor)) static void start(void) { setvbuf(stdout, 0, _IOLBF, 0); }

EXPORT(generate_float) float generate_float(int iteration, double seed1, float seed2)
{
    float sum = 0;
    printf("calling into WASM function: %s\n", __func__);
    for (int i = 0; i < iteration; i++)
        sum += 1.0f / seed1 + seed2;
    return sum;
}

EXPORT(float_to_string) void float_to_string(float n, char *text, int size, int digits)
{
    printf("calling into WASM function: %s\n", __func__);
    int whole = (int)n, length = intToStr(whole, text, size, 0);
    if (digits) {
        text[length++] = '.';
        intToStr((int)((n - whole) * get_pow(10, digits)), text + length, size - length, digits);
    }
}

static int mul5(int n)
{
    printf("calling into WASM function: %s,    %s return %d\n", __func__, __func__, n * 5);
    return n * 5;
}

static int mul7(int n)
{
    printf("calling into WASM function: %s,    %s return %d\n", __func__, __func__, n * 7);
    return n * 7;
}

EXPORT(calculate) int calculate(int n)
{
    printf("calling into WASM function: %s\n", __func__);
    return calculate_native(n, mul5, mul7);
}
