// Prints for ever and ignores errors.
#include <stdio.h>

int main(void) {
    for (;;)
        puts("a line of text");
}
