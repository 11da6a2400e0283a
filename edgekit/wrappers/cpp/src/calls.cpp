#include "calls.h"

#include <algorithm>

#include "goldens.h"
#include "refused.h"
#include "respond.h"
#include "unicode.h"
#include "words.h"

namespace edgekit {
namespace {

// Whether an answer is {"name", "arguments"} with what its function requires.
bool is_call(const std::string& text, const Json& tools) {
    const Json call = Json::parse(text, nullptr, false);
    if (!call.is_object() || !call.contains("arguments") || !call["arguments"].is_object()) return false;
    for (const Json& tool : tools) {
        const Json& function = tool.at("function");
        if (function.at("name") != call.value("name", Json())) continue;
        const Json required = function.value("/parameters/required"_json_pointer, Json());
        return required.is_array() &&
               std::all_of(required.begin(), required.end(),
                           [&](const Json& name) { return call["arguments"].contains(name.get<std::string>()); });
    }
    return false;
}

}  // namespace

Json ask(const LlmBundle& bundle, const Json& cases, int64_t new_tokens) {
    Json wrong = Json::array();
    size_t asked = 0;
    std::string reason;
    for (const Json& one : cases) {
        std::string text;
        Answer answer;
        try {
            const Tokens ids = bundle.encode(one.at("prompt").get<std::string>(), true);
            const Question question{ids, new_tokens, {}, {}, Guidance{"json_schema", one.at("schema").dump()}};
            answer = answer_alone(bundle, question, [&](bool, const std::string& piece) { text += piece; });
        } catch (const Refused& error) {  // as in an engine built without guidance
            reason = error.what();
            break;
        }
        ++asked;
        if (answer.reason != "eos" || !is_call(text, one.at("tools"))) {
            const std::string shown = quoted(to_utf8(from_utf8(text).substr(0, 60)));
            wrong.push_back("function call " + one.at("id").get<std::string>() + ": no call in " + shown);
        }
    }
    return {{"asked", asked}, {"parsed", asked - wrong.size()}, {"wrong", wrong}, {"reason", reason}};
}

Json with_calls(Json found, const Json& calls) {
    const Json& wrong = calls.at("wrong");
    for (const Json& one : wrong) {
        if (found["mismatches"].size() < SHOWN) found["mismatches"].push_back(one);
    }
    found["passed"] = found.at("passed").get<bool>() && wrong.empty();
    found["mismatch_count"] = found.at("mismatch_count").get<size_t>() + wrong.size();
    found["function_calls"] = {
        {"asked", calls.at("asked")}, {"parsed", calls.at("parsed")}, {"reason", calls.at("reason")}};
    return found;
}

}  // namespace edgekit
