// The attempt log as bitmaps: one of row numbers for each value of key, pass, app, video, success and address prefix, and the
// combinations of filters that `attempt-load ask` asks, answered with AND and OR of them. For the comparison in
// docs/benchmarks.md; nothing of Playhouse uses it.
//
//   apt-get install libroaring-dev jq
//   cc -O3 -march=native -o /tmp/bitmaps Benchmarks/bitmaps/bitmaps.c -lroaring
//   attempt-load make /tmp/log 10000000
//   attempt-load ask /tmp/log 5 --json > /tmp/ask.txt
//   grep '^{' /tmp/ask.txt > /tmp/questions.txt
//   jq -r '[.key, .pass, .app, .video, .ip, (if .success == null then null elif .success then 1 else 0 end), .count, .name]
//       | map(if . == null then "-" else tostring end) | @tsv' /tmp/questions.txt > /tmp/questions.tsv
//   attempt-load csv 10000000 | /tmp/bitmaps /tmp/questions.tsv
//
// In favour of the bitmaps: row numbers have 32 bits, all of them lie in memory, rows come once and in order, values are found in
// a hash table that is not counted, nothing is written to a disk, and a page is row numbers without their texts. An answer is the
// sum of repeats, as that of `sevu.errorcount`, from six more bitmaps, one for each bit of them.

#include <arpa/inet.h>
#include <malloc.h>
#include <roaring/roaring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPEAT_BITS = 6, TIMES = 5, PAGE = 25 };

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

// MARK: Values

// What a bitmap is of: a column, and a number or the hash of a text.
enum column { KEY, PASS, APP, VIDEO, SUCCESS, V4, V6, COLUMNS };

struct value {
    uint64_t hash;
    roaring_bitmap_t *rows;
    uint8_t column, bits;
    char *text;
};

static struct value *table;
static uint64_t table_size, value_count;

static uint64_t mixed(uint64_t value) {
    value *= 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    return value ^ value >> 31;
}

static uint64_t hash_of(const char *text) {
    uint64_t hash = 0xcbf29ce484222325;
    while (*text) hash = (hash ^ (uint8_t)*text++) * 0x100000001b3;
    return mixed(hash);
}

static struct value *find(enum column column, int bits, uint64_t hash) {
    hash = mixed(hash + (uint64_t)column * 256 + bits);
    uint64_t place = hash & (table_size - 1);
    while (table[place].hash && table[place].hash != hash) place = (place + 1) & (table_size - 1);
    table[place].hash = hash;
    return &table[place];
}

static struct value *named[1024];
static int named_count;

static roaring_bitmap_t *bitmap(enum column column, int bits, uint64_t hash, const char *text) {
    struct value *value = find(column, bits, hash);
    if (!value->rows) {
        value->rows = roaring_bitmap_create();
        value->column = column;
        value->bits = bits;
        value_count++;
        if (value_count * 2 > table_size) {
            fprintf(stderr, "too many values\n");
            exit(1);
        }
        if (text && named_count < 1024) {
            value->text = strdup(text);
            named[named_count++] = value;
        }
    }
    return value->rows;
}

// MARK: Addresses

// The levels of prefixes that have bitmaps.
static const int v4_levels[] = {8, 16, 24, 32}, v6_levels[] = {32, 48, 64, 128};

// The hash of an address's first bits.
static uint64_t prefix(const uint8_t *bytes, int bits) {
    uint64_t hash = bits;
    for (int index = 0; index < bits; index += 8) hash = hash * 0x100000001b3 + bytes[index / 8] + 1;
    return hash;
}

// MARK: Rows

static roaring_bitmap_t *everything, *repeat_bits[REPEAT_BITS];
static uint32_t row_count;

// key, pass, app, video, and so on: the lines of `attempt-load csv`, kept as hashes until they are put into bitmaps.
struct row {
    uint64_t key, pass;
    uint8_t address[16];
    uint8_t is_v6, app, video, success, repeats;
};

