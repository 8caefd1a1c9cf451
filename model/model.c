/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/model.h"

#include "model/check.h"
#include "model/fault.h"
#include "model/path.h"
#include "model/schema.h"

#include <stdlib.h>
#include <string.h>

struct model {
	struct ly_ctx *ctx;
	const struct lys_module *module;
};

/* ---- the schema ---- */

static void take_errors(struct ly_ctx *ctx, struct buf *error)
{
	for (const struct ly_err_item *e = ctx ? ly_err_first(ctx) : NULL; e; e = e->next)
		buf_printf(error, "%s%s%s\n", e->msg, e->path ? " at " : "",
			   e->path ? e->path : "");
	if (ctx)
		ly_err_clean(ctx, NULL);
}

struct model *model_open(const char *yang_dir, bool lab, struct buf *error)
{
	const char *features[] = {lab ? "lab" : NULL, NULL};
	struct model *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	/* Errors are kept for us to put into words; libyang prints none by itself. */
	ly_log_options(LY_LOSTORE);
	if (ly_ctx_new(yang_dir,
		       LY_CTX_NO_YANGLIBRARY | LY_CTX_DISABLE_SEARCHDIR_CWD |
			       LY_CTX_SET_PRIV_PARSED,
		       &m->ctx) != LY_SUCCESS) {
		buf_printf(error, "cannot read the folder of the schema, %s\n", yang_dir);
		goto err;
	}
	m->module = ly_ctx_load_module(m->ctx, "gatepost", NULL, features);
	if (!m->module) {
		buf_printf(error, "cannot load gatepost.yang from %s:\n", yang_dir);
		take_errors(m->ctx, error);
		goto err;
	}
	return m;
err:
	model_close(m);
	return NULL;
}

void model_close(struct model *m)
{
	if (!m)
		return;
	ly_ctx_destroy(m->ctx);
	free(m);
}

const struct lys_module *model_schema(const struct model *m)
{
	return m->module;
}

/* ---- validation ---- */

bool model_agrees(struct model *m, struct lyd_node **conf, struct buf *error)
{
	struct faults faults = {.out = error}, *f = &faults;

	ly_err_clean(m->ctx, NULL);
	if (lyd_validate_module(conf, m->module, 0, NULL) == LY_SUCCESS)
		return true;
	for (const struct ly_err_item *e = ly_err_first(m->ctx); e; e = e->next)
		fault_in_text(f, 0, 0, e->path ? e->path : "", NULL, "%s", e->msg);
	if (!f->count)
		fault_in_text(f, 0, 0, "", NULL, "the schema refuses it");
	ly_err_clean(m->ctx, NULL);
	fault_finish(f);
	return false;
}

bool model_validate(struct model *m, struct lyd_node **conf, struct buf *error)
{
	struct faults faults = {.out = error};

	check_structure(*conf, &faults);
	check_system(*conf, &faults);
	check_net(*conf, &faults);
	check_relay(*conf, &faults);
	/* All that the schema can demand has been checked: what is left is its defaults. */
	if (!faults.count &&
	    lyd_new_implicit_module(conf, m->module, LYD_IMPLICIT_NO_STATE, NULL) != LY_SUCCESS)
		abort(); /* only for want of memory */
	fault_finish(&faults);
	return faults.count == 0;
}

void model_print_json(const struct lyd_node *conf, const char *container, struct buf *out)
{
	const struct lyd_node *top = conf_top(conf, container);
	struct lyd_node *copy = NULL;
	char *text = NULL;

	if (!top)
		return;
	if (lyd_dup_single(top, NULL, LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS | LYD_DUP_NO_META,
			   &copy) == LY_SUCCESS &&
	    lyd_print_mem(&text, copy, LYD_JSON, LYD_PRINT_WD_ALL) == LY_SUCCESS && text)
		buf_appends(out, text);
	free(text);
	lyd_free_all(copy);
}

/* ---- trees ---- */

struct lyd_node *conf_copy(const struct lyd_node *conf)
{
	struct lyd_node *copy = NULL;

	if (conf && lyd_dup_siblings(conf, NULL, LYD_DUP_RECURSIVE | LYD_DUP_WITH_FLAGS, &copy) !=
			    LY_SUCCESS)
		abort(); /* only for want of memory */
	return copy;
}

void conf_free(struct lyd_node *conf)
{
	lyd_free_all(conf);
}

bool conf_equal(const struct lyd_node *a, const struct lyd_node *b)
{
	struct lyd_node *diff = NULL;

	if (!a || !b)
		return a == b;
	bool same = lyd_diff_siblings(a, b, 0, &diff) == LY_SUCCESS && !diff;
	lyd_free_all(diff);
	return same;
}

/* ---- readers ---- */

const struct lyd_node *conf_top(const struct lyd_node *conf, const char *name)
{
	while (conf && strcmp(conf->schema->name, name) != 0)
		conf = conf->next;
	return conf;
}

static const struct lysc_node *child_schema(const struct lyd_node *parent, const char *name)
{
	return schema_child(parent->schema->module, parent->schema, name);
}

const struct lyd_node *conf_child(const struct lyd_node *parent, const char *name)
{
	struct lyd_node *found = NULL;

	if (!parent)
		return NULL;
	const struct lysc_node *schema = child_schema(parent, name);
	if (schema)
		lyd_find_sibling_val(lyd_child(parent), schema, NULL, 0, &found);
	return found;
}

const struct lyd_node *conf_find(const struct lyd_node *parent, const char *name, const char *key)
{
	const struct lysc_node *schema = parent ? child_schema(parent, name) : NULL;

	return schema ? node_find(NULL, (struct lyd_node *)parent, schema, key) : NULL;
}

const struct lyd_node *conf_next(const struct lyd_node *node)
{
	return node->next && node->next->schema == node->schema ? node->next : NULL;
}

const char *conf_text(const struct lyd_node *leaf)
{
	return lyd_get_value(leaf);
}

const char *conf_value(const struct lyd_node *parent, const char *leaf)
{
	const struct lyd_node *found = conf_child(parent, leaf);

	if (found)
		return lyd_get_value(found);
	const struct lysc_node *schema = parent ? child_schema(parent, leaf) : NULL;
	return schema ? schema_default(schema) : NULL;
}

unsigned long conf_number(const struct lyd_node *parent, const char *leaf)
{
	const char *text = conf_value(parent, leaf);

	return text ? strtoul(text, NULL, 10) : 0;
}

bool conf_has(const struct lyd_node *parent, const char *name)
{
	const struct lyd_node *found = conf_child(parent, name);

	return found && !(found->flags & LYD_DEFAULT);
}
