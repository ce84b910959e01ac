// Ordinary programs over the C library: compiled for WASI and for the machine, they print the same.
// argv[1] picks the part.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void report(const char *what, long long result) {
  printf("%s: %lld %s\n", what, result, result < 0 ? strerror(errno) : "");
}

static void create(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  report(path, write(fd, text, strlen(text)));
  close(fd);
}

static void show(const char *path) {
  struct stat st;
  if (lstat(path, &st)) {
    printf("%s: %s\n", path, strerror(errno));
    return;
  }
  const char *kind = S_ISDIR(st.st_mode) ? "directory" : S_ISLNK(st.st_mode) ? "link" : "file";
  long long size = S_ISDIR(st.st_mode) ? 0 : st.st_size;
  printf("%s: %s of %lld, %ld links\n", path, kind, size, S_ISDIR(st.st_mode) ? 0 : (long)st.st_nlink);
}

// -- walking directories

static int walk(const char *path, int depth) {
  struct dirent **entries;
  int count = scandir(path, &entries, NULL, alphasort), found = 0;
  if (count < 0) {
    printf("%*s%s: %s\n", depth, "", path, strerror(errno));
    return 0;
  }
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    if (strcmp(name, ".") && strcmp(name, "..")) {
      char below[512];
      snprintf(below, sizeof below, "%s/%s", path, name);
      struct stat st;
      lstat(below, &st);
      printf("%*s%s type %d/%d\n", depth, "", name, entries[i]->d_type == DT_DIR, S_ISDIR(st.st_mode));
      found += 1 + (S_ISDIR(st.st_mode) ? walk(below, depth + 1) : 0);
    }
    free(entries[i]);
  }
  free(entries);
  return found;
}

static void walking(void) {
  char path[300];
  for (int i = 0; i < 12; i++) {
    snprintf(path, sizeof path, "d%d", i % 4);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "d%d/sub%d", i % 4, i);
    report(path, mkdir(path, 0755));
    for (int j = 0; j < 40; j++) {
      snprintf(path, sizeof path, "d%d/sub%d/%0*d.txt", i % 4, i, 1 + j % 5 * 30, j);
      close(open(path, O_CREAT | O_WRONLY, 0644));
    }
  }
  symlink("d1", "link-to-directory");
  symlink("nowhere", "dangling");
  mkdir("ünïcode", 0755);
  create("ünïcode/日本", "text");
  printf("%d entries\n", walk(".", 0));
  walk("d0/missing", 0);
  walk("ünïcode/日本", 0);

  // Positions, and what comes after files were removed.
  DIR *dir = opendir("d0/sub0");
  long places[100];
  char names[100][256];
  int count = 0;
  struct dirent *entry;
  for (;;) {
    places[count] = telldir(dir);
    if (!(entry = readdir(dir))) break;
    strcpy(names[count++], entry->d_name);
  }
  report("entries", count);
  for (int i = count - 1; i >= 0; i -= 7) {
    seekdir(dir, places[i]);
    entry = readdir(dir);
    report("found again", entry && !strcmp(entry->d_name, names[i]));
  }
  rewinddir(dir);
  int removed = 0;
  while ((entry = readdir(dir)))
    if (entry->d_name[0] != '.') removed += !unlinkat(dirfd(dir), entry->d_name, 0);
  report("removed", removed);
  closedir(dir);
  report("rmdir", rmdir("d0/sub0"));
  errno = 0;
  dir = opendir("d1");
  while (readdir(dir)) {}
  report("end of directory", errno);
  closedir(dir);
}

// -- renaming

static void move(const char *from, const char *to) {
  int result = rename(from, to);
  printf("rename %s %s: %s\n", from, to, result ? strerror(errno) : "done");
}

