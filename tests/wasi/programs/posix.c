// Exercises WASI the way ordinary programs do, through the C library; argv[1] picks the part.
// Prints what it sees, so that the output of two hosts can be compared.

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

extern char **environ;

static void report(const char *what, long result) {
  printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : "");
}

static void arguments(int argc, char **argv) {
  for (int i = 0; i < argc; i++) printf("arg %d <%s>\n", i, argv[i]);
  for (char **e = environ; *e; e++) printf("env <%s>\n", *e);
  printf("%s %s\n", getenv("NAME") ? getenv("NAME") : "-", getenv("NONE") ? "?" : "-");
}

static void streams(void) {
  char line[100];
  setvbuf(stdin, NULL, _IONBF, 0);
  while (fgets(line, sizeof line, stdin)) printf("line: %s", line);
  fprintf(stderr, "to stderr\n");
  for (int fd = 0; fd < 3; fd++) printf("isatty %d\n", isatty(fd));
  for (int i = 0; i < 2000; i++) printf("%d ", i);
  putchar('\n');
}

static void files(void) {
  char buffer[64] = {0};
  int fd = open("a.txt", O_CREAT | O_RDWR | O_TRUNC, 0644);
  report("write", write(fd, "hello world", 11));
  report("lseek", lseek(fd, 6, SEEK_SET));
  report("read", read(fd, buffer, 64));
  puts(buffer);
  report("pwrite", pwrite(fd, "HE", 2, 0));
  report("pread", pread(fd, buffer, 5, 0));
  puts(buffer);
  report("tell", lseek(fd, 0, SEEK_CUR));
  report("end", lseek(fd, -2, SEEK_END));
  report("before start", lseek(fd, -20, SEEK_CUR));
  report("ftruncate", ftruncate(fd, 4));
  report("fsync", fsync(fd));
  report("fdatasync", fdatasync(fd));
  struct iovec parts[3] = {{"one", 3}, {"", 0}, {"two", 3}};
  ssize_t written = writev(fd, parts, 3);
  if (written == 3) written += write(fd, "two", 3);  // a host may write less than asked for
  report("writev", written);
  struct stat st;
  report("fstat", fstat(fd, &st));
  printf("size %lld links %ld regular %d\n", (long long)st.st_size, (long)st.st_nlink,
         S_ISREG(st.st_mode));
  struct timespec times[2] = {{1000, 5}, {2000, 123456789}};
  report("futimens", futimens(fd, times));
  fstat(fd, &st);
  printf("times %lld.%09ld %lld.%09ld\n", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
         (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  report("close", close(fd));
  report("close again", close(fd));
  report("exclusive", open("a.txt", O_CREAT | O_EXCL | O_RDWR));
  report("missing", open("missing", O_RDONLY));
  fd = open("a.txt", O_RDONLY);
  report("write to read-only", write(fd, "x", 1) < 0);
  close(fd);
  fd = open("a.txt", O_WRONLY | O_APPEND);
  report("flags", fcntl(fd, F_GETFL) & O_APPEND ? 1 : 0);
  write(fd, "+", 1);
  lseek(fd, 0, SEEK_SET);
  write(fd, "+", 1);
  report("appended", lseek(fd, 0, SEEK_END));
  close(fd);
  FILE *file = fopen("b.txt", "w+");
  for (int i = 0; i < 5000; i++) fprintf(file, "%d\n", i);
  rewind(file);
  long sum = 0;
  int n;
  while (fscanf(file, "%d", &n) == 1) sum += n;
  report("sum", sum);
  fclose(file);
  report("unlink", unlink("b.txt"));
  report("unlink again", unlink("b.txt"));
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char **)a, *(char **)b);
}

static void list(const char *path) {
  DIR *dir = opendir(path);
  if (!dir) {
    printf("opendir %s: %s\n", path, strerror(errno));
    return;
  }
  char *names[300];
  int count = 0;
  struct dirent *entry;
  while ((entry = readdir(dir))) {
    names[count] = malloc(300);
    sprintf(names[count++], "%s type %d", entry->d_name, entry->d_type);
  }
  closedir(dir);
  qsort(names, count, sizeof *names, by_name);
  printf("%s has %d:", path, count);
  for (int i = 0; i < count; i++) printf(" [%s]", names[i]);
  putchar('\n');
}

