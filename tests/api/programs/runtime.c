/* Native functions that call WAMR's runtime, as its samples do. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef void *wasm_exec_env_t, *wasm_module_inst_t, *wasm_function_inst_t;
typedef struct {
    const char *symbol;
    void *func_ptr;
    const char *signature;
    void *attachment;
} NativeSymbol;

wasm_module_inst_t wasm_runtime_get_module_inst(wasm_exec_env_t);
void *wasm_runtime_get_function_attachment(wasm_exec_env_t);
void *wasm_runtime_get_user_data(wasm_exec_env_t);
void wasm_runtime_set_user_data(wasm_exec_env_t, void *);
void *wasm_runtime_get_custom_data(wasm_module_inst_t);
void wasm_runtime_set_custom_data(wasm_module_inst_t, void *);
void wasm_runtime_set_exception(wasm_module_inst_t, const char *);
const char *wasm_runtime_get_exception(wasm_module_inst_t);
void wasm_runtime_clear_exception(wasm_module_inst_t);
bool wasm_runtime_validate_app_addr(wasm_module_inst_t, uint64_t, uint64_t);
bool wasm_runtime_validate_app_str_addr(wasm_module_inst_t, uint64_t);
bool wasm_runtime_validate_native_addr(wasm_module_inst_t, void *, uint64_t);
void *wasm_runtime_addr_app_to_native(wasm_module_inst_t, uint64_t);
uint64_t wasm_runtime_addr_native_to_app(wasm_module_inst_t, void *);
bool wasm_runtime_get_app_addr_range(wasm_module_inst_t, uint64_t, uint64_t *, uint64_t *);
bool wasm_runtime_get_native_addr_range(wasm_module_inst_t, uint8_t *, uint8_t **, uint8_t **);
uint64_t wasm_runtime_module_malloc(wasm_module_inst_t, uint64_t, void **);
void wasm_runtime_module_free(wasm_module_inst_t, uint64_t);
uint64_t wasm_runtime_module_dup_data(wasm_module_inst_t, const char *, uint64_t);
wasm_function_inst_t wasm_runtime_lookup_function(wasm_module_inst_t, const char *);
bool wasm_runtime_call_wasm(wasm_exec_env_t, wasm_function_inst_t, uint32_t, uint32_t *);
bool wasm_runtime_call_indirect(wasm_exec_env_t, uint32_t, uint32_t, uint32_t *);
void *wasm_runtime_malloc(uint32_t);
void *wasm_runtime_realloc(void *, uint32_t);
void wasm_runtime_free(void *);

/* What a pointer in the program's memory leads to, all by itself. */
static int first(wasm_exec_env_t env, int offset)
{
    wasm_module_inst_t inst = wasm_runtime_get_module_inst(env);
    if (!wasm_runtime_validate_app_addr(inst, (uint32_t)offset, 4))
        return -1;
    int *place = wasm_runtime_addr_app_to_native(inst, (uint32_t)offset);
    uint64_t start = 9, end = 0;
    uint8_t *low, *high;
    if (wasm_runtime_addr_native_to_app(inst, place) != (uint32_t)offset
        || !wasm_runtime_validate_native_addr(inst, place, 4)
        || !wasm_runtime_get_app_addr_range(inst, (uint32_t)offset, &start, &end)
        || !wasm_runtime_get_native_addr_range(inst, (uint8_t *)place, &low, &high)
        || start != 0 || high - low != end || (uint8_t *)place - low != (uint32_t)offset)
        return -2;
    return *place;
}

static int ranges(wasm_exec_env_t env)
{
    wasm_module_inst_t inst = wasm_runtime_get_module_inst(env);
    int local, wrong = 0;
    wrong += wasm_runtime_addr_app_to_native(inst, 65536) != 0;
    wrong += wasm_runtime_addr_native_to_app(inst, &local) != 0;
    wrong += wasm_runtime_validate_native_addr(inst, &local, 4);
    wrong += strcmp(wasm_runtime_get_exception(inst), "Exception: out of bounds memory access");
    wrong += wasm_runtime_validate_app_str_addr(inst, 65535) != 0;
    wrong += wasm_runtime_validate_app_addr(inst, 1, ~(uint64_t)0);
    wrong += wasm_runtime_get_app_addr_range(inst, 65536, 0, 0);
    wrong += wasm_runtime_get_native_addr_range(inst, (uint8_t *)&local, 0, 0);
    wrong += !wasm_runtime_validate_app_str_addr(inst, 0);
    wasm_runtime_clear_exception(inst);
    return wrong + (wasm_runtime_get_exception(inst) != 0);
}

static int copy(wasm_exec_env_t env, const char *text)
{
    wasm_module_inst_t inst = wasm_runtime_get_module_inst(env);
    void *place = 0;
    uint64_t offset = wasm_runtime_module_malloc(inst, 100, &place);
    if (!offset || place != wasm_runtime_addr_app_to_native(inst, offset))
        return 0;
    wasm_runtime_module_free(inst, offset);
    return wasm_runtime_module_dup_data(inst, text, strlen(text) + 1);
}

static void fail(wasm_exec_env_t env, const char *text)
{
    wasm_runtime_set_exception(wasm_runtime_get_module_inst(env), text);
}

static int counted(wasm_exec_env_t env)
{
    wasm_module_inst_t inst = wasm_runtime_get_module_inst(env);
    char *count = wasm_runtime_get_user_data(env);
    wasm_runtime_set_user_data(env, count + 1);
    wasm_runtime_set_custom_data(inst, wasm_runtime_get_function_attachment(env));
    return (int)(uintptr_t)count + *(int *)wasm_runtime_get_custom_data(inst);
}

static int64_t back(wasm_exec_env_t env, int64_t value)
{
    wasm_function_inst_t twice =
        wasm_runtime_lookup_function(wasm_runtime_get_module_inst(env), "twice");
    uint32_t cells[2];
    memcpy(cells, &value, 8);
    if (!twice || wasm_runtime_lookup_function(wasm_runtime_get_module_inst(env), "twic"))
        return -1;
    if (wasm_runtime_call_wasm(env, twice, 1, cells)) /* too few */
        return -2;
    if (wasm_runtime_call_wasm(env, twice, 2, cells))
        memcpy(&value, cells, 8);
    return value;
}

static int indirect(wasm_exec_env_t env, int place)
{
    uint32_t cell = 20;
    return wasm_runtime_call_indirect(env, place, 1, &cell) ? (int)cell : -1;
}

static int own(wasm_exec_env_t env)
{
    char *place = wasm_runtime_malloc(10);
    strcpy(place, "123456789");
    place = wasm_runtime_realloc(place, 100000);
    int length = strlen(place);
    wasm_runtime_free(place);
    return length;
}

static int attached = 1000;
static NativeSymbol symbols[] = {
    { "first", first, "(i)i", 0 },       { "ranges", ranges, "()i", 0 },
    { "copy", copy, "($)i", 0 },         { "fail", fail, "($)", 0 },
    { "counted", counted, "()i", &attached }, { "back", back, "(I)I", 0 },
    { "indirect", indirect, "(i)i", 0 }, { "own", own, "()i", 0 },
};

uint32_t get_native_lib(char **module_name, NativeSymbol **native_symbols)
{
    *module_name = "env";
    *native_symbols = symbols;
    return sizeof symbols / sizeof *symbols;
}
