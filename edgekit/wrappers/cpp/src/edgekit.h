/* edgekit's runtime as a library: open a bundle, ask it, stop it, give memory back. Plain C, no dependency to compile.
 *
 *     edgekit_bundle* bundle = NULL;
 *     edgekit_open_options options = {sizeof options};
 *     edgekit_error* error = edgekit_open(edgekit_utf8("/data/bundles/smollm2"), &options, &bundle);
 *     edgekit_run* run = NULL;
 *     if (!error) error = edgekit_respond(bundle, edgekit_utf8("{\"messages\": [{\"role\": \"user\", ...}]}"), &run);
 *     edgekit_event event = {sizeof event};
 *     while (!error && !(error = edgekit_next(run, &event)) && event.kind != EDGEKIT_DONE) { use event.text }
 *     edgekit_run_free(run);
 *     edgekit_close(bundle);
 *
 * Texts are UTF-8 with a length and need no zero at their end; documents (requests, facts) are JSON objects.
 *
 * Errors: a function that can fail returns NULL or an error, which the caller frees. Its code is one of
 *     "bundle"        damaged, or not for this runtime or machine: the axis says which ("abi", "min_onnxruntime", ...)
 *     "usage"         asked wrongly: an input, a key, a prompt that is too long
 *     "tool-missing"  an engine is not there or cannot be loaded
 *     "quality"       the model answers what no app can use
 *     "closed"        the bundle was closed meanwhile
 *     "internal"      an engine's own failure; the bundle can still be asked
 * Every error has one message and, where there is one, the next step. Nothing is thrown, and no function of the app is
 * ever called.
 *
 * Threads: every function may be called from any thread, edgekit_close once and last. The model is run by one thread of
 * the bundle's own, so answers are made one after another; edgekit_infer runs on the caller's.
 *
 * Structures begin with their size, by which a later library knows what an earlier app knows; what is 0 is the default. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(EDGEKIT_LIBRARY)
#define EDGEKIT_API __declspec(dllexport)
#elif defined(_WIN32)
#define EDGEKIT_API
#else
#define EDGEKIT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define EDGEKIT_ABI 1 /* a library of another number cannot be called by what is declared here */
EDGEKIT_API int32_t edgekit_abi(void);

typedef struct edgekit_bundle edgekit_bundle;
typedef struct edgekit_run edgekit_run;
typedef struct edgekit_error edgekit_error;
typedef struct edgekit_document edgekit_document;
typedef struct edgekit_values edgekit_values;

typedef struct edgekit_text {
    const char* data; /* may be NULL where size is 0 */
    size_t size;      /* bytes */
} edgekit_text;

EDGEKIT_API edgekit_text edgekit_utf8(const char* zero_terminated);

EDGEKIT_API edgekit_text edgekit_error_code(const edgekit_error* error);
EDGEKIT_API edgekit_text edgekit_error_message(const edgekit_error* error);
EDGEKIT_API edgekit_text edgekit_error_next(const edgekit_error* error); /* what to do; empty where nothing helps */
EDGEKIT_API edgekit_text edgekit_error_axis(const edgekit_error* error); /* of "bundle"; empty where none is to blame */
EDGEKIT_API void edgekit_error_free(edgekit_error* error);               /* NULL is no error, here and below */

EDGEKIT_API edgekit_text edgekit_document_text(const edgekit_document* document); /* valid until it is freed */
EDGEKIT_API void edgekit_document_free(edgekit_document* document);

/* A document of any JSON text, such as a history that was kept. */
EDGEKIT_API edgekit_error* edgekit_document_of(edgekit_text json, edgekit_document** out);

/* What lies at a path as RFC 6901 has it, "/engines/onnxruntime/version": a text as it is, any other value as JSON. data is
 * NULL where nothing is there, or null. It is valid until the document is freed. One thread at a time. */
EDGEKIT_API edgekit_text edgekit_document_at(edgekit_document* document, edgekit_text path);

