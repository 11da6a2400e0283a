// edgekit-runner REQUEST.json: one job of a bundle in a process of its own; README.md has the options.
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <string>

#include "actions.h"
#include "app.h"
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
    "  --app FOLDER          be the sample app whose container FOLDER is: REQUEST.json lies in it, and its paths do;\n"
    "                        - for REQUEST.json takes one request from standard input (for tests)\n"
    "  --version             what this is\n";

void print(void*, const char* event) { std::cout << event << std::endl; }

int be_app(const std::string& container, const std::string& request) {
    if (request != "-") edgekit_check(container.c_str(), request.c_str());
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    return edgekit_act(container.c_str(), text.c_str(), print, nullptr);
}

}  // namespace

int main(int count, char** words) {
    namespace fs = std::filesystem;
    std::map<std::string, std::string> options{
        {"--onnxruntime", ""}, {"--genai", ""}, {"--genai-version", ""}, {"--root", "/"}, {"--app", ""}};
    int at = 1;
    for (; at + 1 < count && options.count(words[at]); at += 2) options[words[at]] = words[at + 1];
    if (at + 1 == count && words[at] == std::string("--version")) {
        std::cout << "edgekit-runner " EDGEKIT_VERSION " " << edgekit::host_os() << "-" << edgekit::host_abi() << "\n";
        return 0;
    }
    const bool app = !options["--app"].empty();
    if (at + 1 != count || (words[at][0] == '-' && !(app && words[at] == std::string("-")))) {
        std::cerr << USAGE;
        return 2;
    }
    if (app) return be_app(options["--app"], words[at]);
    edgekit::Engines engines(fs::u8path(options["--onnxruntime"]), fs::u8path(options["--genai"]),
                             options["--genai-version"]);
    const edgekit::Machine machine(fs::u8path(options["--root"]));
    edgekit::serve(fs::u8path(words[at]), [&](const edgekit::Ordered& request, const edgekit::Emit& emit) {
        return edgekit::act(request, engines, machine, emit);
    });
}