static void renaming(void) {
  create("a", "A");
  create("b", "BB");
  mkdir("empty", 0755);
  mkdir("empty2", 0755);
  mkdir("full", 0755);
  create("full/x", "x");
  symlink("a", "link");
  link("a", "hard");
  move("a", "a");
  move("a", "hard");
  show("a");
  move("a", "b");
  show("b");
  move("missing", "c");
  move("b", "empty");
  move("empty", "b");
  move("empty", "empty2");
  move("empty2", "full");
  move("full", "empty2");
  show("empty2/x");
  move("empty2", "empty2/inside");
  move("empty2", "empty2");
  move("b", "nowhere/b");
  move("b", "empty2/x/b");
  move("b", "new/");
  move("b/", "new");
  move("empty2", "directory/");
  show("directory");
  move("link", "moved-link");
  show("moved-link");
  move("b", "moved-link");
  show("moved-link");
  move("directory/.", "x");
  int one = open("directory", O_RDONLY | O_DIRECTORY);
  report("renameat", renameat(one, "x", AT_FDCWD, "out"));
  close(one);
  walk(".", 0);
}

// -- large files

static void large(void) {
  char buffer[16] = {0};
  const long long giga = 1ll << 30;
  int fd = open("sparse", O_CREAT | O_RDWR | O_TRUNC, 0644);
  report("seek", lseek(fd, 5 * giga + 3, SEEK_SET));
  report("write", write(fd, "far", 3));
  report("pwrite", pwrite(fd, "near", 4, 4 * giga - 2));
  report("size", lseek(fd, 0, SEEK_END));
  report("pread", pread(fd, buffer, 8, 4 * giga - 4));
  printf("%d %d %.4s %d %d\n", buffer[0], buffer[1], buffer + 2, buffer[6], buffer[7]);
  report("hole", pread(fd, buffer, 4, 3 * giga));
  printf("%d\n", buffer[0] | buffer[1] | buffer[2] | buffer[3]);
  report("back", lseek(fd, -giga, SEEK_CUR));
  report("before", lseek(fd, -9 * giga, SEEK_CUR));
  report("truncate", ftruncate(fd, 6 * giga));
  struct stat st;
  fstat(fd, &st);
  report("size", st.st_size);
  report("few blocks", st.st_blocks < 1000);
  close(fd);
  FILE *file = fopen("sparse", "r+");
  report("fseeko", fseeko(file, 5 * giga + 3, SEEK_SET));
  report("fread", fread(buffer, 1, 3, file));
  printf("%.3s\n", buffer);
  report("ftello", ftello(file));
  report("end", fseeko(file, -1, SEEK_END));
  report("putc", putc('!', file));
  report("ftello", ftello(file));
  fclose(file);
  report("stat", stat("sparse", &st));
  report("size", st.st_size);
  report("allocate", posix_fallocate(fd = open("room", O_CREAT | O_RDWR, 0644), 100, 5000));
  fstat(fd, &st);
  report("room", st.st_size);
  report("truncate", truncate("room", 10));
  fstat(fd, &st);
  report("room", st.st_size);
}

