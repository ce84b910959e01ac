/* Counts the words of all files in /in, and writes a report. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

static int words(const char *path)
{
    FILE *file = fopen(path, "r");
    int count = 0, inside = 0, c;
    while ((c = getc(file)) != EOF) {
        count += !inside && !isspace(c);
        inside = !isspace(c);
    }
    fclose(file);
    return count;
}

int main(void)
{
    FILE *report = fopen("/out/report.txt", "w");
    DIR *in = opendir("/in");
    if (!report || !in)
        return 1;
    for (struct dirent *entry; (entry = readdir(in));) {
        char path[300];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/in/%s", entry->d_name);
        fprintf(report, "%s: %d words\n", entry->d_name, words(path));
    }
    fclose(report);
    return remove("/in/draft.txt") == 0; /* which must fail */
}
