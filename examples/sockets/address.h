/* What the programs of this folder share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "wasi_socket.h"

/* The port that the command line names. */
static inline int port(int argc, char **argv)
{
    return argc > 1 ? atoi(argv[1]) : 1234;
}

static inline void check(int failed, const char *what)
{
    if (failed) {
        perror(what);
        exit(1);
    }
}
