/* WAMR's pthread library: a program of many parts, each with its own way to use threads. */

typedef unsigned pthread_t, pthread_mutex_t, pthread_cond_t, pthread_key_t;

int printf(const char *, ...);
int strcmp(const char *, const char *);
void exit(int);
int pthread_create(pthread_t *, const void *, void *(*)(void *), void *);
int pthread_join(pthread_t, void **);
int pthread_detach(pthread_t);
int pthread_cancel(pthread_t);
pthread_t pthread_self(void);
void pthread_exit(void *);
int pthread_mutex_init(pthread_mutex_t *, const void *);
int pthread_mutex_lock(pthread_mutex_t *);
int pthread_mutex_unlock(pthread_mutex_t *);
int pthread_mutex_destroy(pthread_mutex_t *);
int pthread_cond_init(pthread_cond_t *, const void *);
int pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *);
int pthread_cond_timedwait(pthread_cond_t *, pthread_mutex_t *, unsigned long long);
int pthread_cond_signal(pthread_cond_t *);
int pthread_cond_broadcast(pthread_cond_t *);
int pthread_key_create(pthread_key_t *, void (*)(void *));
int pthread_setspecific(pthread_key_t, const void *);
void *pthread_getspecific(pthread_key_t);
int pthread_key_delete(pthread_key_t);
int sem_open(const char *, int, int, int);
int sem_wait(int);
int sem_trywait(int);
int sem_post(int);
int sem_getvalue(int, int *);
int sem_close(int);
int sem_unlink(const char *);

enum { THREADS = 4, ROUNDS = 2000 };
static pthread_t threads[THREADS];
static pthread_mutex_t mutex;
static pthread_cond_t condition;
static int counter, filled, semaphore;

/* -- a counter, and stacks: each thread has an array of its own -------------------------------- */

static void *count(void *argument)
{
    volatile int own[100];
    for (int i = 0; i < 100; i++)
        own[i] = (int)argument;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter += own[i % 100];
        pthread_mutex_unlock(&mutex);
    }
    return (void *)((int)argument * 10);
}

static void counting(void)
{
    pthread_mutex_init(&mutex, 0);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], 0, count, (void *)(i + 1)))
            printf("thread %d was not created\n", i);
    int sum = 0;
    for (int i = 0; i < THREADS; i++) {
        void *value = 0;
        int error = pthread_join(threads[i], &value);
        sum += (int)value + error;
    }
    printf("counted %d, joined %d, destroyed %d\n", counter, sum, pthread_mutex_destroy(&mutex));
    printf("joined again: %d\n", pthread_join(threads[0], 0));
}

/* -- producer and consumers ------------------------------------------------------------------- */

static void *consume(void *argument)
{
    int taken = 0;
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (filled == 0)
            pthread_cond_wait(&condition, &mutex);
        int last = filled < 0;
        if (!last)
            filled--;
        pthread_mutex_unlock(&mutex);
        if (last)
            pthread_exit((void *)taken);
        taken++;
    }
}

static void producing(void)
{
    pthread_mutex_init(&mutex, 0);
    pthread_cond_init(&condition, 0);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], 0, consume, 0);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        filled++;
        pthread_cond_signal(&condition);
        pthread_mutex_unlock(&mutex);
    }
    for (int empty = 0; !empty;) {
        pthread_mutex_lock(&mutex);
        empty = filled == 0;
        if (empty)
            filled = -1;
        pthread_mutex_unlock(&mutex);
    }
    pthread_cond_broadcast(&condition);
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        void *taken;
        pthread_join(threads[i], &taken);
        sum += (int)taken;
    }
    pthread_mutex_lock(&mutex);
    printf("consumed %d, timed out %d\n", sum, pthread_cond_timedwait(&condition, &mutex, 2000));
}

/* -- values of threads ------------------------------------------------------------------------ */

static pthread_key_t key;

static void destroy(void *value)
{
    pthread_mutex_lock(&mutex);
    counter += (int)value;
    pthread_mutex_unlock(&mutex);
}

