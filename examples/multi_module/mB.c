#define EXPORT(name) __attribute__((export_name(#name)))
#define IMPORT(from, name) __attribute__((import_module(#from), import_name(#name)))

IMPORT(mA, A1) int A1(void);

EXPORT(B1) int B1(void) { return 21; }
EXPORT(B2) int B2(void) { return A1(); }
