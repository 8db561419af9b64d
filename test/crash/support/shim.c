/*
 * Injects faults into the file calls of a process: counts calls by kind of file and of call, and at the
 * n-th one kills or stops the process, fails the call, skips it, delays it or writes only half.
 * Loaded with LD_PRELOAD. The plan is in a small mapped file: see shim.ts for its fields.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FILES, CALLS, NTH, ACT, ERRNO, TIMES, DELAY_MS, MATCHED, HIT, FIELDS };
enum { DB = 1, WAL = 2, MARK = 4, SHM = 8, JSON = 16, LOCK = 32, OTHER = 64 };
enum { WRITE = 1, SYNC = 2, TRUNCATE = 4, REMOVE = 8, RENAME = 16, OPEN = 32 };
enum { GO, KILL, FAIL, PRETEND, DELAY, HALF, STOP };

static volatile int32_t *plan;
static const char *root;
static size_t root_length;

__attribute__((constructor)) static void load(void) {
  const char *path = getenv("THROUGHLINE_FAULTS");
  root = getenv("THROUGHLINE_FAULTS_IN");
  if (!path || !root) return;
  root_length = strlen(root);
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  void *mapped = mmap(0, FIELDS * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) plan = mapped;
}

static int ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

static int kind_of_path(const char *path) {
  if (strncmp(path, root, root_length) != 0) return 0;
  if (ends_with(path, "/throughline.db")) return DB;
  if (ends_with(path, "/throughline.db-wal")) return WAL;
  if (ends_with(path, "/throughline.db-shm")) return SHM;
  if (strstr(path, "/high-water")) return MARK;
  if (strstr(path, "/throughline.json")) return JSON;
  if (strstr(path, "/owner.")) return LOCK;
  return OTHER;
}

static int kind_of_fd(int fd) {
  char link[64], path[4096];
  const char digits[] = "0123456789";
  char number[16];
  int at = 15;
  unsigned left = (unsigned)fd;
  number[at] = 0;
  do number[--at] = digits[left % 10]; while ((left /= 10) > 0);
  strcpy(link, "/proc/self/fd/");
  strcat(link, number + at);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return kind_of_path(path);
}

/* What is to be done with this call. */
static int decide(int call, int kind) {
  if (!plan || plan[NTH] <= 0 || !(plan[CALLS] & call) || !(plan[FILES] & kind)) return GO;
  int matched = __atomic_add_fetch(&plan[MATCHED], 1, __ATOMIC_SEQ_CST);
  if (matched < plan[NTH]) return GO;
  if (plan[TIMES] >= 0 && matched >= plan[NTH] + plan[TIMES]) return GO;
  __atomic_add_fetch(&plan[HIT], 1, __ATOMIC_SEQ_CST);
  if (plan[ACT] == KILL) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  if (plan[ACT] == STOP) {
    plan[NTH] = 0;
    kill(getpid(), SIGSTOP);
    return GO;
  }
  if (plan[ACT] == DELAY) {
    struct timespec time = {plan[DELAY_MS] / 1000, (plan[DELAY_MS] % 1000) * 1000000L};
    while (nanosleep(&time, &time) != 0 && errno == EINTR);
    return GO;
  }
  if (plan[ACT] == FAIL || plan[ACT] == HALF) errno = plan[ERRNO];
  return plan[ACT];
}

static int decide_fd(int call, int fd) {
  if (!plan || plan[NTH] <= 0 || !(plan[CALLS] & call)) return GO;
  return decide(call, kind_of_fd(fd));
}

static int decide_path(int call, const char *path) {
  if (!plan || plan[NTH] <= 0 || !(plan[CALLS] & call)) return GO;
  return decide(call, kind_of_path(path));
}

#define REAL(type, name, ...)                                          \
  static type (*real)(__VA_ARGS__);                                    \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(ssize_t, "write", int, const void *, size_t);
  int act = decide_fd(WRITE, fd);
  if (act == FAIL) return -1;
  if (act == PRETEND) return (ssize_t)count;
  return real(fd, bytes, act == HALF ? count / 2 : count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  int act = decide_fd(WRITE, fd);
  if (act == FAIL) return -1;
  if (act == PRETEND) return (ssize_t)count;
  return real(fd, bytes, act == HALF ? count / 2 : count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  int act = decide_fd(WRITE, fd);
  if (act == FAIL) return -1;
  if (act == PRETEND) return (ssize_t)count;
  return real(fd, bytes, act == HALF ? count / 2 : count, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  return decide_fd(WRITE, fd) == FAIL ? -1 : real(fd, parts, count);
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  int act = decide_fd(SYNC, fd);
  return act == FAIL ? -1 : act == PRETEND ? 0 : real(fd);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  int act = decide_fd(SYNC, fd);
  return act == FAIL ? -1 : act == PRETEND ? 0 : real(fd);
}

int ftruncate(int fd, off_t length) {
  REAL(int, "ftruncate", int, off_t);
  return decide_fd(TRUNCATE, fd) == FAIL ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
  REAL(int, "ftruncate64", int, off64_t);
  return decide_fd(TRUNCATE, fd) == FAIL ? -1 : real(fd, length);
}

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  return decide_path(REMOVE, path) == FAIL ? -1 : real(path);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return decide_path(RENAME, to) == FAIL ? -1 : real(from, to);
}

static mode_t mode_in(int flags, va_list rest) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
  REAL(int, "open", const char *, int, ...);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return decide_path(OPEN, path) == FAIL ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  REAL(int, "open64", const char *, int, ...);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return decide_path(OPEN, path) == FAIL ? -1 : real(path, flags, mode);
}
