//go:build cgo && duckdb_arrow

#include "displaced.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What is used of DuckDB's C API, as duckdb.h declares it. The header is in another module, out of a compiler's reach.
// The symbols are weak, so that this package can be compiled without the library, which the program is linked with.
#define API __attribute__((weak))

typedef uint64_t idx_t;

typedef struct {
	idx_t deprecated[3];
	void *columns;
	char *message;
	void *internal;
} duckdb_result;

API int duckdb_connect(void *database, void **connection);
API void duckdb_disconnect(void **connection);
API int duckdb_query(void *connection, const char *query, duckdb_result *result);
API const char *duckdb_result_error(duckdb_result *result);
API void duckdb_destroy_result(duckdb_result *result);
API void *duckdb_fetch_chunk(duckdb_result result);
API void duckdb_destroy_data_chunk(void **chunk);
API idx_t duckdb_data_chunk_get_size(void *chunk);
API void *duckdb_data_chunk_get_vector(void *chunk, idx_t column);
API void *duckdb_vector_get_data(void *vector);
API void *duckdb_scalar_function_bind_get_extra_info(void *info);
API void *duckdb_scalar_function_bind_get_argument(void *info, idx_t index);
API void duckdb_scalar_function_bind_set_error(void *info, const char *error);
API void duckdb_scalar_function_set_bind_data(void *info, void *data, void (*destroy)(void *));
API void duckdb_scalar_function_set_bind_data_copy(void *info, void *(*copy)(void *));
API void *duckdb_scalar_function_get_bind_data(void *info);
API void duckdb_scalar_function_get_client_context(void *info, void **context);
API void duckdb_destroy_client_context(void **context);
API bool duckdb_expression_is_foldable(void *expression);
API void *duckdb_expression_fold(void *context, void *expression, void **value);
API void duckdb_destroy_expression(void **expression);
API bool duckdb_error_data_has_error(void *data);
API void duckdb_destroy_error_data(void **data);
API char *duckdb_get_varchar(void *value);
API void duckdb_destroy_value(void **value);
API void duckdb_free(void *memory);

// positions is a set of row numbers, a bit each. The copies of a plan share one.
typedef struct {
	atomic_long owners;
	uint64_t rows; // that the bits are enough for
	uint64_t *bits;
} positions;

static void *share(void *given) {
	atomic_fetch_add(&((positions *)given)->owners, 1);
	return given;
}

static void drop(void *given) {
	positions *set = given;
	if (atomic_fetch_sub(&set->owners, 1) == 1) {
		free(set->bits);
		free(set);
	}
}

// A statement is planned several times, so the last sets that were read are kept, unless they are large. Files do not
// change: what a query returned it would return again.
#define KEPT 16
#define MOST_ROWS_KEPT ((uint64_t)16 << 20) // their bits take 2 MB

typedef struct {
	char *query;
	positions *set;
} kept;

// instance is the database that a function is registered in; NULL once that is being closed.
typedef struct {
	pthread_mutex_t lock;
	void *database;
	kept list[KEPT];
	int next; // in the list
} instance;

void *displaced_instance(void *database) {
	instance *own = calloc(1, sizeof(instance));
	if (own != NULL) {
		pthread_mutex_init(&own->lock, NULL);
		own->database = database;
	}
	return own;
}

void displaced_closing(void *given) {
	instance *own = given;
	pthread_mutex_lock(&own->lock);
	own->database = NULL;
	pthread_mutex_unlock(&own->lock);
}

static void forget(kept *one) {
	if (one->query != NULL) {
		free(one->query);
		drop(one->set);
	}
	one->query = NULL;
}

void displaced_free(void *given) {
	instance *own = given;
	for (int i = 0; i < KEPT; i++) {
		forget(&own->list[i]);
	}
	pthread_mutex_destroy(&own->lock);
	free(own);
}

// find returns the set that a query has returned before, which the caller drops; NULL if it is not kept.
static positions *find(instance *own, const char *query) {
	positions *set = NULL;
	pthread_mutex_lock(&own->lock);
	for (int i = 0; i < KEPT && set == NULL; i++) {
		if (own->list[i].query != NULL && strcmp(own->list[i].query, query) == 0) {
			set = share(own->list[i].set);
		}
	}
	pthread_mutex_unlock(&own->lock);
	return set;
}

static void keep(instance *own, const char *query, positions *set) {
	char *copy = set->rows > MOST_ROWS_KEPT ? NULL : strdup(query);
	if (copy == NULL) {
		return;
	}
	pthread_mutex_lock(&own->lock);
	forget(&own->list[own->next]);
	own->list[own->next] = (kept){copy, share(set)};
	own->next = (own->next + 1) % KEPT;
	pthread_mutex_unlock(&own->lock);
}