static struct row *rows;
static char *apps[16], *videos[256];
static int app_count, video_count;

static int number_of(char **names, int *count, const char *name) {
    for (int index = 0; index < *count; index++)
        if (!strcmp(names[index], name)) return index;
    names[*count] = strdup(name);
    return (*count)++;
}

static void read_rows(void) {
    size_t room = 1 << 20;
    rows = malloc(room * sizeof *rows);
    char *line = NULL;
    size_t length = 0;
    while (getline(&line, &length, stdin) > 0) {
        char *fields[10], *rest = line;
        for (int index = 0; index < 10; index++) fields[index] = strsep(&rest, "\t\n");
        if (row_count == room) rows = realloc(rows, (room *= 2) * sizeof *rows);
        struct row *row = &rows[row_count++];
        memset(row, 0, sizeof *row);
        row->key = hash_of(fields[2]);
        row->pass = hash_of(fields[3]);
        row->is_v6 = strchr(fields[4], ':') != NULL;
        inet_pton(row->is_v6 ? AF_INET6 : AF_INET, fields[4], row->address);
        row->app = number_of(apps, &app_count, fields[5]);
        row->video = number_of(videos, &video_count, fields[6]);
        row->success = fields[7][0] == '1';
        row->repeats = atoi(fields[9]);
    }
    free(line);
}

static void build(void) {
    everything = roaring_bitmap_create();
    for (int bit = 0; bit < REPEAT_BITS; bit++) repeat_bits[bit] = roaring_bitmap_create();
    for (uint32_t number = 0; number < row_count; number++) {
        const struct row *row = &rows[number];
        roaring_bitmap_add(everything, number);
        roaring_bitmap_add(bitmap(KEY, 0, row->key, NULL), number);
        roaring_bitmap_add(bitmap(PASS, 0, row->pass, NULL), number);
        roaring_bitmap_add(bitmap(APP, 0, row->app + 1, apps[row->app]), number);
        roaring_bitmap_add(bitmap(VIDEO, 0, row->video + 1, videos[row->video]), number);
        roaring_bitmap_add(bitmap(SUCCESS, 0, row->success + 1, NULL), number);
        for (int level = 0; level < 4; level++) {
            int bits = (row->is_v6 ? v6_levels : v4_levels)[level];
            roaring_bitmap_add(bitmap(row->is_v6 ? V6 : V4, bits, prefix(row->address, bits), NULL), number);
        }
        for (int bit = 0, more = row->repeats - 1; bit < REPEAT_BITS; bit++)
            if (more >> bit & 1) roaring_bitmap_add(repeat_bits[bit], number);
    }
}

// MARK: Questions

static bool matches(const char *pattern, const char *text) {
    if (*pattern == '*') return matches(pattern + 1, text) || (*text && matches(pattern, text + 1));
    return *pattern == *text && (!*text || matches(pattern + 1, text + 1));
}

// Bitmaps that a question ANDs, those that were made for it apart.
struct operands {
    const roaring_bitmap_t *all[8];
    roaring_bitmap_t *made[8];
    int count, made_count;
};

static const roaring_bitmap_t *none;

static void also(struct operands *operands, const roaring_bitmap_t *bitmap) {
    operands->all[operands->count++] = bitmap ? bitmap : none;
}

static void also_any(struct operands *operands, const roaring_bitmap_t **some, size_t count) {
    if (count < 2) {
        also(operands, count ? some[0] : none);
        return;
    }
    roaring_bitmap_t *any = roaring_bitmap_or_many(count, some);
    operands->made[operands->made_count++] = any;
    also(operands, any);
}

static void also_named(struct operands *operands, enum column column, const char *pattern) {
    const roaring_bitmap_t *some[1024];
    size_t count = 0;
    for (int index = 0; index < named_count; index++)
        if (named[index]->column == column && matches(pattern, named[index]->text)) some[count++] = named[index]->rows;
    also_any(operands, some, count);
}

