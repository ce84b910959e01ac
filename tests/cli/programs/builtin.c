/* A program for libc-builtin: everything it calls is imported from `env`. */

int printf(const char *, ...);
int snprintf(char *, unsigned long, const char *, ...);
void *malloc(unsigned long);
void *realloc(void *, unsigned long);
void free(void *);
char *strdup(const char *);
unsigned long strlen(const char *);
char *strcpy(char *, const char *);
long strtol(const char *, char **, int);

static void sort(int *values, int count)
{
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && values[j - 1] > values[j]; j--) {
            int value = values[j];
            values[j] = values[j - 1];
            values[j - 1] = value;
        }
}

int main(int argc, char **argv)
{
    static const int unsorted[] = {21, 3, 1, 13, 2, 8, 5};
    int count = sizeof unsorted / sizeof *unsorted;
    printf("Hello, %s and %d words\n", argv[0], argc - 1);
    printf("[%6.2f] [%g] [%a] [%*d] [%llx]\n", 3.14159, 1e10, 3.0, 5, 42, 42LL);

    int *values = malloc(count * sizeof *values);
    for (int i = 0; i < count; i++)
        values[i] = unsorted[i];
    sort(values, count);
    printf("sorted:");
    for (int i = 0; i < count; i++)
        printf(" %d", values[i]);
    printf("\n");
    free(values);

    char *rest;
    long number = strtol("  -0xff apples", &rest, 0);
    printf("strtol: %ld, rest \"%s\"\n", number, rest);

    char *text = strdup("0123456789");
    text = realloc(text, 8000);
    strcpy(text + strlen(text), " and more");
    printf("reallocated: %s\n", text);
    free(text);
    return argc;
}
