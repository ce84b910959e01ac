/* What plug-ins export, and what they may call. */
#define EXPORT(name) __attribute__((export_name(#name)))
#define IMPORT(name) __attribute__((import_module("shop"), import_name(#name)))

IMPORT(say) void say(const char *text);
