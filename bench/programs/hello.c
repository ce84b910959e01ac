/* The least a program can do, for start-up time and memory: says hello, then waits for its input
 * to end. */
#include <stdio.h>

int main(void)
{
    puts("hello");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
