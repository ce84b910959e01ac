/* Sorting: quicksort with insertion sort for short runs, over 32-bit keys. */
#include "bench.h"

#define COUNT 100000

static int32_t keys[COUNT];

static void insertion_sort(int32_t *a, int32_t n)
{
    for (int32_t i = 1; i < n; i++) {
        int32_t key = a[i], j = i - 1;
        for (; j >= 0 && a[j] > key; j--)
            a[j + 1] = a[j];
        a[j + 1] = key;
    }
}

static void quicksort(int32_t *a, int32_t n)
{
    while (n > 12) {
        int32_t pivot = a[n / 2], i = 0, j = n - 1;
        while (i <= j) {
            while (a[i] < pivot)
                i++;
            while (a[j] > pivot)
                j--;
            if (i <= j) {
                int32_t swapped = a[i];
                a[i++] = a[j];
                a[j--] = swapped;
            }
        }
        quicksort(a, j + 1);
        a += i;
        n -= i;
    }
    insertion_sort(a, n);
}

int main(int argc, char **argv)
{
    uint32_t random = 12345;
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        for (int i = 0; i < COUNT; i++)
            keys[i] = (int32_t)next_random(&random);
        quicksort(keys, COUNT);
        for (int i = 1; i < COUNT; i++)
            if (keys[i - 1] > keys[i])
                return 1;
        checksum = mix(checksum, (uint32_t)keys[COUNT / 3]);
    }
    return finish(checksum);
}
