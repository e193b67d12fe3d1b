#include <stdbool.h>
#include <stdint.h>

// What begins the error of a bind, before the error of the query that failed.
#define DISPLACED_FAILED "displaced positions: "

void *displaced_instance(void *database);
void displaced_closing(void *instance);
void displaced_free(void *instance);
void displaced_bind(void *info);
void displaced_run(void *info, void *input, void *output);
