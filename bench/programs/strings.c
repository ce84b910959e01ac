/* String work: words are made, joined, split, reversed, searched and counted. */
#include "bench.h"

#define TEXT 40000
#define BUCKETS 4096

static char text[TEXT + 64], scratch[TEXT + 64];

struct word {
    const char *start;
    uint32_t length, count;
};

static struct word words[BUCKETS];

static void write_text(uint32_t *random)
{
    static const char *const syllables[] = {"wa", "sm", "mo", "te", "ri", "ka", "lu", "no"};
    size_t length = 0;
    while (length < TEXT) {
        for (uint32_t parts = 1 + next_random(random) % 3; parts > 0; parts--) {
            const char *syllable = syllables[next_random(random) % 8];
            strcpy(text + length, syllable);
            length += strlen(syllable);
        }
        text[length++] = ' ';
    }
    text[length] = 0;
}

static uint64_t count_words(const char *p)
{
    uint64_t most = 0;
    memset(words, 0, sizeof words);
    while (*p) {
        const char *start = p;
        uint32_t hash = 5381;
        while (*p && *p != ' ')
            hash = hash * 33 + (unsigned char)*p++;
        uint32_t length = (uint32_t)(p - start), i = hash % BUCKETS;
        while (words[i].start &&
               (words[i].length != length || memcmp(words[i].start, start, length) != 0))
            i = (i + 1) % BUCKETS;
        words[i].start = start;
        words[i].length = length;
        if (++words[i].count > most)
            most = words[i].count;
        while (*p == ' ')
            p++;
    }
    return most;
}

static void reverse_words_in_capitals(void)
{
    size_t end = strlen(text), out = 0;
    while (end > 0) {
        size_t start = end;
        while (start > 0 && text[start - 1] != ' ')
            start--;
        for (size_t i = start; i < end; i++)
            scratch[out++] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
        scratch[out++] = ' ';
        end = start > 0 ? start - 1 : 0;
    }
    scratch[out] = 0;
}

static uint32_t count_matches(const char *haystack, const char *needle)
{
    uint32_t count = 0;
    for (; *haystack; haystack++) {
        const char *h = haystack, *n = needle;
        while (*n && *h == *n)
            h++, n++;
        count += !*n;
    }
    return count;
}

int main(int argc, char **argv)
{
    uint32_t random = 31337;
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--) {
        write_text(&random);
        checksum = mix(checksum, count_words(text));
        reverse_words_in_capitals();
        checksum = mix(checksum, count_matches(scratch, "WASMO"));
        checksum = mix(checksum, (uint64_t)(strstr(scratch, "TERIKALU") != NULL));
        checksum = mix(checksum, strcmp(text, scratch) > 0);
    }
    return finish(checksum);
}
