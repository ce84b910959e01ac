/* A program without a C library: what it calls is built into the runtime. */
int printf(const char *format, ...);
int snprintf(char *text, unsigned long size, const char *format, ...);
void *malloc(unsigned long size);
void free(void *data);

__attribute__((export_name("main"))) int app(void)
{
    printf("Hello world!\n");
    char *buf = malloc(1024);
    if (!buf) {
        printf("malloc buf failed\n");
        return -1;
    }
    printf("buf ptr: %p\n", buf);
    snprintf(buf, 1024, "%s", "1234\n");
    printf("buf: %s", buf);
    free(buf);
    return 0;
}
