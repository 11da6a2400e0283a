#include "tensor.h"

#include <fstream>
#include <iterator>
#include <list>

#include "manifest.h"
#include "refused.h"
#include "words.h"

namespace edgekit {
namespace {

Refused wrong(const std::string& message, const std::string& next) { return Refused(message, next, "usage"); }

Refused refused_feed(const EngineError& error) {
    return wrong("the model cannot take this input: " + first_line(error.what(), 300),
                 "look at the sizes that may vary");
}

std::vector<std::string> names(const Json& tensors) {
    std::vector<std::string> found;
    found.reserve(tensors.size());
    for (const Json& one : tensors) found.push_back(one.at("name").get<std::string>());
    return found;
}

Session session(const Opened& opened, Engines& engines) {
    std::vector<std::pair<std::string, std::string>> options;
    const Json chosen = value_or(opened.variant, "ep_options", Json::object());  // items() refers to it
    for (const auto& [key, value] : chosen.items()) {
        options.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
    }
    try {
        return Session(engines.onnxruntime(), opened.model(), provider_name(opened.ep()), options, opened.threads);
    } catch (const EngineError& error) {
        cannot_open("ONNX Runtime", error.what());
    }
}

// "float32 [1, 3, height, ?]"
std::string described(const Json& tensor) {
    std::vector<std::string> dims;
    for (const Json& dim : tensor.at("shape")) {
        dims.push_back(dim.is_null() ? "?" : dim.is_string() ? dim.get<std::string>() : dim.dump());
    }
    return tensor.at("dtype").get<std::string>() + " [" + joined(dims, ", ") + "]";
}

// Compare one array with the contract. Dimensions that vary are left to the engine: exporters name them badly.
void check_array(const Json& tensor, const View& array) {
    const std::string title = "the input " + quoted(tensor.at("name").get<std::string>());
    if (array.type->kind == 'U' || array.type->name != tensor.at("dtype").get<std::string>()) {
        throw wrong(title + " is " + array.type->name, "it must be " + described(tensor));
    }
    const Json& shape = tensor.at("shape");
    bool same = array.shape.size() == shape.size();
    for (size_t at = 0; same && at < shape.size(); ++at) {
        same = !shape[at].is_number() || shape[at].get<int64_t>() == array.shape[at];
    }
    if (!same) throw wrong(title + " has the shape " + shape_words(array.shape), "it must be " + described(tensor));
}

View view_of(const Json& tensor, Array& array) {
    return {tensor.at("name").get<std::string>(), array.type, array.shape, array.data.data(), array.data.size()};
}

}  // namespace

TensorBundle::TensorBundle(Opened found, Engines& engines)
    : opened(std::move(found)),
      ort_(engines.onnxruntime()),
      outputs_(names(opened.contract().at("outputs"))),
      session_(session(opened, engines)) {}

Arrays TensorBundle::run(const Arrays& feed) const {
    check(feed);
    Session::Call one = call(feed);
    try {
        one.run();
    } catch (const EngineError& error) {
        throw refused_feed(error);
    }
    Arrays found;
    for (size_t at = 0; at < outputs_.size(); ++at) found[outputs_[at]] = one.output(at);
    return found;
}

Values TensorBundle::infer(const std::vector<View>& inputs, std::vector<View>& outputs) const {
    if (std::none_of(inputs.begin(), inputs.end(), [](const View& view) { return view.type == &RGB8; })) {
        return run_on(inputs, outputs);
    }
    std::vector<View> ready = inputs;
    std::list<Array> made;  // which the views show
    for (View& view : ready) {
        for (const Json& input : opened.contract().at("inputs")) {
            if (view.type != &RGB8 || input.at("name") != view.name) continue;
            view = view_of(input, made.emplace_back(of_picture(input, view)));
        }
    }
    return run_on(ready, outputs);
}

Values TensorBundle::run_on(const std::vector<View>& inputs, std::vector<View>& outputs) const {
    check(inputs);
    for (const View& one : outputs) {
        if (std::find(outputs_.begin(), outputs_.end(), one.name) == outputs_.end()) {
            throw wrong("the model has no output " + quoted(one.name), "its outputs are: " + joined(outputs_, ", "));
        }
    }
    try {
        return edgekit::infer(ort_, session_, inputs, outputs);
    } catch (const EngineError& error) {
        throw refused_feed(error);
    }
}

std::vector<Class> TensorBundle::classify(const View& picture, size_t most) const {
    const Json& contract = opened.contract();
    if (value_or<std::string>(contract, "decode", "none") != "classes") {
        throw wrong("the bundle's contract does not say that its outputs are classes",
                    "ask infer, or build the bundle from a card with decode = \"classes\"");
    }
    std::list<Array> made;
    std::vector<View> inputs, outputs;
    bool shown = false;  // in the first input that has not always the same value
    for (const Json& input : contract.at("inputs")) {
        const Json form = value_or(input, "preprocess", Json::object());
        const bool fixed = shown || value_or<std::string>(form, "kind", "") == "fixed";
        inputs.push_back(view_of(input, made.emplace_back(fixed ? of_fixed(input) : of_picture(input, picture))));
        shown = shown || !fixed;
    }
    const std::vector<std::string> known = labels().value_or(std::vector<std::string>());
    outputs.push_back(scores(known.size()));
    const Values owner = run_on(inputs, outputs);
    if (outputs[0].shape.empty() || !outputs[0].bytes) throw wrong("the model gave no scores", "ask infer");
    return best_classes(outputs[0], known, most);
}

View TensorBundle::scores(size_t labels) const {
    const auto reads = [labels](const Json& output, bool exactly) {
        const Json& shape = output.at("shape");
        const bool scores = output.at("dtype").get<std::string>().find("float") == 0 && !shape.empty();
        return scores && (!exactly || shape.back() == labels);
    };
    for (const bool exactly : {true, false}) {
        for (const Json& output : opened.contract().at("outputs")) {
            if (reads(output, exactly)) return {output.at("name").get<std::string>()};
        }
    }
    throw Refused("the contract speaks of classes, and none of its outputs can be scores");
}

void TensorBundle::check(const Arrays& feed) const {
    std::vector<View> views;
    for (const auto& [name, array] : feed) views.push_back({name, array.type, array.shape});
    check(views);
}

void TensorBundle::check(const std::vector<View>& feed) const {
    const Json& inputs = opened.contract().at("inputs");
    const std::vector<std::string> known = names(inputs);
    for (const View& view : feed) {
        if (std::find(known.begin(), known.end(), view.name) == known.end()) {
            throw wrong("the model has no input " + quoted(view.name), "its inputs are: " + joined(known, ", "));
        }
    }
    for (const Json& one : inputs) {
        const std::string name = one.at("name").get<std::string>();
        const auto found =
            std::find_if(feed.begin(), feed.end(), [&name](const View& view) { return view.name == name; });
        if (found == feed.end()) throw wrong("the input " + quoted(name) + " is missing", "it is " + described(one));
        check_array(one, *found);
    }
}

std::optional<std::vector<std::string>> TensorBundle::labels() const {
    const std::string relative = value_or<std::string>(opened.contract(), "labels", "");
    if (relative.empty()) return std::nullopt;
    std::ifstream stream(inside(opened.folder, relative), std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (ends_with(text, "\n")) text.pop_back();
    std::vector<std::string> lines;
    for (size_t at = 0; at <= text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

}  // namespace edgekit