static const roaring_bitmap_t *bitmap_or_null(enum column column, int bits, uint64_t hash) {
    struct value *value = find(column, bits, hash);
    return value->rows;
}

static void also_network(struct operands *operands, const char *text) {
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text);
    char *slash = strchr(copy, '/');
    if (slash) *slash = 0;
    bool is_v6 = strchr(copy, ':') != NULL;
    uint8_t address[16] = {0};
    inet_pton(is_v6 ? AF_INET6 : AF_INET, copy, address);
    int bits = slash ? atoi(slash + 1) : is_v6 ? 128 : 32;
    const int *levels = is_v6 ? v6_levels : v4_levels;
    int level = 0;
    while (levels[level] < bits) level++;
    // All prefixes of the next level that lie in the network.
    int more = levels[level] - bits;
    const roaring_bitmap_t **some = malloc(sizeof *some << more);
    size_t count = 0;
    for (uint32_t low = 0; low < 1u << more; low++) {
        uint8_t member[16];
        memcpy(member, address, 16);
        for (int bit = 0; bit < more; bit++) {
            int place = levels[level] - 1 - bit;
            member[place / 8] = (member[place / 8] & ~(0x80 >> place % 8)) | (low >> bit & 1 ? 0x80 >> place % 8 : 0);
        }
        const roaring_bitmap_t *known = bitmap_or_null(is_v6 ? V6 : V4, levels[level], prefix(member, levels[level]));
        if (known) some[count++] = known;
    }
    also_any(operands, some, count);
    free(some);
}

struct question {
    char *fields[8];
    long expected;
};

// The rows that a question means: to be freed.
static roaring_bitmap_t *answer(const struct question *question) {
    struct operands operands = {.count = 0};
    char *const *fields = question->fields;
    if (strcmp(fields[0], "-")) also(&operands, bitmap_or_null(KEY, 0, hash_of(fields[0])));
    if (strcmp(fields[1], "-")) also(&operands, bitmap_or_null(PASS, 0, hash_of(fields[1])));
    if (strcmp(fields[2], "-")) also_named(&operands, APP, fields[2]);
    if (strcmp(fields[3], "-")) also_named(&operands, VIDEO, fields[3]);
    if (strcmp(fields[4], "-")) also_network(&operands, fields[4]);
    if (strcmp(fields[5], "-")) also(&operands, bitmap_or_null(SUCCESS, 0, atoi(fields[5]) + 1));
    // The smallest first, so that what is ANDed is small.
    for (int one = 1; one < operands.count; one++)
        for (int other = one; other > 0; other--) {
            const roaring_bitmap_t *left = operands.all[other - 1], *right = operands.all[other];
            if (roaring_bitmap_get_cardinality(left) <= roaring_bitmap_get_cardinality(right)) break;
            operands.all[other - 1] = right;
            operands.all[other] = left;
        }
    roaring_bitmap_t *result = operands.count == 0   ? roaring_bitmap_copy(everything)
                               : operands.count == 1 ? roaring_bitmap_copy(operands.all[0])
                                                     : roaring_bitmap_and(operands.all[0], operands.all[1]);
    for (int index = 2; index < operands.count; index++) roaring_bitmap_and_inplace(result, operands.all[index]);
    for (int index = 0; index < operands.made_count; index++) roaring_bitmap_free(operands.made[index]);
    return result;
}

static long count(const struct question *question) {
    roaring_bitmap_t *result = answer(question);
    long sum = roaring_bitmap_get_cardinality(result);
    for (int bit = 0; bit < REPEAT_BITS; bit++) sum += (long)roaring_bitmap_and_cardinality(result, repeat_bits[bit]) << bit;
    roaring_bitmap_free(result);
    return sum;
}

static uint32_t page[PAGE];

