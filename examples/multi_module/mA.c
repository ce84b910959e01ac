#define EXPORT(name) __attribute__((export_name(#name)))

EXPORT(A1) int A1(void) { return 11; }
