/* A parser: JSON text is written, then read back by recursive descent. */
#include "bench.h"

#define TEXT (256 * 1024)

static char text[TEXT + 4096];
static size_t length;

static void put(const char *s)
{
    while (*s)
        text[length++] = *s++;
}

static void put_number(uint32_t n)
{
    char digits[12];
    int i = sizeof digits - 1;
    digits[i] = 0;
    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    put(digits + i);
}

static void write_record(uint32_t *random, int depth)
{
    put("{\"id\": ");
    put_number(next_random(random) % 1000000);
    put(", \"name\": \"sensor \\\"");
    put_number(next_random(random) % 100);
    put("\\\" \\u00b0C\", \"on\": ");
    put(next_random(random) & 1 ? "true" : "false");
    put(", \"values\": [");
    for (uint32_t i = next_random(random) % 6; i > 0; i--) {
        put(next_random(random) & 1 ? "-" : "");
        put_number(next_random(random) % 1000);
        put(".");
        put_number(next_random(random) % 1000);
        put(i > 1 ? "e1, " : "");
    }
    put("], \"next\": ");
    if (depth > 0)
        write_record(random, depth - 1);
    else
        put("null");
    put("}");
}

struct parser {
    const char *p;
    uint64_t checksum;
};

static void fail(const struct parser *s)
{
    fprintf(stderr, "bad JSON at %d\n", (int)(s->p - text));
    exit(1);
}

static void skip_space(struct parser *s)
{
    while (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r')
        s->p++;
}

static void expect(struct parser *s, const char *literal)
{
    while (*literal)
        if (*s->p++ != *literal++)
            fail(s);
}

static void parse_string(struct parser *s)
{
    expect(s, "\"");
    uint32_t hash = 0;
    while (*s->p != '"') {
        if (*s->p == 0)
            fail(s);
        if (*s->p == '\\')
            s->p++;
        hash = hash * 31 + (unsigned char)*s->p++;
    }
    s->p++;
    s->checksum = mix(s->checksum, hash);
}

static void parse_number(struct parser *s)
{
    double sign = 1, value = 0, scale = 1;
    if (*s->p == '-')
        sign = -1, s->p++;
    if (*s->p < '0' || *s->p > '9')
        fail(s);
    while (*s->p >= '0' && *s->p <= '9')
        value = value * 10 + (*s->p++ - '0');
    if (*s->p == '.')
        for (s->p++; *s->p >= '0' && *s->p <= '9'; s->p++)
            value += (*s->p - '0') * (scale /= 10);
    if (*s->p == 'e') {
        int exponent = 0;
        for (s->p++; *s->p >= '0' && *s->p <= '9'; s->p++)
            exponent = exponent * 10 + (*s->p - '0');
        while (exponent-- > 0)
            value *= 10;
    }
    s->checksum = mix_double(s->checksum, sign * value);
}

static void parse_value(struct parser *s);

/* The members of an object or the elements of an array, after its opening bracket. */
static void parse_members(struct parser *s, char close, int keyed)
{
    skip_space(s);
    if (*s->p == close) {
        s->p++;
        return;
    }
    for (;;) {
        skip_space(s);
        if (keyed) {
            parse_string(s);
            skip_space(s);
            expect(s, ":");
        }
        parse_value(s);
        skip_space(s);
        if (*s->p == close) {
            s->p++;
            return;
        }
        expect(s, ",");
    }
}

static void parse_value(struct parser *s)
{
    skip_space(s);
    switch (*s->p) {
    case '{': s->p++; parse_members(s, '}', 1); break;
    case '[': s->p++; parse_members(s, ']', 0); break;
    case '"': parse_string(s); break;
    case 't': expect(s, "true"); s->checksum = mix(s->checksum, 1); break;
    case 'f': expect(s, "false"); s->checksum = mix(s->checksum, 2); break;
    case 'n': expect(s, "null"); s->checksum = mix(s->checksum, 3); break;
    default: parse_number(s);
    }
}

int main(int argc, char **argv)
{
    uint32_t random = 555;
    struct parser state = {text, 0};
    put("[");
    while (length < TEXT - 4096) {
        write_record(&random, 4);
        put(",\n");
    }
    put("null]");
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        state.p = text;
        parse_value(&state);
    }
    return finish(state.checksum);
}