static void directories(void) {
  report("mkdir", mkdir("d", 0755));
  report("mkdir again", mkdir("d", 0755));
  report("mkdir below", mkdir("d/e/", 0755));
  char name[64];
  for (int i = 0; i < 150; i++) {
    sprintf(name, "d/%s%d", i % 3 ? "short" : "a-name-that-is-rather-longer", i);
    close(open(name, O_CREAT | O_WRONLY, 0644));
  }
  list("d");
  report("rmdir full", rmdir("d"));
  report("rename", rename("d/short1", "d/e/moved"));
  report("rename missing", rename("d/short1", "d/x"));
  report("link", link("d/e/moved", "d/hard"));
  report("symlink", symlink("e/moved", "d/soft"));
  char target[64] = {0};
  report("readlink", readlink("d/soft", target, 64));
  puts(target);
  struct stat st;
  report("lstat", lstat("d/soft", &st));
  printf("link %d size %lld\n", S_ISLNK(st.st_mode), (long long)st.st_size);
  report("stat", stat("d/soft", &st));
  printf("regular %d links %ld\n", S_ISREG(st.st_mode), (long)st.st_nlink);
  report("symlink loop", symlink("loop", "d/loop"));
  report("open loop", open("d/loop", O_RDONLY));
  report("nofollow", open("d/soft", O_RDONLY | O_NOFOLLOW));
  report("directory", open("d/hard", O_RDONLY | O_DIRECTORY));
  report("write a directory", open("d", O_RDWR));
  report("unlink a directory", unlink("d/e"));
  report("rmdir a file", rmdir("d/hard"));
  report("access", access("d/hard", R_OK));
  list("d/e");
  list("d/hard");
  list("nowhere");
  int dir = open("d", O_RDONLY | O_DIRECTORY);
  report("openat", openat(dir, "e/../soft", O_RDONLY) > 0);
  report("unlinkat", unlinkat(dir, "loop", 0));
  DIR *stream = fdopendir(dir);
  int count = 0;
  long position = 0;
  while (readdir(stream)) {
    if (++count == 20) position = telldir(stream);
  }
  seekdir(stream, position);
  while (readdir(stream)) count++;
  report("entries read after seeking", count);
  closedir(stream);
}

static void escapes(void) {
  const char *paths[] = {"..",          "../x",        "sub/../..",  "up/x",
                         "sub/up2/x",   "absolute",    "sub/../../x", "./../x",
                         "sub/./../..", "up/root/in"};
  mkdir("sub", 0755);
  symlink("..", "up");
  symlink("../..", "sub/up2");
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) report(paths[i], open(paths[i], O_RDONLY));
  report("create", open("../created", O_CREAT | O_WRONLY, 0644));
  report("mkdir", mkdir("up/created", 0755));
  report("unlink", unlink("up/x"));
  report("symlink", symlink("/etc/passwd", "absolute"));
}

static void clocks(void) {
  struct timespec before, after, pause = {0, 20000000}, resolution;
  assert(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
  report("nanosleep", nanosleep(&pause, NULL));
  assert(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
  long long passed = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
  report("slept", passed >= 20000000 && passed < 2000000000);
  clock_gettime(CLOCK_REALTIME, &after);
  report("year", after.tv_sec > 1700000000);
  report("resolution", clock_getres(CLOCK_REALTIME, &resolution));
  report("positive", resolution.tv_sec == 0 && resolution.tv_nsec > 0);
  report("yield", sched_yield());
}

static void polling(void) {
  int fd = open("p.txt", O_CREAT | O_RDWR, 0644);
  write(fd, "12345", 5);
  lseek(fd, 1, SEEK_SET);
  struct pollfd set[1] = {{fd, POLLOUT, 0}};
  report("poll", poll(set, 1, 1000));
  printf("%d\n", set[0].revents == POLLOUT);
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  report("timeout", poll(NULL, 0, 15));
  clock_gettime(CLOCK_MONOTONIC, &after);
  report("waited", (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 14);
}

static void random_bytes(void) {
  unsigned char a[256], b[256];
  report("getentropy", getentropy(a, 256));
  getentropy(b, 256);
  report("differ", memcmp(a, b, 256) != 0);
}

// Memory grows between calls, and what is then used lies in the new part.
static void growing(void) {
  size_t size = 3 << 20;
  FILE *file = fopen("big", "w+");
  for (int round = 1; round <= 4; round++) {
    char *data = malloc(size * round);
    memset(data, 'a' + round, size * round);
    report("fwrite", fwrite(data, 1, size * round, file));
  }
  rewind(file);
  char *data = malloc(30 << 20);
  report("fread", fread(data, 1, 30 << 20, file));
  printf("%c%c%c\n", data[0], data[size], data[size * 10 - 1]);
  unlink("big");
}

// What the C library does not offer.
static void raw(void) {
  int a = open("r1", O_CREAT | O_RDWR | O_TRUNC, 0644), b = open("r2", O_CREAT | O_RDWR, 0644);
  report("renumber", __wasi_fd_renumber(a, b));
  report("old", __wasi_fd_renumber(a, b));
  report("write", write(b, "renumbered", 10));
  struct stat st;
  stat("r1", &st);
  report("size", st.st_size);
  report("advise", posix_fadvise(b, 0, 0, POSIX_FADV_SEQUENTIAL));
  __wasi_prestat_t prestat;
  report("prestat", __wasi_fd_prestat_get(3, &prestat));
  report("length", prestat.u.dir.pr_name_len);
  report("no prestat", __wasi_fd_prestat_get(b, &prestat));
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  if (!strcmp(part, "arguments")) arguments(argc, argv);
  if (!strcmp(part, "streams")) streams();
  if (!strcmp(part, "files")) files();
  if (!strcmp(part, "directories")) directories();
  if (!strcmp(part, "escapes")) escapes();
  if (!strcmp(part, "clocks")) clocks();
  if (!strcmp(part, "polling")) polling();
  if (!strcmp(part, "random")) random_bytes();
  if (!strcmp(part, "growing")) growing();
  if (!strcmp(part, "raw")) raw();
  if (!strcmp(part, "exit")) {
    printf("buffered until exit");
    exit(42);
  }
  if (!strcmp(part, "return")) return 7;
  if (!strcmp(part, "abort")) abort();
  return 0;
}
