#include "app.h"

#include <cstdlib>
#include <iostream>

#include "container.h"
#include "protocol.h"
#include "refused.h"

#ifndef EDGEKIT_GENAI_VERSION
#define EDGEKIT_GENAI_VERSION ""  // GenAI does not tell it; who links it into an app defines it
#endif

namespace fs = std::filesystem;

namespace {

// Those that lie in the app, or are linked into it; loaded once.
edgekit::Engines& engines() {
    static edgekit::Engines linked{{}, {}, EDGEKIT_GENAI_VERSION};
    return linked;
}

}  // namespace

void edgekit_check(const char* container, const char* request) {
    try {
        const fs::path home = fs::u8path(container), path = edgekit::within(home, request);
        edgekit::serve(path, [&](const edgekit::Ordered& asked, const edgekit::Emit& emit) {
            const edgekit::Machine machine("/");
            edgekit::Json outcome = edgekit::act_in(home, asked, engines(), machine, emit);
            fs::create_directories(path.parent_path());  // remove may have taken it, and the outcome goes there
            return outcome;
        });
    } catch (const std::exception& error) {  // the container or the path of the request
        std::cerr << "edgekit: " << error.what() << std::endl;
        std::_Exit(2);
    }
}

int edgekit_act(const char* container, const char* request, edgekit_listener tell, void* context) {
    using edgekit::Json;
    const edgekit::Emit emit = [&](const char* kind, Json fields) {
        fields["event"] = kind;
        tell(context, fields.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    };
    Json outcome;
    try {
        const edgekit::Machine machine("/");
        outcome = edgekit::act_in(fs::u8path(container), edgekit::Ordered::parse(request), engines(), machine, emit);
    } catch (const edgekit::Refused& refused) {
        outcome = {{"error", edgekit::error_of(refused)}};
    } catch (const std::exception& error) {  // an engine's own failure, or no request at all
        outcome = {{"error", {{"code", "internal"}, {"message", error.what()}, {"next", ""}}}};
    }
    const bool failed = outcome.contains("error");
    emit("outcome", std::move(outcome));
    return failed ? 1 : 0;
}