enum {
    EDGEKIT_VERIFY = 1,  /* compare every byte with the manifest (once, at install), not only the sizes */
    EDGEKIT_FOREIGN = 2, /* run a bundle of another platform on the CPU, for a look at its outputs */
    EDGEKIT_LAZY = 4     /* the model is loaded by the first call that needs it */
};

typedef struct edgekit_open_options {
    size_t size;
    uint32_t flags;
    int32_t threads;            /* of one operator; 0: the engine chooses */
    int32_t slots;              /* key-value caches that are kept, each of max_length; 0: one, -1: none */
    int32_t piece;              /* tokens of a prompt that are read at once; 0: 128 */
    edgekit_text variant;       /* by name; empty: the first that runs here */
    edgekit_text onnxruntime;   /* the engines' libraries; empty: beside this library, or linked into the app */
    edgekit_text genai;
    edgekit_text genai_version; /* which GenAI does not tell; empty: as its file is named */
} edgekit_open_options;

/* Check a bundle's folder, choose the variant that runs here, and load it. options: NULL for the defaults. */
EDGEKIT_API edgekit_error* edgekit_open(edgekit_text folder, const edgekit_open_options* options, edgekit_bundle** out);

/* Cancel what is being answered, wait for its end and free the bundle. Runs that are left still have to be freed; they
 * tell that they were cancelled. */
EDGEKIT_API void edgekit_close(edgekit_bundle* bundle);

/* {"kind", "variant", "ep", "slots", "max_length", "cache_bytes": of one slot,
 *  "can": {"reuse", "cancel_in_prompt", "tools"},
 *  "engines": {name: {"version", "file"}}} of those that are loaded; a language model's "onnxruntime" is the one that
 * GenAI runs on, which may be one of its own.
 *  "other_onnxruntimes": [file, ...] in this process that it does not run on, where the system tells (Linux, Android):
 * two of them are two heaps and two pools of threads, which is told and not refused. */
EDGEKIT_API edgekit_error* edgekit_facts(edgekit_bundle* bundle, edgekit_document** out);

/* Whether there is memory for an answer.
 * request: {"tokens": n} or {"messages": [...], "tools": [...]}, and "max_tokens". Messages have to be tokenized: they
 * load the model, and are refused while an answer is being made.
 * out: {"tokens", "anon", "mapped", "kv", "free", "limit", "fits", "why"}: bytes that would be added to what the process
 * has; anon: not given back by the system, kv: the part of it that is key-value cache; free and limit (what this process
 * may still take) are null where the system does not tell, and fits with them where nothing can be compared. */
EDGEKIT_API edgekit_error* edgekit_preflight(edgekit_bundle* bundle, edgekit_text request, edgekit_document** out);

/* Answer a whole conversation; the longest beginning that a slot holds is not read again.
 * request: {"messages": [{"role", "content"}, ...] or "prompt": text without a template,
 *   "max_tokens", "stop": [text, ...], "temperature" (0: greedily), "top_k", "top_p", "min_p", "repetition_penalty",
 *   "seed", "tools": [{"type": "function", "function": {...}}, ...], "call": "auto" | "required" | "unguided",
 *   "json_schema", "think": false, "adapter": one that the bundle has, "speculate": "ngram"}. What is not said is the
 *   bundle's own.
 * An answer with tools, a schema or a seed is read anew, for the engine fixes these for a cache: reused is 0; a cache goes
 * on with the adapter that it was read with alone, and speculates if it did. */
EDGEKIT_API edgekit_error* edgekit_respond(edgekit_bundle* bundle, edgekit_text request, edgekit_run** out);

enum {
    EDGEKIT_PROGRESS = 1, /* of the prompt's `of` tokens `read` are read */
    EDGEKIT_TEXT = 2,     /* whole characters */
    EDGEKIT_THOUGHT = 3,
    EDGEKIT_TOOL_CALL = 4, /* text: the arguments, a JSON object */
    EDGEKIT_DONE = 5       /* text: {"reason": "eos" | "stop" | "length" | "max_length" | "cancelled", "prompt_tokens",
                              "tokens", "reused", "ttft_ms", "decode_tps", "loaded": the model had to be, for this,
                              "passes": of the model for the tokens after the first, null without speculation} */
};

