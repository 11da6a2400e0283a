#include "edgekit.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <type_traits>

#include "core.h"

namespace fs = std::filesystem;

// Every function of edgekit.h ends here in a try: nothing is thrown across it.

struct edgekit_error {
    std::string code, message, next, axis;
};
struct edgekit_document {
    std::string text;
    std::optional<edgekit::Ordered> tree = {};     // when it is asked for
    std::map<std::string, std::string> told = {};  // by path: what the reader has
};
struct edgekit_values {
    edgekit::Values values;
    std::vector<edgekit::View> views;
    std::shared_ptr<const edgekit::TensorBundle> bundle;  // whose engine they are
};
struct edgekit_bundle {
    edgekit::Engines engines;
    edgekit::Core core;

    edgekit_bundle(edgekit::Engines found, edgekit::Opening opening)
        : engines(std::move(found)), core(std::move(opening), engines) {}
};
struct edgekit_run {
    std::shared_ptr<edgekit::Run> run;
    edgekit::Event event;  // whose texts the reader has
};

namespace {

using edgekit::Json;
using edgekit::Ordered;
using edgekit::Refused;

template <typename Do>
edgekit_error* guarded(Do call) {
    try {
        call();
        return nullptr;
    } catch (const std::exception& error) {
        const Refused why = edgekit::refusal_of(error);
        return new edgekit_error{why.code, why.what(), why.next, why.axis};
    }
}

edgekit_text text_of(const std::string& text) { return {text.data(), text.size()}; }

std::string string_of(edgekit_text text) { return text.size ? std::string(text.data, text.size) : std::string(); }

// What the caller knows of a structure; the rest is 0.
template <typename Structure>
Structure known(const Structure* given) {
    Structure found{};
    if (!given) return found;
    if (given->size < sizeof given->size) throw Refused("a structure without its size", "set its size", "usage");
    std::memcpy(&found, given, std::min(given->size, sizeof found));
    return found;
}

Ordered parsed(const std::string& text, const std::string& what) {
    try {
        return Ordered::parse(text);
    } catch (const Json::exception& error) {
        throw Refused(what + " is no JSON: " + error.what(), "", "usage");
    }
}

Ordered request_of(edgekit_text text) { return parsed(string_of(text), "the request"); }

edgekit_document* document(const Json& value) {
    return new edgekit_document{value.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

void require(const void* pointer, const char* name) {
    if (!pointer) throw Refused(std::string(name) + " is NULL", "", "usage");
}

edgekit::View view_of(const edgekit_tensor& tensor, bool filled) {
    edgekit::View view{string_of(tensor.name)};
    if (!filled) return view;
    const std::string type = string_of(tensor.type);
    if (const auto pixels = edgekit::pixel_format(type)) {
        view.type = &edgekit::RGB8;
        view.pixels = *pixels;
    } else {
        view.type = edgekit::type_by_name(type);
    }
    if (!view.type) throw Refused("there is no type '" + type + "'", "", "usage");
    if (tensor.rank) view.shape.assign(tensor.shape, tensor.shape + tensor.rank);
    view.data = tensor.data;
    view.bytes = tensor.bytes;
    return view;
}

// One of an array whose structures may be longer than those known here.
template <typename Structure>
Structure& nth(Structure* array, size_t at) {
    if (array->size < sizeof *array) throw Refused("a structure without its size", "set its size", "usage");
    using Byte = std::conditional_t<std::is_const_v<Structure>, const char, char>;
    return *reinterpret_cast<Structure*>(reinterpret_cast<Byte*>(array) + at * array->size);
}

edgekit::Engines engines_of(const edgekit_open_options& options) {
    return {fs::u8path(string_of(options.onnxruntime)), fs::u8path(string_of(options.genai)),
            string_of(options.genai_version)};
}

edgekit::Opening opening_of(edgekit_text folder, const edgekit_open_options& options) {
    edgekit::Opening found{{fs::u8path(string_of(folder)), {}, options.threads, (options.flags & EDGEKIT_VERIFY) != 0,
                            (options.flags & EDGEKIT_FOREIGN) != 0}};
    if (options.variant.size) found.wanted.variant = string_of(options.variant);
    if (options.slots) found.slots = static_cast<size_t>(std::max(options.slots, 0));
    if (options.piece > 0) found.piece = static_cast<size_t>(options.piece);
    found.lazy = (options.flags & EDGEKIT_LAZY) != 0;
    return found;
}

}  // namespace

int32_t edgekit_abi(void) { return EDGEKIT_ABI; }

edgekit_text edgekit_utf8(const char* text) { return {text, text ? std::strlen(text) : 0}; }

edgekit_text edgekit_error_code(const edgekit_error* error) { return text_of(error->code); }
edgekit_text edgekit_error_message(const edgekit_error* error) { return text_of(error->message); }
edgekit_text edgekit_error_next(const edgekit_error* error) { return text_of(error->next); }
edgekit_text edgekit_error_axis(const edgekit_error* error) { return text_of(error->axis); }
void edgekit_error_free(edgekit_error* error) { delete error; }

edgekit_text edgekit_document_text(const edgekit_document* document) { return text_of(document->text); }
void edgekit_document_free(edgekit_document* document) { delete document; }

edgekit_error* edgekit_document_of(edgekit_text json, edgekit_document** out) {
    return guarded([&] {
        require(out, "out");
        *out = nullptr;
        std::string text = string_of(json);
        Ordered tree = parsed(text, "the text");
        *out = new edgekit_document{std::move(text), std::move(tree)};
    });
}

edgekit_text edgekit_document_at(edgekit_document* document, edgekit_text path) {
    if (!document) return {};
    try {
        if (!document->tree) document->tree = Ordered::parse(document->text);
        const Ordered::json_pointer at(string_of(path));
        const Ordered& value = document->tree->at(at);
        if (value.is_null()) return {};
        return text_of(
            document->told.try_emplace(string_of(path), value.is_string() ? value.get<std::string>() : value.dump())
                .first->second);
    } catch (const std::exception&) {  // no path, or nothing there
        return {};
    }
}

edgekit_error* edgekit_open(edgekit_text folder, const edgekit_open_options* options, edgekit_bundle** out) {
    return guarded([&] {
        require(out, "out");
        *out = nullptr;
        const edgekit_open_options asked = known(options);
        *out = new edgekit_bundle(engines_of(asked), opening_of(folder, asked));
    });
}

void edgekit_close(edgekit_bundle* bundle) { delete bundle; }

edgekit_error* edgekit_facts(edgekit_bundle* bundle, edgekit_document** out) {
    return guarded([&] {
        require(bundle, "bundle");
        require(out, "out");
        *out = document(bundle->core.facts());
    });
}

edgekit_error* edgekit_preflight(edgekit_bundle* bundle, edgekit_text request, edgekit_document** out) {
    return guarded([&] {
        require(bundle, "bundle");
        require(out, "out");
        *out = document(bundle->core.preflight(request_of(request)));
    });
}

edgekit_error* edgekit_respond(edgekit_bundle* bundle, edgekit_text request, edgekit_run** out) {
    return guarded([&] {
        require(bundle, "bundle");
        require(out, "out");
        *out = new edgekit_run{bundle->core.respond(request_of(request)), {}};
    });
}

edgekit_error* edgekit_next(edgekit_run* run, edgekit_event* event) {
    return guarded([&] {
        require(run, "run");
        require(event, "event");
        run->event = run->run->next();
        const edgekit::Event& now = run->event;
        const edgekit_event whole{event->size,       now.kind,
                                  text_of(now.text), text_of(now.id),
                                  text_of(now.name), static_cast<int64_t>(now.read),
                                  static_cast<int64_t>(now.of)};
        std::memcpy(event, &whole, std::min(event->size, sizeof whole));
    });
}

void edgekit_cancel(edgekit_run* run) {
    if (run) run->run->cancel();
}

void edgekit_run_free(edgekit_run* run) {
    edgekit_cancel(run);
    delete run;
}

edgekit_error* edgekit_trim(edgekit_bundle* bundle, int32_t what, int64_t* freed) {
    return guarded([&] {
        require(bundle, "bundle");
        if (what != EDGEKIT_CACHES && what != EDGEKIT_WEIGHTS) throw Refused("there is nothing else to trim", "", "usage");
        const int64_t bytes = bundle->core.trim(static_cast<edgekit::Core::Part>(what));
        if (freed) *freed = bytes;
    });
}

edgekit_error* edgekit_infer(edgekit_bundle* bundle, const edgekit_tensor* inputs, size_t input_count,
                             edgekit_tensor* outputs, size_t output_count, edgekit_values** owned) {
    return guarded([&] {
        require(bundle, "bundle");
        if (owned) *owned = nullptr;
        std::vector<edgekit::View> given, made;
        given.reserve(input_count);
        made.reserve(output_count);
        for (size_t at = 0; at < input_count; ++at) given.push_back(view_of(nth(inputs, at), true));
        for (size_t at = 0; at < output_count; ++at) {
            const edgekit_tensor& one = nth(outputs, at);
            made.push_back(view_of(one, one.data != nullptr));
        }
        const bool all = std::all_of(made.begin(), made.end(), [](const edgekit::View& view) { return view.data; });
        if (!all) require(owned, "owned");
        const auto tensors = bundle->core.tensors();
        edgekit::Values values = tensors->infer(given, made);
        if (all) return;
        *owned = new edgekit_values{std::move(values), std::move(made), tensors};
        for (size_t at = 0; at < output_count; ++at) {
            edgekit_tensor& one = nth(outputs, at);
            if (one.data) continue;
            const edgekit::View& view = (*owned)->views[at];
            one.type = edgekit_utf8(view.type->name);
            one.shape = view.shape.data();
            one.rank = view.shape.size();
            one.data = view.data;
            one.bytes = view.bytes;
        }
    });
}

void edgekit_values_free(edgekit_values* values) { delete values; }

edgekit_error* edgekit_classify(edgekit_bundle* bundle, const edgekit_tensor* picture, int32_t top,
                                edgekit_document** out) {
    return guarded([&] {
        require(bundle, "bundle");
        require(picture, "picture");
        require(out, "out");
        *out = nullptr;
        const edgekit::View view = view_of(known(picture), true);
        if (view.type != &edgekit::RGB8) throw Refused("a picture is of the type rgb8, rgba8 or bgra8", "", "usage");
        Json classes = Json::array();
        for (const edgekit::Class& each : bundle->core.tensors()->classify(view, top > 0 ? static_cast<size_t>(top) : 5)) {
            const Json label = each.label.empty() ? Json(nullptr) : Json(each.label);
            classes.push_back({{"index", each.index}, {"label", label}, {"score", each.score}});
        }
        *out = document({{"classes", classes}});
    });
}
