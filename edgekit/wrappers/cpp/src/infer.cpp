#include "infer.h"

#include "refused.h"
#include "words.h"

namespace edgekit {
namespace {

void place(const Ort& ort, const View& view, OrtValue** value) {
    const size_t needs = elements(view.shape) * view.type->size;
    if (view.bytes != needs) {
        throw Refused("the memory of " + quoted(view.name) + " has " + std::to_string(view.bytes) + " bytes, " +
                          view.type->name + " " + shape_words(view.shape) + " takes " + std::to_string(needs),
                      "", "usage");
    }
    const auto type = static_cast<ONNXTensorElementDataType>(view.type->onnx);
    ort.check(ort.api().CreateTensorWithDataAsOrtValue(ort.memory(), view.data, view.bytes, view.shape.data(),
                                                       view.shape.size(), type, value));
}

}  // namespace

Values infer(const Ort& ort, const Session& session, const std::vector<View>& inputs, std::vector<View>& outputs) {
    Values given(ort, inputs.size()), made(ort, outputs.size());
    std::vector<const char*> given_names, made_names;
    given_names.reserve(inputs.size());
    made_names.reserve(outputs.size());
    for (const View& view : inputs) {
        place(ort, view, given.data() + given_names.size());
        given_names.push_back(view.name.c_str());
    }
    for (const View& view : outputs) {
        if (view.data) place(ort, view, made.data() + made_names.size());
        made_names.push_back(view.name.c_str());
    }
    session.run(given_names, given, made_names, made);
    for (size_t at = 0; at < outputs.size(); ++at) {
        View& view = outputs[at];
        if (view.data) continue;
        const Layout form = layout_of(ort, made[at], view.name);
        if (form.type->kind == 'U') throw Refused("the output " + edgekit::quoted(view.name) + " is text", "", "usage");
        view.type = form.type;
        view.shape = form.shape;
        ort.check(ort.api().GetTensorMutableData(made[at], &view.data));
        view.bytes = elements(view.shape) * view.type->size;
    }
    return made;
}

}  // namespace edgekit