typedef struct edgekit_event {
    size_t size;
    int32_t kind;
    edgekit_text text; /* texts are valid until the run's next call of edgekit_next */
    edgekit_text id, name;
    int64_t read, of;
} edgekit_event;

/* Wait for the next event. After the last, EDGEKIT_DONE, it comes again. One thread at a time. An answer waits for its
 * reader: at most 64 events are made ahead. */
EDGEKIT_API edgekit_error* edgekit_next(edgekit_run* run, edgekit_event* event);

/* End an answer from any thread: at its next token, or in its prompt; what was made is still told. The bundle can be
 * asked again at once. */
EDGEKIT_API void edgekit_cancel(edgekit_run* run);

/* Cancel and free; the bundle may be closed before or after. */
EDGEKIT_API void edgekit_run_free(edgekit_run* run);

enum {
    EDGEKIT_CACHES = 1, /* the key-value caches that no answer uses */
    EDGEKIT_WEIGHTS = 2 /* these, and the model */
};

/* Give memory back; what is needed again is loaded by itself. What an answer is using goes when it has ended. freed: the
 * bytes that are given back now, as the manifest states them; may be NULL. */
EDGEKIT_API edgekit_error* edgekit_trim(edgekit_bundle* bundle, int32_t what, int64_t* freed);

typedef struct edgekit_tensor {
    size_t size;
    edgekit_text name;
    edgekit_text type; /* as the contract's: "float32", "int64", "uint8", "bool", ... */
    const int64_t* shape;
    size_t rank;
    void* data;   /* in C order, little endian */
    size_t bytes; /* of data */
} edgekit_tensor;

/* Run a model of tensors once. Nothing is copied: inputs are read where they are, and are not written.
 * outputs: each names one. With data it is written there, and type, shape and bytes must be what the model gives; with
 * data NULL it is the engine's, everything else is filled in, and it is valid until `owned` is freed, which has to be
 * before the bundle is closed. owned: may be NULL where every output has data. */
EDGEKIT_API edgekit_error* edgekit_infer(edgekit_bundle* bundle, const edgekit_tensor* inputs, size_t input_count,
                                         edgekit_tensor* outputs, size_t output_count, edgekit_values** owned);
EDGEKIT_API void edgekit_values_free(edgekit_values* values);

/* Pictures: a tensor of the shape [height, width] is a picture where its type says how the pixels lie, as a decoder leaves
 * them, rows from the top, bytes / height apart:
 *     "rgb8", "bgr8"      three bytes a pixel
 *     "rgba8", "bgra8"    four, the last is alpha: what is transparent lies on white, as Pillow's alpha_composite puts it
 *     "rgbx8", "bgrx8"    four, the last says nothing
 * and, behind it and a blank each, in any order, what else is so:
 *     "premultiplied"     the colours are, by alpha: 255 - alpha is added to each
 *     "exif-1" ... "exif-8"  what EXIF calls its orientation: it is turned upright; height and width are as it is stored
 *     "display-p3"        the colours are Display P3's, and become sRGB's, clipped (after what was transparent); else sRGB's
 * So "rgba8 premultiplied exif-6" is a picture that lies on its side. As an input of edgekit_infer it is turned, cut,
 * scaled and normalized as the bundle's contract says, as Pillow would; where it says nothing of pictures, it is refused.
 *
 * What a picture shows, by a model of classes; picture: of any name. top: how many; 0: five.
 * out: {"classes": [{"index", "label": null where the bundle has none, "score": as the model gives it}, ...]}, the best
 * first. */
EDGEKIT_API edgekit_error* edgekit_classify(edgekit_bundle* bundle, const edgekit_tensor* picture, int32_t top,
                                            edgekit_document** out);

#ifdef __cplusplus
}
#endif
