/* A thread, a condition and a semaphore, by WAMR's lib-pthread. */
typedef unsigned pthread_t, pthread_mutex_t, pthread_cond_t;

int printf(const char *format, ...);
int pthread_create(pthread_t *thread, const void *attributes, void *(*start)(void *), void *);
int pthread_join(pthread_t thread, void **result);
int pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes);
int pthread_mutex_lock(pthread_mutex_t *mutex);
int pthread_mutex_unlock(pthread_mutex_t *mutex);
int pthread_cond_init(pthread_cond_t *condition, const void *attributes);
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int pthread_cond_signal(pthread_cond_t *condition);
int sem_open(const char *name, int flags, int mode, int value);
int sem_wait(int semaphore);
int sem_post(int semaphore);

static pthread_mutex_t mutex;
static pthread_cond_t condition;
static int semaphore;

static void *thread(void *argument)
{
    int *num = argument;
    pthread_mutex_lock(&mutex);
    printf("thread start\n");
    for (int i = 0; i < 10; i++)
        printf("num: %d\n", ++*num);
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    sem_post(semaphore);
    return 0;
}

__attribute__((export_name("main"))) int app(void)
{
    static int num;
    pthread_t id;
    pthread_mutex_init(&mutex, 0);
    pthread_cond_init(&condition, 0);
    semaphore = sem_open("example", 0100, 0600, 0);
    pthread_mutex_lock(&mutex);
    if (pthread_create(&id, 0, thread, &num))
        return 1;
    printf("cond wait start\n");
    while (num < 10)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    printf("cond wait success.\n");
    if (!sem_wait(semaphore))
        printf("sem wait success.\n");
    return pthread_join(id, 0);
}