// -- waiting

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static void waiting(void) {
  char buffer[100];
  fd_set reading, writing;
  FD_ZERO(&reading);
  FD_ZERO(&writing);
  FD_SET(0, &reading);
  FD_SET(1, &writing);
  struct timeval second = {1, 0};
  report("select", select(2, &reading, &writing, NULL, &second));
  printf("%d %d\n", FD_ISSET(0, &reading) != 0, FD_ISSET(1, &writing) != 0);
  report("read", read(0, buffer, 5));
  report("read", read(0, buffer, 100));
  long long before = now();
  struct timeval soon = {0, 30000};
  report("timeout", select(0, NULL, NULL, NULL, &soon));
  report("waited", now() - before >= 30 && now() - before < 5000);
  before = now();
  report("poll", poll(NULL, 0, 20));
  report("waited", now() - before >= 20 && now() - before < 5000);
  FD_ZERO(&reading);
  FD_SET(0, &reading);
  second.tv_sec = 1;
  report("at the end", select(1, &reading, NULL, NULL, &second));
  report("read", read(0, buffer, 100));
  static struct pollfd many[200];
  for (int i = 0; i < 200; i++) {
    char name[20];
    sprintf(name, "f%d", i);
    many[i].fd = open(name, O_CREAT | O_RDWR, 0644);
    many[i].events = i % 2 ? POLLIN : POLLOUT;
  }
  report("many", poll(many, 200, 1000));
  int ready = 0;
  for (int i = 0; i < 200; i++) ready += many[i].revents == many[i].events;
  report("ready", ready);
  struct pollfd bad = {500, POLLIN, 0};
  report("bad", poll(&bad, 1, 0));
  printf("%d\n", bad.revents == POLLNVAL);
  struct timespec moment = {0, 10000000};
  report("nanosleep", nanosleep(&moment, NULL));
  struct timespec when;
  clock_gettime(CLOCK_MONOTONIC, &when);
  when.tv_nsec += 15000000;
  if (when.tv_nsec >= 1000000000) when.tv_sec++, when.tv_nsec -= 1000000000;
  report("until", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL));
}

// -- times of day

static void zones(void) {
  const long long moments[] = {0, 1, 951782400, 1079300000, 1700000000, -1, -86400 * 365ll, 4102444800,
                               253402300799};
  char text[200];
  for (unsigned i = 0; i < sizeof moments / sizeof *moments; i++) {
    time_t t = moments[i];
    struct tm *tm = gmtime(&t);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %j %a %U %W %G-%V %y %p %I", tm);
    printf("%s %s", text, asctime(tm));
    printf("timegm %lld\n", (long long)timegm(tm));
    tm = localtime(&t);
    strftime(text, sizeof text, "%c|%x|%X|%D|%T|%F|%z", tm);
    printf("%s dst %d\n", text, tm->tm_isdst);
    tm->tm_mon += 14;
    tm->tm_mday += 40;
    tm->tm_sec -= 100000;
    printf("mktime %lld\n", (long long)mktime(tm));
    printf("%s", ctime(&t));
  }
  struct tm parsed = {0};
  const char *rest = strptime("2024-02-29 12:34:56", "%Y-%m-%d %H:%M:%S", &parsed);
  report("strptime", rest && !*rest ? timegm(&parsed) : -2);
  report("difftime", (long long)difftime(1000, 3));
}

// -- the rest of files

