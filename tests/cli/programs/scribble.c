// Reads argv[1], writes to it and to a new file beside it, and reads what is there then.

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void show(const char *path) {
  char line[80] = "";
  FILE *file = fopen(path, "r");
  if (file) fgets(line, sizeof line, file), fclose(file);
  printf("%s|", file ? line : strerror(errno));
}

static void scribble(const char *path) {
  FILE *file = fopen(path, "w");
  if (file) fputs("changed", file), fclose(file);
  printf("%s|", file ? "written" : strerror(errno));
}

int main(int argc, char **argv) {
  char beside[80];
  snprintf(beside, sizeof beside, "%s.new", argv[1]);
  show(argv[1]);
  scribble(argv[1]);
  scribble(beside);
  show(argv[1]);
  show(beside);
  return 0;
}
