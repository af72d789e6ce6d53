/* A power cut, for tests: loaded before the program (LD_PRELOAD), it remembers what was written to files and not synced since.
 * When the cut comes all of that is undone; then of each write, as a disk does that keeps what it had time for, either nothing
 * is written again, or all, or its first sectors; and the process ends.
 *
 * POWER_ROOT  only files below this folder are meant
 * POWER_CUT   the cut comes when this file appears; a number in it is where the dice begin. It is gone when all is undone
 *
 * Another process undoes it, since this one must be dead by then: it looks into files that are about to be cut shorter.
 *
 * What becomes of names (files made, renamed, removed) is as if it had reached the disk at once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512 };

/* A write, or a change of length where nothing was written. */
struct change {
    struct change *earlier, *later;
    dev_t device;
    ino_t file;
    char *path;
    off_t size_before, size_after, offset;
    size_t had, has;
    char *before, *after;
};

static struct change *newest, *oldest;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static char cut[PATH_MAX];
static pid_t program;

static void *the_real(const char *name) { return dlsym(RTLD_NEXT, name); }

/* The path of an open file where it is one of those that are meant. */
static char *path_of(int fd)
{
    char link[64], path[PATH_MAX];
    if (!root) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return NULL;
    path[length] = 0;
    return strncmp(path, root, strlen(root)) ? NULL : strdup(path);
}

/* Takes note of what is about to become of a stretch of a file, which is as long as `size_after` then. */
static void note(int fd, off_t offset, const void *data, size_t length, off_t size_after)
{
    struct stat is;
    char *path = path_of(fd);
    if (!path) return;
    if (fstat(fd, &is) || !S_ISREG(is.st_mode)) { free(path); return; }
    struct change *change = calloc(1, sizeof *change);
    change->device = is.st_dev;
    change->file = is.st_ino;
    change->path = path;
    change->size_before = is.st_size;
    change->size_after = size_after < 0 ? (offset + (off_t)length > is.st_size ? offset + (off_t)length : is.st_size) : size_after;
    change->offset = offset;
    size_t lost = size_after >= 0 && is.st_size > size_after ? (size_t)(is.st_size - size_after) : length;
    if (offset < is.st_size) {
        int reading = open(path, O_RDONLY | O_CLOEXEC);
        change->before = malloc(lost + 1);
        ssize_t had = reading < 0 ? 0 : pread(reading, change->before, lost, offset);
        change->had = had > 0 ? (size_t)had : 0;
        if (reading >= 0) close(reading);
    }
    if (data) {
        change->after = malloc(length + 1);
        memcpy(change->after, data, length);
        change->has = length;
    }
    change->earlier = newest;
    if (newest) newest->later = change; else oldest = change;
    newest = change;
}

/* Forgets what has reached the disk. */
static void forget(int fd)
{
    struct stat is;
    if (fstat(fd, &is)) return;
    for (struct change *change = oldest, *later; change; change = later) {
        later = change->later;
        if (change->device != is.st_dev || change->file != is.st_ino) continue;
        if (change->earlier) change->earlier->later = later; else oldest = later;
        if (later) later->earlier = change->earlier; else newest = change->earlier;
        free(change->path); free(change->before); free(change->after); free(change);
    }
}

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_truncate)(int, off_t);

static void come_to(struct change *change, off_t size, const char *data, size_t length)
{
    struct stat is;
    int fd = open(change->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    /* Another file may have its name by now. */
    if (!fstat(fd, &is) && is.st_ino == change->file) {
        if (length) real_pwrite(fd, data, length, change->offset);
        if (size >= 0) real_truncate(fd, size);
    }
    close(fd);
}

static void undo(unsigned seed)
{
    for (struct change *change = newest; change; change = change->earlier)
        come_to(change, change->size_before, change->before, change->had);
    for (struct change *change = oldest; change; change = change->later) {
        size_t sectors = change->has / SECTOR;
        switch (rand_r(&seed) % 3) {
        case 0: break;
        case 1: come_to(change, change->after ? -1 : change->size_after, change->after, change->has); break;
        case 2: if (sectors) come_to(change, -1, change->after, SECTOR * (rand_r(&seed) % sectors)); break;
        }
    }
}

static void *wait_for_the_cut(void *nothing)
{
    while (access(cut, F_OK)) usleep(500);
    pthread_mutex_lock(&lock);
    /* From here on nothing is written any more. */
    if (fork() == 0) {
        unsigned seed = 1;
        FILE *file = fopen(cut, "r");
        if (file) { if (fscanf(file, "%u", &seed) != 1) seed = 1; fclose(file); }
        while (getppid() == program) usleep(200);
        undo(seed);
        unlink(cut);
        _exit(0);
    }
    kill(program, SIGKILL);
    return nothing;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t waiting;
    const char *file = getenv("POWER_CUT");
    root = getenv("POWER_ROOT");
    if (!root || !file) { root = NULL; return; }
    strncpy(cut, file, sizeof cut - 1);
    program = getpid();
    real_pwrite = the_real("pwrite64");
    real_truncate = the_real("ftruncate64");
    pthread_create(&waiting, NULL, wait_for_the_cut, NULL);
}

static ssize_t write_at(int fd, const void *data, size_t length, off_t offset)
{
    pthread_mutex_lock(&lock);
    note(fd, offset, data, length, -1);
    ssize_t written = (real_pwrite ? real_pwrite : (ssize_t (*)(int, const void *, size_t, off_t))the_real("pwrite64"))(fd, data, length, offset);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return write_at(fd, data, length, offset); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return write_at(fd, data, length, offset); }

ssize_t write(int fd, const void *data, size_t length)
{
    static ssize_t (*call)(int, const void *, size_t);
    if (!call) call = the_real("write");
    off_t offset = root ? lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR) : -1;
    if (offset < 0) return call(fd, data, length);
    pthread_mutex_lock(&lock);
    note(fd, offset, data, length, -1);
    ssize_t written = call(fd, data, length);
    pthread_mutex_unlock(&lock);
    return written;
}

static int cut_to(int fd, off_t size)
{
    pthread_mutex_lock(&lock);
    note(fd, size, NULL, 0, size);
    int done = (real_truncate ? real_truncate : (int (*)(int, off_t))the_real("ftruncate64"))(fd, size);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) { return cut_to(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut_to(fd, size); }

static int sync_with(int fd, const char *name)
{
    pthread_mutex_lock(&lock);
    int done = ((int (*)(int))the_real(name))(fd);
    if (!done) forget(fd);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return sync_with(fd, "fsync"); }
int fdatasync(int fd) { return sync_with(fd, "fdatasync"); }
