/* What a program can do with a file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed;

static void test(int passed, const char *name)
{
    printf("[Test] %s %s.\n", name, passed ? "passed" : "failed");
    failed += !passed;
}

int main(void)
{
    const char *path = "test.txt", *text = "Hello, world!";
    char read[1000] = "";
    struct stat status;

    printf("Opening a file..\n");
    FILE *file = fopen(path, "w+");
    test(file != NULL, "File opening");
    if (!file)
        return 1;
    printf("Writing to the file..\n");
    test(fprintf(file, "%s", text) == 13, "File writing");
    printf("Moving the cursor to the start of the file..\n");
    rewind(file);
    printf("Reading from the file, up to 1000 characters..\n");
    size_t length = fread(read, 1, sizeof read, file);
    printf("Text read: %s\n", read);
    test(length == 13 && !strcmp(read, text), "File reading");
    printf("Determine whether we reach the end of the file..\n");
    printf("Is the end of file? %d\n", !!feof(file));
    test(feof(file), "End of file detection");
    printf("Getting the plaintext size..\n");
    fseek(file, 0, SEEK_END);
    printf("The plaintext size is %ld.\n", ftell(file));
    test(ftell(file) == 13, "Retrieving file offset");
    printf("Force actual write of all the cached data to the disk..\n");
    test(!fflush(file) && !fsync(fileno(file)), "Writing to the disk");
    printf("Writing 5 characters at offset 7..\n");
    length = pwrite(fileno(file), "James", 5, 7);
    printf("File current offset: %ld\n", ftell(file));
    test(length == 5, "Writing at specified offset");
    printf("Reading 5 characters at offset 7..\n");
    memset(read, 0, sizeof read);
    length = pread(fileno(file), read, 5, 7);
    printf("Text read: %s\n", read);
    test(length == 5 && !strcmp(read, "James"), "Reading at specified offset");
    printf("Allocate more space to the file..\n");
    test(!posix_fallocate(fileno(file), 13, 10), "Allocation of more space");
    fseek(file, 0, SEEK_END);
    printf("File current offset: %ld\n", ftell(file));
    printf("Extend the file size of 10 bytes using ftruncate..\n");
    test(!ftruncate(fileno(file), 33), "Extension of the file size");
    printf("Closing the file..\n");
    test(!fclose(file), "Closing file");
    printf("Getting the size of the file on disk..\n");
    test(!stat(path, &status) && status.st_size == 33, "Size");
    printf("The file size is %lld.\n", (long long)status.st_size);
    if (!failed)
        printf("All the tests passed!\n");
    return failed;
}
