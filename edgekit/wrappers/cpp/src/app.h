/* What an app calls: edgekit-runner's actions in the app's own process, on bundles in the app's container. Plain C. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* The check mode of an app: do the one action of a request file and end the process.
 *
 * container: the app's folder (iOS: NSHomeDirectory()), UTF-8. request: the file's path in it. Events go to standard
 * output as JSON lines, outcome.json is written last, beside the request. Call it on a thread of its own: iOS ends an
 * app whose main thread does not answer. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void edgekit_check(const char* container, const char* request);

/* Gets one event, a JSON object as UTF-8 text without a line's end; it is valid during the call only. */
typedef void (*edgekit_listener)(void* context, const char* event);

/* Do the action of a request, given as JSON text, and return when it is done: 0, or 1 where it failed. One at a time,
 * and not on the main thread.
 *
 * Every event is told, and last {"event": "outcome", ...} with the action's answer or its "error". */
int edgekit_act(const char* container, const char* request, edgekit_listener tell, void* context);

#ifdef __cplusplus
}
#endif
