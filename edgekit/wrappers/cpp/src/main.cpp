// edgekit-runner REQUEST.json: one job of a bundle in a process of its own; README.md has the options.
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "actions.h"
#include "engines.h"
#include "host.h"
#include "machine.h"
#include "protocol.h"

namespace {

const char* const USAGE =
    "edgekit-runner [OPTIONS] REQUEST.json\n"
    "  --onnxruntime FILE    the library of ONNX Runtime; else the one beside the runner\n"
    "  --genai FILE          the library of ONNX Runtime GenAI, for language models; else the one beside the runner\n"
    "  --genai-version X.Y.Z its version, which it does not tell\n"
    "  --root FOLDER         read FOLDER/proc and FOLDER/sys as this machine's (for tests)\n"
    "  --version             what this is\n";

}  // namespace

int main(int count, char** words) {
    namespace fs = std::filesystem;
    std::map<std::string, std::string> options{
        {"--onnxruntime", ""}, {"--genai", ""}, {"--genai-version", ""}, {"--root", "/"}};
    int at = 1;
    for (; at + 1 < count && options.count(words[at]); at += 2) options[words[at]] = words[at + 1];
    if (at + 1 == count && words[at] == std::string("--version")) {
        std::cout << "edgekit-runner " EDGEKIT_VERSION " " << edgekit::host_os() << "-" << edgekit::host_abi() << "\n";
        return 0;
    }
    if (at + 1 != count || words[at][0] == '-') {
        std::cerr << USAGE;
        return 2;
    }
    edgekit::Engines engines(fs::u8path(options["--onnxruntime"]), fs::u8path(options["--genai"]),
                             options["--genai-version"]);
    const edgekit::Machine machine(fs::u8path(options["--root"]));
    edgekit::serve(fs::u8path(words[at]), [&](const edgekit::Json& request, const edgekit::Emit& emit) {
        return edgekit::act(request, engines, machine, emit);
    });
}
