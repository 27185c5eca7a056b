/* Record what a process does to the files of one folder, and let one call of it fail.
 *
 * For tests, by LD_PRELOAD: `disk.py` compiles it and reads the log; `diskdriver.py` calls the disk_* functions, or the
 * environment names folder (DISKFAULTS_FOLDER) and log (DISKFAULTS_LOG). It stands between the program and the kernel, so
 * that SQLite's own calls are seen as well as Python's. Calls pass through unchanged but for the one that is to fail, and
 * for syncs, which are only recorded. The log is in the order of the calls; a disk is simulated from it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, CLOSE, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, MARK };
enum { FILES = 4096 };

struct record { /* little-endian, unpadded: "<BBHiiqI" */
    uint8_t call, has_succeeded;
    uint16_t name_bytes;
    int32_t process, file;
    int64_t number; /* offset, length or flags */
    uint32_t data_bytes;
} __attribute__((packed));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static int log_file = -1;
static char *names[FILES]; /* of the open files of the folder */

static struct {
    int call, left, error, is_short;
    char ending[64];
} fault;
static int fired, counts[MARK + 1];

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int);
static int (*real_unlink)(const char *), (*real_rename)(const char *, const char *);

/* Other libraries may be set up before this one, and open files in that. */
static void find_real(void)
{
    if (real_rename)
        return;
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
}

static int ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), wanted = strlen(ending);
    return length >= wanted && strcmp(text + length - wanted, ending) == 0;
}

/* The shared index beside a WAL is left out: nobody reads it after a power cut. */
static int is_watched(const char *path)
{
    find_real();
    return log_file >= 0 && strncmp(path, folder, strlen(folder)) == 0 && !ends_with(path, "-shm");
}

static const char *name_of(int file)
{
    find_real();
    return log_file >= 0 && file >= 0 && file < FILES ? names[file] : NULL;
}

static void record(int call, int has_succeeded, const char *name, int file, int64_t number, const void *data, size_t bytes)
{
    struct record head = {call, has_succeeded, strlen(name), getpid(), file, number, bytes};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)name, head.name_bytes}, {(void *)data, bytes}};
    if (writev(log_file, parts, 3) < 0) /* one call: several processes append */
        abort();
}

/* Count a call, and tell whether it is the one that is to fail. */
static int is_due(int call, const char *name)
{
    if (fault.call != call || !ends_with(name, fault.ending))
        return 0;
    counts[call]++;
    if (fault.left == 0 || --fault.left != 0)
        return 0;
    fired = 1;
    return 1;
}

void disk_watch(const char *path, const char *log)
{
    find_real();
    snprintf(folder, sizeof folder, "%s", path);
    log_file = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

__attribute__((constructor)) static void watch_as_told(void)
{
    const char *path = getenv("DISKFAULTS_FOLDER"), *log = getenv("DISKFAULTS_LOG");
    if (path && log)
        disk_watch(path, log);
}

void disk_fault(int call, int nth, int error, int is_short, const char *ending)
{
    fault.call = call, fault.left = nth, fault.error = error, fault.is_short = is_short;
    snprintf(fault.ending, sizeof fault.ending, "%s", ending);
    fired = counts[call] = 0;
}

int disk_has_failed(void) { return fired; }

int disk_count(int call) { return counts[call]; }

void disk_mark(const char *text)
{
    pthread_mutex_lock(&lock);
    record(MARK, 1, "", -1, 0, text, strlen(text));
    pthread_mutex_unlock(&lock);
}

static int open_any(const char *path, int flags, mode_t mode)
{
    int file;
    if (!is_watched(path))
        return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    if (is_due(OPEN, path)) {
        file = -1;
        errno = fault.error;
    } else {
        file = real_open(path, flags, mode);
        if (file >= 0 && file < FILES) {
            names[file] = strdup(path);
            record(OPEN, 1, path, file, flags, NULL, 0);
        }
    }
    pthread_mutex_unlock(&lock);
    return file;
}

static mode_t mode_of(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; }

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return open_any(path, flags, mode);
}

int close(int file)
{
    const char *name = name_of(file);
    if (name) {
        pthread_mutex_lock(&lock);
        record(CLOSE, 1, name, file, 0, NULL, 0);
        names[file] = NULL; /* its text is leaked: a test's process is short */
        pthread_mutex_unlock(&lock);
    }
    return real_close(file);
}

static ssize_t write_at(int file, const void *data, size_t bytes, off_t offset)
{
    const char *name = name_of(file);
    if (!name)
        return real_pwrite(file, data, bytes, offset);
    pthread_mutex_lock(&lock);
    ssize_t done;
    int error = 0;
    if (is_due(WRITE, name)) {
        done = -1;
        error = fault.error;
        if (fault.is_short && bytes > 1) {
            done = real_pwrite(file, data, bytes / 2, offset);
            fault.left = 1, fault.is_short = 0; /* what is left over is refused */
        }
    } else {
        done = real_pwrite(file, data, bytes, offset);
    }
    if (done > 0)
        record(WRITE, 1, name, file, offset, data, done);
    pthread_mutex_unlock(&lock);
    if (done < 0 && error)
        errno = error;
    return done;
}

ssize_t pwrite(int file, const void *data, size_t bytes, off_t offset) { return write_at(file, data, bytes, offset); }

ssize_t pwrite64(int file, const void *data, size_t bytes, off64_t offset) { return write_at(file, data, bytes, offset); }

ssize_t write(int file, const void *data, size_t bytes)
{
    const char *name = name_of(file);
    off_t at = name ? lseek(file, 0, SEEK_CUR) : 0;
    if (!name)
        return real_write(file, data, bytes);
    ssize_t done = write_at(file, data, bytes, at);
    if (done > 0)
        lseek(file, at + done, SEEK_SET);
    return done;
}

static int cut(int file, off_t length)
{
    const char *name = name_of(file);
    if (!name)
        return real_ftruncate(file, length);
    pthread_mutex_lock(&lock);
    int code = -1;
    if (is_due(TRUNCATE, name))
        errno = fault.error;
    else if ((code = real_ftruncate(file, length)) == 0)
        record(TRUNCATE, 1, name, file, length, NULL, 0);
    pthread_mutex_unlock(&lock);
    return code;
}

int ftruncate(int file, off_t length) { return cut(file, length); }

int ftruncate64(int file, off64_t length) { return cut(file, length); }

static int sync_by(int (*call)(int), int file)
{
    const char *name = name_of(file);
    if (!name)
        return call(file);
    pthread_mutex_lock(&lock);
    int code = is_due(SYNC, name) ? -1 : 0; /* the disk is simulated: nothing need go to the real one */
    record(SYNC, code == 0, name, file, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    if (code)
        errno = fault.error;
    return code;
}

int fsync(int file) { return sync_by(real_fsync, file); }

int fdatasync(int file) { return sync_by(real_fdatasync, file); }

int unlink(const char *path)
{
    if (!is_watched(path))
        return real_unlink(path);
    pthread_mutex_lock(&lock);
    int code = -1;
    if (is_due(UNLINK, path))
        errno = fault.error;
    else if ((code = real_unlink(path)) == 0)
        record(UNLINK, 1, path, -1, 0, NULL, 0);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return code;
}

int rename(const char *from, const char *to)
{
    if (!is_watched(from))
        return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int code = -1;
    if (is_due(RENAME, from))
        errno = fault.error;
    else if ((code = real_rename(from, to)) == 0)
        record(RENAME, 1, from, -1, 0, to, strlen(to));
    pthread_mutex_unlock(&lock);
    return code;
}
