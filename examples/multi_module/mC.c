#define EXPORT(name) __attribute__((export_name(#name)))
#define IMPORT(from, name) __attribute__((import_module(#from), import_name(#name)))

IMPORT(mA, A1) int A1(void);
IMPORT(mB, B1) int B1(void);
IMPORT(mB, B2) int B2(void);

EXPORT(C1) int C1(void) { return 31; }
EXPORT(C2) int C2(void) { return B1(); }
EXPORT(C3) int C3(void) { return A1(); }
EXPORT(C4) int C4(void) { return B2(); }
int C5(void) { return C1() + C2() + C3() + 35; }
