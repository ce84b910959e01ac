// Says that it runs, then sleeps for a minute.
#include <stdio.h>
#include <unistd.h>

int main(void) {
    puts("running");
    fflush(stdout);
    sleep(60);
    return 0;
}
