/*
 * The module that brings TICKET OPEN and TICKET READ to an Asterisk, as spec describes them.
 *
 * With the headers of that Asterisk (the package asterisk-dev):
 *
 *     cc -shared -fPIC -o res_tickets.so res_tickets.c
 *
 * Put it into Asterisk's folder for modules, and `module load res_tickets.so`. Tickets are kept
 * while it is loaded. The desk is closed while the global variable DESK is `closed`.
 */

#define AST_MODULE "res_tickets"
#define AST_MODULE_SELF_SYM __internal_res_tickets_self

#include <asterisk.h>

#include <asterisk/agi.h>
#include <asterisk/app.h>
#include <asterisk/channel.h>
#include <asterisk/cli.h>
#include <asterisk/lock.h>
#include <asterisk/module.h>
#include <asterisk/pbx.h>
#include <asterisk/say.h>

#define FIRST 4711
#define MOST 1000
#define LONGEST 200

AST_MUTEX_DEFINE_STATIC(desk);
static char tickets[MOST][LONGEST + 1];
static int opened;

static int ticket_open(struct ast_channel *chan, AGI *agi, int argc, const char *const argv[])
{
	char state[8] = "";
	const char *value = pbx_builtin_getvar_helper(NULL, "DESK");
	int urgent, remind, position;

	if (argc < 4 || argc > 5 || !*argv[2] || strlen(argv[2]) > LONGEST) {
		return RESULT_SHOWUSAGE;
	}
	urgent = !strcasecmp(argv[3], "urgent");
	if (!urgent && strcasecmp(argv[3], "normal")) {
		return RESULT_SHOWUSAGE;
	}
	if (argc == 5 && (sscanf(argv[4], "%30d", &remind) != 1 || remind < 60)) {
		return RESULT_SHOWUSAGE;
	}
	ast_copy_string(state, value ? value : "", sizeof(state));
	ast_mutex_lock(&desk);
	if (opened == MOST || (urgent && !strcmp(state, "closed"))) {
		ast_mutex_unlock(&desk);
		ast_agi_send(agi->fd, chan, "200 result=0 (closed)\n");
		return RESULT_SUCCESS;
	}
	ast_copy_string(tickets[opened++], argv[2], LONGEST + 1);
	position = opened;
	ast_mutex_unlock(&desk);
	ast_agi_send(agi->fd, chan, "200 result=%d position=%d\n", FIRST + position - 1, position);
	return RESULT_SUCCESS;
}

static int ticket_read(struct ast_channel *chan, AGI *agi, int argc, const char *const argv[])
{
	char subject[LONGEST + 1] = "";
	int number, key = -1;

	if (argc < 3 || argc > 4 || sscanf(argv[2], "%30d", &number) != 1) {
		return RESULT_SHOWUSAGE;
	}
	ast_mutex_lock(&desk);
	if (number >= FIRST && number < FIRST + opened) {
		ast_copy_string(subject, tickets[number - FIRST], sizeof(subject));
	}
	ast_mutex_unlock(&desk);
	if (*subject) {
		key = ast_say_character_str(
			chan, subject, argc == 4 ? argv[3] : "", ast_channel_language(chan),
			AST_SAY_CASE_NONE);
	}
	ast_agi_send(agi->fd, chan, "200 result=%d\n", key);
	return key < 0 ? RESULT_FAILURE : RESULT_SUCCESS;
}

static struct agi_command commands[] = {
	{
		.cmda = { "ticket", "open", NULL },
		.handler = ticket_open,
		.summary = "Open a ticket for the caller of this call.",
		.usage = "Usage: TICKET OPEN <subject> <normal|urgent> [remind after]\n",
	},
	{
		.cmda = { "ticket", "read", NULL },
		.handler = ticket_read,
		.summary = "Read a ticket to the caller until a key is pressed.",
		.usage = "Usage: TICKET READ <number> [escape digits]\n",
	},
};

static int load_module(void)
{
	return ast_agi_register_multiple(ast_module_info->self, commands, ARRAY_LEN(commands))
		? AST_MODULE_LOAD_DECLINE : AST_MODULE_LOAD_SUCCESS;
}

static int unload_module(void)
{
	ast_agi_unregister_multiple(commands, ARRAY_LEN(commands)); /* gives how many */
	return 0;
}

AST_MODULE_INFO(ASTERISK_GPL_KEY, AST_MODFLAG_DEFAULT, "Support tickets",
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
	.load = load_module,
	.unload = unload_module,
	.requires = "res_agi",
);