static void *keep(void *value)
{
    pthread_setspecific(key, value);
    return pthread_getspecific(key) == value ? (void *)(pthread_self() != 1) : 0;
}

static void keeping(void)
{
    printf("key: %d, ", pthread_key_create(&key, destroy));
    pthread_setspecific(key, (void *)99);
    int right = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], 0, keep, (void *)(i + 1));
    for (int i = 0; i < 3; i++) {
        void *value;
        pthread_join(threads[i], &value);
        right += (int)value;
    }
    printf("right: %d, own: %d, destroyed: %d, ", right, (int)pthread_getspecific(key), counter);
    printf("deleted: %d %d\n", pthread_key_delete(key), pthread_key_delete(key));
}

/* -- semaphores ------------------------------------------------------------------------------- */

static void *post(void *argument)
{
    for (int i = 0; i < 100; i++)
        sem_post(semaphore);
    return 0;
}

static void signalling(void)
{
    int missing = sem_open("/missing", 0, 0, 0), value;
    semaphore = sem_open("/count", 1 << 12, 0600, 1);
    pthread_create(&threads[0], 0, post, 0);
    for (int i = 0; i < 101; i++)
        sem_wait(semaphore);
    pthread_join(threads[0], 0);
    sem_getvalue(semaphore, &value);
    printf("missing %d, same %d, ", missing, sem_open("/count", 0, 0, 0) == semaphore);
    printf("value %d, try %d, ", value, sem_trywait(semaphore));
    int unlinked = sem_unlink("/count");
    printf("unlink %d %d, ", unlinked, sem_unlink("/count"));
    int closed = sem_close(semaphore);
    printf("close %d %d\n", closed, sem_close(semaphore));
}

/* -- how threads and programs end ------------------------------------------------------------- */

static void *spin(void *argument)
{
    for (;;)
        __asm__ volatile("");
}

static void *sleep_forever(void *argument)
{
    pthread_mutex_lock(&mutex);
    pthread_cond_wait(&condition, &mutex);
    return 0;
}

static void *trap(void *argument) { __builtin_trap(); }

static void *leave(void *argument)
{
    exit(42);
    return 0;
}

static void *report(void *argument)
{
    printf("the other thread goes on\n");
    return 0;
}

static void cancelling(void)
{
    void *values[2];
    pthread_create(&threads[0], 0, spin, 0);
    pthread_create(&threads[1], 0, sleep_forever, 0);
    for (int i = 0; i < 2; i++) {
        pthread_cancel(threads[i]);
        pthread_join(threads[i], &values[i]);
    }
    printf("cancelled: %d %d, ", (int)values[0], (int)values[1]);
    pthread_create(&threads[2], 0, report, 0);
    printf("itself: %d, nobody: %d\n", pthread_join(pthread_self(), 0), pthread_cancel(999));
    pthread_join(threads[2], 0);
}

static void with(void *(*function)(void *))
{
    pthread_create(&threads[0], 0, spin, 0);
    pthread_create(&threads[1], 0, sleep_forever, 0);
    pthread_create(&threads[2], 0, function, 0);
    pthread_join(threads[0], 0);
    printf("never here\n");
}

static void limit(void)
{
    int made = 0, error;
    while (!(error = pthread_create(&threads[0], 0, spin, 0)))
        made++;
    printf("made %d, then %d\n", made, error);
}

int main(int argc, char **argv)
{
    const char *part = argv[1];
    if (!strcmp(part, "counting"))
        counting();
    else if (!strcmp(part, "producing"))
        producing();
    else if (!strcmp(part, "keeping"))
        keeping();
    else if (!strcmp(part, "signalling"))
        signalling();
    else if (!strcmp(part, "cancelling"))
        cancelling();
    else if (!strcmp(part, "trap"))
        with(trap);
    else if (!strcmp(part, "leave"))
        with(leave);
    else if (!strcmp(part, "limit"))
        limit();
    else if (!strcmp(part, "exit")) {
        pthread_create(&threads[0], 0, report, 0);
        pthread_exit(0);
    }
    return 0;
}
