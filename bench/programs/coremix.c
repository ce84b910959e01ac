/* The mix of work that microcontroller benchmarks favour: a linked list that is searched, sorted
 * and reversed, small integer matrices, and a state machine that reads numbers; each result goes
 * through a 16-bit CRC. */
#include "bench.h"

#define NODES 60
#define SIDE 10

struct node {
    struct node *next;
    int16_t key, value;
};

static uint16_t crc16(uint16_t crc, uint16_t word)
{
    for (int bit = 0; bit < 16; bit++, word >>= 1) {
        uint16_t carry = (crc ^ word) & 1;
        crc >>= 1;
        if (carry)
            crc ^= 0xa001;
    }
    return crc;
}

static struct node *reverse(struct node *list)
{
    struct node *result = NULL;
    while (list) {
        struct node *next = list->next;
        list->next = result;
        result = list;
        list = next;
    }
    return result;
}

static struct node *find(struct node *list, int16_t key)
{
    while (list && list->key != key)
        list = list->next;
    return list;
}

typedef int order(const struct node *, const struct node *);

static struct node *merge(struct node *a, struct node *b, order *before)
{
    struct node head, *tail = &head;
    while (a && b) {
        struct node **least = before(b, a) ? &b : &a;
        tail = tail->next = *least;
        *least = (*least)->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

static struct node *sort(struct node *list, order *before)
{
    struct node *slow = list, *fast = list;
    if (!list || !list->next)
        return list;
    while ((fast = fast->next) && (fast = fast->next))
        slow = slow->next;
    struct node *second = slow->next;
    slow->next = NULL;
    return merge(sort(list, before), sort(second, before), before);
}

static int by_key(const struct node *a, const struct node *b) { return a->key < b->key; }
static int by_value(const struct node *a, const struct node *b) { return a->value < b->value; }

static uint16_t list_work(uint16_t crc, uint16_t seed)
{
    static struct node nodes[NODES];
    struct node *list = NULL;
    for (int16_t i = 0; i < NODES; i++) {
        nodes[i].key = (int16_t)((i * 7 + seed) % NODES);
        nodes[i].value = (int16_t)((i * 31 ^ seed) & 0xff);
        nodes[i].next = list;
        list = &nodes[i];
    }
    for (int16_t key = 0; key < NODES; key += 3) {
        struct node *found = find(list, key);
        crc = crc16(crc, found ? (uint16_t)found->value : 0);
        list = reverse(list);
    }
    list = sort(list, by_value);
    crc = crc16(crc, (uint16_t)list->value);
    list = sort(list, by_key);
    return crc16(crc, (uint16_t)list->next->key);
}

static uint16_t matrix_work(uint16_t crc, int16_t seed)
{
    static int16_t a[SIDE][SIDE], b[SIDE][SIDE];
    static int32_t c[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            a[i][j] = (int16_t)(seed + i * j);
            b[i][j] = (int16_t)(seed * i - j);
        }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int32_t sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = (sum >> 2 & 0xf) * (sum >> 5 & 0x7f);
        }
    for (int i = 0; i < SIDE; i++)
        crc = crc16(crc, (uint16_t)(c[i][SIDE - 1 - i] + c[0][i]));
    return crc;
}

enum state {
    START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, SCIENTIFIC, INVALID, STATES
};

static enum state next_state(enum state state, char c)
{
    int digit = c >= '0' && c <= '9', sign = c == '+' || c == '-';
    switch (state) {
    case START: return digit ? INTEGER : sign ? SIGN : c == '.' ? POINT : INVALID;
    case SIGN: return digit ? INTEGER : c == '.' ? POINT : INVALID;
    case INTEGER: return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case POINT: return digit ? FRACTION : INVALID;
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case EXPONENT: return digit ? SCIENTIFIC : sign ? EXPONENT_SIGN : INVALID;
    case EXPONENT_SIGN: return digit ? SCIENTIFIC : INVALID;
    case SCIENTIFIC: return digit ? SCIENTIFIC : INVALID;
    default: return INVALID;
    }
}

static uint16_t state_work(uint16_t crc, uint16_t seed)
{
    static const char *const samples[] = {"5012",      "-87.4", "+.155",    "3e8",
                                          "-6.02e+23", "1.-1",  "T0.3e-1F", "0x20"};
    uint16_t visits[STATES] = {0};
    for (int i = 0; i < 16; i++) {
        enum state state = START;
        for (const char *p = samples[(i + seed) & 7]; *p && state != INVALID; p++) {
            state = next_state(state, *p);
            visits[state]++;
        }
        visits[state] += 3;
    }
    for (int i = 0; i < STATES; i++)
        crc = crc16(crc, visits[i]);
    return crc;
}

int main(int argc, char **argv)
{
    uint16_t crc = 0xffff;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        crc = list_work(crc, (uint16_t)(n & 63));
        crc = matrix_work(crc, (int16_t)(crc & 15));
        crc = state_work(crc, crc);
    }
    return finish(crc);
}