static int list(const struct question *question, uint64_t seek) {
    roaring_bitmap_t *result = answer(question);
    uint64_t size = roaring_bitmap_get_cardinality(result);
    int found = 0;
    uint32_t first;
    if (size > seek && roaring_bitmap_select(result, size - 1 - seek, &first)) {
        roaring_uint32_iterator_t place;
        roaring_init_iterator_last(result, &place);
        roaring_move_uint32_iterator_equalorlarger(&place, first);
        while (found < PAGE && place.has_value) {
            page[found++] = place.current_value;
            roaring_previous_uint32_iterator(&place);
        }
    }
    roaring_bitmap_free(result);
    return found;
}

static int compare(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static void report(const char *name, double *times, size_t count) {
    qsort(times, count, sizeof *times, compare);
    printf("%s: p50 %.3f ms, p99 %.3f ms, worst %.3f ms\n", name, times[count / 2], times[count * 99 / 100], times[count - 1]);
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!file) {
        fprintf(stderr, "attempt-load csv ROWS | bitmaps QUESTIONS.tsv\n");
        return 2;
    }
    none = roaring_bitmap_create();
    struct question *questions = calloc(100000, sizeof *questions);
    int question_count = 0;
    char *line = NULL;
    size_t length = 0;
    while (question_count < 100000 && getline(&line, &length, file) > 0) {
        char *rest = strdup(line);
        for (int index = 0; index < 8; index++) questions[question_count].fields[index] = strsep(&rest, "\t\n");
        questions[question_count].expected = atol(questions[question_count].fields[6]);
        question_count++;
    }
    read_rows();
    for (table_size = 1 << 16; table_size < 6ul * row_count; table_size *= 2) {}
    table = calloc(table_size, sizeof *table);

    size_t heap = mallinfo2().uordblks;
    double begin = now(CLOCK_PROCESS_CPUTIME_ID);
    build();
    double building = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
    size_t before = mallinfo2().uordblks - heap, portable = 0;
    begin = now(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t place = 0; place < table_size; place++)
        if (table[place].rows) {
            roaring_bitmap_run_optimize(table[place].rows);
            roaring_bitmap_shrink_to_fit(table[place].rows);
            portable += roaring_bitmap_portable_size_in_bytes(table[place].rows);
        }
    for (int bit = 0; bit < REPEAT_BITS; bit++) portable += roaring_bitmap_portable_size_in_bytes(repeat_bits[bit]);
    printf("%u rows, %lu bitmaps: %.0f ns of CPU a row to add, %.0f more to pack all of them\n", row_count,
           (unsigned long)value_count, building * 1e6 / row_count,
           (now(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e6 / row_count);
    printf("bytes a row: %.1f in memory while rows are added, %.1f in memory packed, %.1f as a file\n",
           (double)before / row_count, (double)(mallinfo2().uordblks - heap) / row_count, (double)portable / row_count);

    double *times = malloc(sizeof *times * question_count * TIMES);
    int different = 0;
    size_t measured = 0;
    for (int round = 0; round < TIMES; round++)
        for (int index = 0; index < question_count; index++) {
            begin = now(CLOCK_MONOTONIC);
            long sum = count(&questions[index]);
            times[measured++] = now(CLOCK_MONOTONIC) - begin;
            if (round == 0 && sum != questions[index].expected && different++ < 5)
                printf("  differs: %s: %ld, expected %ld\n", questions[index].fields[7], sum, questions[index].expected);
        }
    printf("%d questions, %d answers differ\n", question_count, different);
    report("counts", times, measured);
    for (uint64_t seek = 0; seek <= 100000; seek += 100000) {
        measured = 0;
        for (int index = 0; index < question_count; index++) {
            begin = now(CLOCK_MONOTONIC);
            list(&questions[index], seek);
            times[measured++] = now(CLOCK_MONOTONIC) - begin;
        }
        report(seek ? "25 rows from 100000" : "25 rows from 0", times, measured);
    }
    return 0;
}