static void times(const char *path) {
  struct stat st;
  stat(path, &st);
  printf("%s: %lld.%09ld %lld.%09ld\n", path, (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
         (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void attributes(void) {
  create("file", "text");
  struct timespec both[2] = {{1234567890, 123456789}, {987654321, 1}};
  report("utimensat", utimensat(AT_FDCWD, "file", both, 0));
  times("file");
  both[0].tv_nsec = UTIME_OMIT;
  both[1] = (struct timespec){5, 999999999};
  report("omit", utimensat(AT_FDCWD, "file", both, 0));
  times("file");
  both[0].tv_nsec = both[1].tv_nsec = UTIME_NOW;
  report("now", utimensat(AT_FDCWD, "file", both, 0));
  struct stat st;
  stat("file", &st);
  report("now", st.st_mtim.tv_sec > 1700000000);
  report("missing", utimensat(AT_FDCWD, "missing", both, 0));
  symlink("file", "soft");
  both[0] = both[1] = (struct timespec){77, 7};
  report("of the link", utimensat(AT_FDCWD, "soft", both, AT_SYMLINK_NOFOLLOW));
  lstat("soft", &st);
  report("link", st.st_mtim.tv_sec);
  stat("soft", &st);
  report("file", st.st_mtim.tv_sec > 1700000000);
  report("link", link("file", "hard"));
  report("link again", link("file", "hard"));
  report("link of a link", linkat(AT_FDCWD, "soft", AT_FDCWD, "hard2", 0));
  report("through a link", linkat(AT_FDCWD, "soft", AT_FDCWD, "hard3", AT_SYMLINK_FOLLOW));
  show("hard2");
  show("hard3");
  char target[10] = "---------";
  report("readlink", readlink("soft", target, 2));
  printf("%.9s\n", target);
  report("no link", readlink("file", target, 9));
  report("access", access("file", R_OK | W_OK));
  report("access", access("missing", F_OK));
  report("loop", symlink("loop", "loop"));
  report("open a loop", open("loop", O_RDONLY));
  report("nofollow", open("soft", O_RDONLY | O_NOFOLLOW));
  report("not a directory", open("file/x", O_RDONLY));
  report("not a directory", open("file", O_RDONLY | O_DIRECTORY));
  report("a directory", open(".", O_WRONLY));
  report("exclusive", open("file", O_CREAT | O_EXCL | O_WRONLY, 0644));
  report("slash", open("file/", O_RDONLY));
  report("unlink a directory", (mkdir("dir", 0755), unlink("dir")));
  report("remove", remove("dir"));
  report("rmdir a file", rmdir("file"));
  report("rmdir .", rmdir("."));
  report("mkdir", mkdir("soft", 0755));
  report("mkdir", mkdir("dir2/", 0755));
  report("unlinkat", unlinkat(AT_FDCWD, "dir2", AT_REMOVEDIR));
}

static void streams(void) {
  char text[100];
  FILE *file = fopen("s", "w");
  for (int i = 0; i < 3000; i++) fprintf(file, "%d %x %.3f %s\n", i, i * 7, i / 3.0, "line");
  report("position", ftell(file));
  fclose(file);
  file = fopen("s", "a+");
  fgets(text, sizeof text, file);
  printf("%s", text);
  fputs("appended\n", file);
  fseek(file, 0, SEEK_SET);
  fputs("at the end, too\n", file);
  fseek(file, -25, SEEK_END);
  while (fgets(text, sizeof text, file)) printf("%s", text);
  report("eof", feof(file) != 0);
  fclose(file);
  file = fopen("s", "r+");
  fputs("XX", file);
  fseek(file, 0, SEEK_SET);
  ungetc('u', file);
  fgets(text, sizeof text, file);
  printf("%s", text);
  int a, b;
  float c;
  report("fscanf", fscanf(file, "%d %x %f", &a, (unsigned *)&b, &c));
  printf("%d %d %.3f\n", a, b, c);
  file = freopen("s", "r", file);
  report("freopen", file != NULL);
  report("write to a reader", fputc('x', file) == EOF);
  report("error", ferror(file) != 0);
  fclose(file);
  report("exclusive", fopen("s", "wx") == NULL);
  int fd = open("v", O_CREAT | O_RDWR | O_TRUNC, 0644);
  struct iovec out[3] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
  report("writev", writev(fd, out, 3));
  char x[6], y[20];
  struct iovec in[2] = {{x, 6}, {y, 20}};
  report("preadv", preadv(fd, in, 2, 1));
  printf("%.6s|%.6s\n", x, y);
  report("pwritev", pwritev(fd, out + 2, 1, 20));
  report("end", lseek(fd, 0, SEEK_END));
  report("append", fcntl(fd, F_SETFL, O_APPEND));
  report("flags", (fcntl(fd, F_GETFL) & O_APPEND) != 0);
  lseek(fd, 0, SEEK_SET);
  write(fd, "+", 1);
  report("end", lseek(fd, 0, SEEK_CUR));
  close(fd);
  report("closed", write(fd, "x", 1));
  report("closed", close(fd));
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  if (!strcmp(part, "walking")) walking();
  if (!strcmp(part, "renaming")) renaming();
  if (!strcmp(part, "large")) large();
  if (!strcmp(part, "waiting")) waiting();
  if (!strcmp(part, "zones")) zones();
  if (!strcmp(part, "attributes")) attributes();
  if (!strcmp(part, "streams")) streams();
  return 0;
}
