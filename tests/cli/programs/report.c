// Prints its arguments, a variable and the first line of a file; exits with 42.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        printf("%s|", argv[i]);
    const char *variable = getenv("COLOUR");
    printf("%s|", variable ? variable : "none");
    FILE *file = fopen(argc > 1 ? argv[1] : "missing", "r");
    char line[100];
    if (file && fgets(line, sizeof line, file))
        printf("%s", line);
    return 42;
}