// connect_to opens a connection to the instance. An open one keeps the instance alive, so there is none between binds.
static void *connect_to(instance *own) {
	void *connection = NULL;
	pthread_mutex_lock(&own->lock);
	if (own->database != NULL && duckdb_connect(own->database, &connection) != 0) {
		connection = NULL;
	}
	pthread_mutex_unlock(&own->lock);
	return connection;
}

static bool reserve(positions *set, uint64_t rows) {
	if (rows <= set->rows) {
		return true;
	}
	if (rows < 2 * set->rows) {
		rows = 2 * set->rows;
	}
	rows = (rows + 63) & ~(uint64_t)63;
	uint64_t *bits = realloc(set->bits, rows / 8);
	if (bits == NULL) {
		return false;
	}
	memset((char *)bits + set->rows / 8, 0, (rows - set->rows) / 8);
	set->bits = bits;
	set->rows = rows;
	return true;
}

// farthest is beyond every row of a file: its bits take 512 MB.
static const int64_t farthest = (int64_t)1 << 32;

// add adds a chunk of row numbers to a set.
static bool add(positions *set, void *chunk) {
	const int64_t *rows = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
	for (idx_t i = 0, n = duckdb_data_chunk_get_size(chunk); i < n; i++) {
		if (rows[i] < 0 || rows[i] >= farthest || !reserve(set, (uint64_t)rows[i] + 1)) {
			return false;
		}
		set->bits[rows[i] >> 6] |= (uint64_t)1 << (rows[i] & 63);
	}
	return true;
}

static void fail(void *info, const char *reason) {
	char message[4096];
	snprintf(message, sizeof(message), "%s%s", DISPLACED_FAILED, reason);
	duckdb_scalar_function_bind_set_error(info, message);
}

// read_into runs a query with one column of row numbers.
static bool read_into(void *info, positions *set, void *connection, const char *query) {
	duckdb_result result;
	bool ok = duckdb_query(connection, query, &result) == 0;
	if (!ok) {
		fail(info, duckdb_result_error(&result));
	}
	for (void *chunk; ok && (chunk = duckdb_fetch_chunk(result)) != NULL; duckdb_destroy_data_chunk(&chunk)) {
		if (!(ok = add(set, chunk))) {
			fail(info, "Invalid Error: a position is out of range, or there is no memory for it");
		}
	}
	duckdb_destroy_result(&result);
	return ok;
}

// argument returns the constant text that is an argument, which the caller frees; NULL if it is not constant.
static char *argument(void *info, idx_t index) {
	void *context = NULL, *expression = duckdb_scalar_function_bind_get_argument(info, index), *value = NULL;
	char *text = NULL;
	duckdb_scalar_function_get_client_context(info, &context);
	if (duckdb_expression_is_foldable(expression)) {
		void *error = duckdb_expression_fold(context, expression, &value);
		if (!duckdb_error_data_has_error(error)) {
			text = duckdb_get_varchar(value);
			duckdb_destroy_value(&value);
		}
		duckdb_destroy_error_data(&error);
	}
	duckdb_destroy_expression(&expression);
	duckdb_destroy_client_context(&context);
	return text;
}

// read_from returns the set that a query returns, which the caller drops; NULL where it fails.
static positions *read_from(void *info, instance *own, const char *query) {
	void *connection = connect_to(own);
	positions *set = calloc(1, sizeof(positions));
	if (connection == NULL || set == NULL) {
		fail(info, "Invalid Error: no connection or memory");
		free(set);
		set = NULL;
	} else {
		set->owners = 1;
		if (!read_into(info, set, connection, query)) {
			drop(set);
			set = NULL;
		}
	}
	if (connection != NULL) {
		duckdb_disconnect(&connection);
	}
	return set;
}

void displaced_bind(void *info) {
	instance *own = duckdb_scalar_function_bind_get_extra_info(info);
	char *query = argument(info, 1);
	if (query == NULL) {
		fail(info, "Invalid Error: the query is not a constant");
		return;
	}
	positions *set = find(own, query);
	if (set == NULL && (set = read_from(info, own, query)) != NULL) {
		keep(own, query, set);
	}
	if (set != NULL) {
		duckdb_scalar_function_set_bind_data(info, set, drop);
		duckdb_scalar_function_set_bind_data_copy(info, share);
	}
	duckdb_free(query);
}

void displaced_run(void *info, void *input, void *output) {
	const positions *set = duckdb_scalar_function_get_bind_data(info);
	const int64_t *rows = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0));
	bool *live = duckdb_vector_get_data(output);
	for (idx_t i = 0, n = duckdb_data_chunk_get_size(input); i < n; i++) {
		uint64_t row = (uint64_t)rows[i];
		live[i] = row >= set->rows || !(set->bits[row >> 6] >> (row & 63) & 1);
	}
}
